/* belfry grant -- a right on a channel, for a user or for all. */
#include "cli/changes.h"
#include "cli/command.h"

struct grant {
    bool json;
};

static const struct flag flags[] = {
    {"json", FLAG_SWITCH, offsetof(struct grant, json), NULL, "the hub's answer as JSON"},
};

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct grant *f = given;
    const char *words[] = {"user", operand[0], "right", operand[1], "channel", operand[2], NULL};
    (void)operands;
    return changes_ask(o, f->json, "grant", words, NULL, 0);
}

const struct command grant_command = {
    .name = "grant",
    .operands = "USER RIGHT CHANNEL",
    .brief = "lets USER subscribe to, publish on or see who is on CHANNEL",
    .about =
        "Grants RIGHT (subscribe, publish, presence) on CHANNEL, a name or a pattern, to USER, or\n"
        "to every user where USER is `*`, beyond what tokens grant. It holds at once, in every\n"
        "worker, until it is revoked. USER need not have been added: it is the name in the token,\n"
        "whoever issued that. `belfry users` lists what was granted.",
    .examples = "  belfry grant alice subscribe 'room:*'\n  belfry grant '*' publish lobby\n",
    .least = 3,
    .most = 3,
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct grant),
    .run = run,
};
