#include "world.h"

#include "attending.h"
#include "base/hash.h"
#include "base/options_channel.h"
#include "tests/fault/check.h"
#include "verdict.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#define WALL UINT64_C(1700000000000)

enum { STRIDE = 40, SETTLE = 180 * 1000, QUIET = 60000, START = 100000, DOWN = 4000 };

const char *const room_names[ROOM_NAMES] = {"news", "room:1",   "room:2", "room:3",
                                            "chat", "user:ann", "room:*", "*"};

Now world_now(const struct world *w)
{
    return (Now){w->mono, w->wall};
}

/* Everything that is written down counts for whether a seed repeats itself. */
static void add_to_hash(struct world *w, Str s)
{
    w->hash = hash64(s, (HashKey){w->hash, s.len});
}

void world_note(struct world *w, struct fact f)
{
    f.ns = w->mono * 1000000 + w->instant++; /* in the order in which they are written */
    uint64_t numbers[] = {f.ns, f.what, f.op, f.id.at, f.id.epoch, f.late, f.resumed};
    add_to_hash(w, str_make((const char *)numbers, sizeof numbers));
    add_to_hash(w, f.channel);
    add_to_hash(w, f.body);
    add_to_hash(w, f.actor);
    history_add(w->history, &f);
}

void world_fail(struct world *w, const char *rule, const char *format, ...)
{
    char text[VERDICT_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    verdict_fail(w, rule, text);
}

void world_tell(const struct world *w, const char *from, const char *to, const char *header)
{
    struct header h;
    if (w->is_aloud && header_unpack(str_make(header, MESSAGE_HEADER), &h))
        fprintf(stderr, "%" PRIu64 "000000 %s to %s: %s %" PRIu64 "\n", w->mono, from, to,
                verb_name(h.verb), h.seq);
}

static void load(struct options *o, enum program program)
{
    char name[] = "simulate", flag[] = "--config", path[] = "/dev/null";
    char *argv[] = {name, flag, path, NULL};
    struct fault why;
    if (!options_load(o, program, 3, argv, &why))
        abort();
}

/* Whoever has no user says who it is. */
static void let_names_be_said(struct options *o)
{
    const struct config_entry entry = {
        .section = STR("channel *"), .name = STR("presence"), .value = STR("anonymous")};
    struct fault why;
    if (!options_take_channel(o, "simulate", &entry, &why))
        abort();
}

/* Some rooms are for those whom it was granted. */
static void close_rooms(struct options *o)
{
    static const char *const rights[] = {"subscribe", "presence"};
    struct fault why;
    for (unsigned i = 0; i < CLOSED_ROOMS * COUNT_OF(rights); i++) {
        char section[40];
        snprintf(section, sizeof section, "channel %s",
                 room_names[CLOSED_FIRST + i / COUNT_OF(rights)]);
        const struct config_entry entry = {.section = str_of(section),
                                           .name = str_of(rights[i % COUNT_OF(rights)]),
                                           .value = STR("granted")};
        if (!options_take_channel(o, "simulate", &entry, &why))
            abort();
    }
}

static void set_sizes(struct world *w)
{
    const struct setup *s = &w->setup;
    struct options *h = &w->hub_options, *k = &w->worker_options;
    load(h, PROGRAM_HUB);
    load(k, PROGRAM_WORKER);
    k->access = ACCESS_OPEN;
    let_names_be_said(h);
    if (s->has_rights)
        close_rooms(k);
    h->ring_events = s->hub_ring;
    h->keep = s->keep;
    h->age = s->age;
    h->max_channels = s->max_channels;
    h->max_queue = s->max_queue;
    h->idempotency_keys = s->keys;
    h->idempotency_age = s->key_age;
    h->client_keep = k->client_keep = s->client_keep;
    h->rate_connects = h->rate_publishes = h->rate_subscribes = 0; /* its time is short */
    h->max_streams_user = 0;
    k->ring_events = s->worker_ring;
    k->max_replay = s->max_replay;
    k->linger = s->linger;
    k->slow_timeout = s->slow_timeout;
    k->hub_wait = s->hub_wait;
    k->publish_timeout = s->publish_timeout;
}

struct world *world_new(const struct setup *s)
{
    struct world *w = must_alloc(sizeof *w);
    assert(s->workers > 0);
    w->setup = *s;
    w->mono = START;
    w->wall = WALL + START;
    w->dice = dice_of(s->seed ^ 0x776f726c64);
    w->history = history_new();
    dice_seed_programs(s->seed);
    set_sizes(w);
    list_init(&w->retries);
    for (int i = 0; i < TOOLS; i++)
        list_init(&w->tool_calls[i]);
    for (unsigned i = 0; i < world_sides(w); i++) {
        struct workside *k = &w->workers[i];
        k->world = w;
        k->number = i;
        k->is_meant = i < s->workers;
        snprintf(k->name, sizeof k->name, "w%u", i % s->workers + 1);
        snprintf(k->side, sizeof k->side, "%s%s", k->name, i < s->workers ? "" : "'");
        list_init(&k->calls);
        cable_init(&k->cable, s->seed * 10 + i);
    }
    for (unsigned i = 0; i < PAGES_MAX; i++) {
        w->pages[i].world = w;
        w->pages[i].number = i;
    }
    if (s->has_rights)
        law_begin(w);
    return w;
}

void world_free(struct world *w)
{
    for (unsigned i = 0; i < world_sides(w); i++)
        if (w->workers[i].takeover)
            replace_give_up(w->workers[i].takeover);
    for (unsigned i = 0; i < PAGES_MAX; i++)
        page_fini(&w->pages[i]);
    for (unsigned i = 0; i < world_sides(w); i++) {
        workside_kill(&w->workers[i], HOUR);
        cable_clear(&w->workers[i].cable);
    }
    hubside_fini(w);
    for (unsigned i = 0; i < world_sides(w); i++)
        cable_clear(&w->workers[i].cable);
    press_fini(w);
    history_free(w->history);
    free(w->begun);
    options_fini(&w->hub_options);
    options_fini(&w->worker_options);
    free(w);
}

void world_round(struct world *w)
{
    Msec stride = dice_roll(&w->dice, STRIDE + 1);
    w->mono += stride;
    w->instant = stride ? 0 : w->instant;
    w->wall += stride;
    unsigned sides = world_sides(w), first = (unsigned)dice_roll(&w->dice, sides + 1);
    for (unsigned i = 0; i <= sides; i++) {
        unsigned who = (first + i) % (sides + 1);
        if (who == sides)
            hubside_turn(w);
        else
            workside_turn(&w->workers[who]);
    }
    for (unsigned i = 0; i < w->setup.pages; i++)
        page_turn(&w->pages[i]);
    press_turn(w);
    law_turn(w);
}

static Msec some_time(struct dice *d, Msec most)
{
    return dice_luck(d, 80) ? dice_roll(d, most / 8 + 1) : dice_roll(d, most + 1);
}

static void act_on_page(struct world *w, enum deed_kind kind, struct dice *d)
{
    struct browser *p = &w->pages[dice_roll(d, w->setup.pages)];
    unsigned names = 1u << dice_roll(d, ROOM_NAMES);
    if (dice_luck(d, 30))
        names |= 1u << dice_roll(d, ROOM_NAMES);
    if (kind == ACT_OPEN_PAGE)
        page_open(p);
    else if (!p->is_made)
        return;
    else if (kind == ACT_SUBSCRIBE || kind == ACT_UNSUBSCRIBE)
        page_want(p, names, kind == ACT_SUBSCRIBE);
    else if (kind == ACT_CUT_PAGE)
        page_cut(p, dice_roll(d, 1000));
    else if (kind == ACT_LEAVE_PAGE)
        page_cut(p, some_time(d, 20000));
    else
        p->full_until = w->mono + some_time(d, 10000);
}

static void act_on_worker(struct world *w, enum deed_kind kind, struct dice *d)
{
    struct workside *k = &w->workers[dice_roll(d, w->setup.workers)];
    if (k->is_meant == dice_luck(d, 20)) /* a successor, or one who is succeeded, at times */
        k = workside_other(k);
    if (kind == ACT_CUT_CABLE && k->cable.is_there)
        cable_cut(&k->cable, false, false, w->mono, some_time(d, DOWN));
    else if (kind == ACT_SLOW_CABLE)
        k->cable.slow_until = w->mono + some_time(d, 5000);
    else if (kind == ACT_PAUSE_WORKER)
        k->awake_at = w->mono + some_time(d, 6000);
    else if (kind == ACT_KILL_WORKER)
        workside_kill(k, some_time(d, DOWN));
    else if (kind == ACT_HARM_CABLE)
        k->cable.harm = (enum harm)(1 + dice_roll(d, 3));
    else if (kind == ACT_REPLACE_WORKER)
        replace_begin(k, d);
    else if (kind == ACT_DRAIN_WORKER && k->link && k->is_meant && !k->is_draining) {
        if (k->takeover)
            replace_give_up(k->takeover);
        k->is_draining = true;
        k->drain_until = w->mono + dice_roll(d, 2000);
    }
}

static void act_on_hub(struct world *w, enum deed_kind kind, struct dice *d)
{
    struct hubside *h = &w->hub;
    if (kind == ACT_PAUSE_HUB)
        h->awake_at = w->mono + some_time(d, 6000);
    else if (kind == ACT_KILL_HUB)
        hubside_kill(w, some_time(d, DOWN));
    else if (kind == ACT_STOP_HUB)
        hubside_stop(w);
    else if (kind == ACT_FILL_DISK)
        h->full_until = w->mono + some_time(d, 5000);
    else if (kind == ACT_BREAK_DISK)
        h->next_fate = dice_luck(d, 50) ? MEMORY_BREAKS_BEFORE : MEMORY_BREAKS_AFTER;
    else if (kind == ACT_SLOW_DISK)
        h->slow_until = w->mono + some_time(d, 3000);
    else if (kind == ACT_SLOW_READS)
        h->slow_reads_until = w->mono + some_time(d, 5000);
    else if (kind == ACT_PRUNE)
        hubside_prune(w);
    else if (kind == ACT_COPY_LOG && h->log)
        hubside_take_copy(w, dice_luck(d, 50));
    else if (kind == ACT_RESTORE_LOG || kind == ACT_LOSE_LOG)
        hubside_put_back(w, kind == ACT_LOSE_LOG);
    else if (kind == ACT_CHANGE_RIGHTS)
        law_act(w, d);
}

void world_act(struct world *w, const struct deed *a)
{
    struct dice d = dice_of(a->chance);
    w->steps++;
    if (a->kind == ACT_PUBLISH || a->kind == ACT_TOOL_PUBLISH)
        press_publish(w, a->chance, a->kind == ACT_TOOL_PUBLISH);
    else if (a->kind <= ACT_UNSUBSCRIBE || a->kind == ACT_CUT_PAGE || a->kind == ACT_LEAVE_PAGE ||
             a->kind == ACT_STALL_PAGE)
        act_on_page(w, a->kind, &d);
    else if (a->kind == ACT_HARM_CABLE ||
             (a->kind >= ACT_CUT_CABLE && a->kind <= ACT_REPLACE_WORKER &&
              a->kind != ACT_PAUSE_HUB))
        act_on_worker(w, a->kind, &d);
    else
        act_on_hub(w, a->kind, &d);
}

/* Every fault ends, and whoever went comes back. */
static void calm_down(struct world *w)
{
    struct hubside *h = &w->hub;
    h->awake_at = h->full_until = h->slow_until = h->slow_reads_until = 0;
    h->next_fate = MEMORY_COMMITS;
    w->is_calm = true;
    for (unsigned i = 0; i < world_sides(w); i++) {
        w->workers[i].awake_at = 0;
        w->workers[i].cable.slow_until = 0;
        w->workers[i].cable.harm = HARM_NONE;
    }
    for (unsigned i = 0; i < w->setup.pages; i++)
        w->pages[i].full_until = 0;
}

static bool is_any_replaced(const struct world *w)
{
    for (unsigned i = 0; i < world_sides(w); i++)
        if (w->workers[i].takeover || (w->workers[i].link && !w->workers[i].is_meant))
            return true;
    return false;
}

static const struct browser *who_waits(const struct world *w)
{
    for (unsigned i = 0; i < w->setup.pages; i++)
        if (!page_is_done(&w->pages[i]))
            return &w->pages[i];
    return NULL;
}

static uint64_t how_far(const struct world *w)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < w->setup.pages; i++)
        sum += w->pages[i].last.at;
    return sum;
}

/* Who has tens of thousands of events to poll has time as long as more come. */
static void wait_for_all(struct world *w)
{
    Msec until = w->mono + SETTLE;
    uint64_t far = how_far(w);
    while (w->mono < until && (who_waits(w) || !press_is_done(w) || !law_is_done(w) ||
                               !w->hub.hub || is_any_replaced(w))) {
        law_settle(w);
        world_round(w);
        if (how_far(w) > far) {
            far = how_far(w);
            until = w->mono + SETTLE;
        }
    }
    const struct browser *p = who_waits(w);
    if (p)
        world_fail(w, "alive again",
                   "%s is at %" PRIu64 ", the log at %" PRIu64
                   "; wants %x has %x asks %x, state %d open %d full %d",
                   p->actor, p->last.at, w->hub.head.at, p->wants, p->has, p->asking, p->state,
                   p->is_open, p->is_full);
    if (!press_is_done(w))
        world_fail(w, "alive again", "a publish is never answered");
    if (!law_is_done(w))
        world_fail(w, "alive again", "a change of rights is never answered");
}

static const char *who_rests_not(struct world *w, const char **who)
{
    *who = "hub";
    const char *wrong = w->hub.hub ? peek_hub(w->hub.hub) : "it does not run";
    for (unsigned i = 0; !wrong && i < world_sides(w); i++) {
        *who = w->workers[i].name;
        if (w->workers[i].is_meant)
            wrong = w->workers[i].link ? peek_roster(w->workers[i].roster) : "it does not run";
    }
    if (!wrong && (*who = law_who_errs(w)))
        wrong = "takes something else for granted";
    return wrong;
}

/* Sooner or later there is a moment when nothing is under way. */
static void look_inside(struct world *w)
{
    Msec until = w->mono + QUIET;
    const char *wrong, *who;
    while ((wrong = who_rests_not(w, &who)) && w->mono < until)
        world_round(w);
    if (wrong)
        world_fail(w, "at rest", "%s: %s", who, wrong);
}

void world_settle(struct world *w)
{
    calm_down(w);
    wait_for_all(w);
    press_publish_each(w);
    wait_for_all(w);
    look_inside(w);
    attending_settle(w);
    wait_for_all(w);
    for (unsigned i = 0; i < w->setup.pages; i++)
        page_drain(&w->pages[i]);
}

void world_judge(struct world *w)
{
    struct report r;
    const struct check_options o = {.key_keeps = world_key_trust(w) * 1000000};
    history_sort(w->history);
    if (!check_run(w->history, &o, &r))
        verdict_judged(w, &r);
}
