/* belfry recover -- a new journal of what can be read of a damaged one. */
#include "base/json.h"
#include "cli/command.h"
#include "cli/offline.h"
#include "cli/outcome.h"
#include "journal_recover.h"

#include <inttypes.h>
#include <stdio.h>

struct recover {
    bool json;
};

static const struct flag flags[] = {
    {"json", FLAG_SWITCH, offsetof(struct recover, json), NULL, "what was saved and lost, as JSON"},
};

static void print_json(const struct recovered *r)
{
    struct buf out;
    buf_init(&out, 8192);
    buf_putz(&out, "{\"ok\":true,\"aside\":");
    json_put_str(&out, str_of(r->aside));
    buf_printf(&out,
               ",\"events\":%" PRIu64 ",\"channels\":%" PRIu64 ",\"keys\":%" PRIu64
               ",\"lostEvents\":%" PRIu64 ",\"gappedChannels\":%" PRIu64 ",\"gapUpTo\":%" PRIu64,
               r->events, r->channels, r->keys, r->lost_events, r->gapped, r->lost_upto);
    buf_printf(&out, ",\"lostChannels\":%s,\"lostKeys\":%s,\"lostUsers\":%s,\"cursorsHold\":%s}",
               r->has_lost_channels ? "true" : "false", r->has_lost_keys ? "true" : "false",
               r->has_lost_accounts ? "true" : "false", r->is_unknown ? "false" : "true");
    printf("%.*s\n", FMT(buf_str(&out)));
    buf_fini(&out);
}

static void print_text(const struct recovered *r)
{
    if (!r->aside[0]) {
        puts("an earlier recovery is finished");
        return;
    }
    printf("saved %" PRIu64 " events on %" PRIu64 " channels, and %" PRIu64 " idempotency keys\n",
           r->events, r->channels, r->keys);
    if (r->is_unknown)
        puts("the head of the log could not be read: every reader will be told of a gap");
    else if (!r->gapped)
        puts("no event is missing");
    else
        printf("lost %" PRIu64 " events or more: readers of %" PRIu64
               " channels that were not beyond position %" PRIu64 " will be told of a gap\n",
               r->lost_events, r->gapped, r->lost_upto);
    if (r->has_lost_channels)
        puts("names of channels are lost, and their events with them");
    if (r->has_lost_keys)
        puts("idempotency keys are lost: a publish that is repeated may be logged twice");
    if (r->has_lost_accounts)
        puts("rows about users are lost, or may be: belfry users shows what is left; tokens that "
             "were revoked "
             "may "
             "be good again");
    printf("the damaged file is kept: %s\n", r->aside);
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct recover *f = given;
    struct fault why = {0};
    struct offline file;
    struct recovered r;
    bool good = offline_begin(&file, o, operands ? operand[0] : NULL, &why) &&
                journal_recover(file.path, &r, &why);
    offline_end(&file);
    if (!good)
        return outcome_say(&why);
    if (f->json)
        print_json(&r);
    else
        print_text(&r);
    return outcome_of_stdout();
}

const struct command recover_command = {
    .name = "recover",
    .operands = "[FILE]",
    .brief = "makes a new journal of what can be read of a damaged one",
    .about =
        "For a hub that is stopped: copies what can be read of journal.db in the data folder, or\n"
        "of FILE, to a new journal that takes its place, and keeps the old one beside it. Where\n"
        "something is missing readers are told of a gap; where nothing is, they go on as if\n"
        "nothing had been. Says what was saved and what was lost. Needs as much room again.\n"
        "Exit code 0: done, also where something was lost; 65: nothing can be read; 75: a hub\n"
        "runs, stop it first.",
    .examples = "  systemctl stop belfryd && sudo -u belfry belfry recover\n",
    .most = 1,
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct recover),
    .run = run,
};
