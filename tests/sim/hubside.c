#include "world.h"

#include "wire/bundle.h"
#include "wire/refusal.h"
#include "wire/socket.h"

#include <stdio.h>
#include <stdlib.h>

/* Of a long row it takes a part in each turn, so that it keeps up with all that can come. */
enum { TICK = 100, MESSAGES = 40, KEEPS_UP = 8, BATCH = 64, AGAIN_MOST = 1500 };

/* A routing id: which worker, which of its connections. */
struct route {
    unsigned worker, connection;
};

static Str id_of(const struct route *r)
{
    return str_make((const char *)r, sizeof *r);
}

static bool carry(struct world *w, const struct route *r, Str header, struct frame *body)
{
    struct cable *c = &w->workers[r->worker].cable;
    if (cable_to_worker(c, r->connection, header.p, body, w->mono))
        return true;
    frame_unref(body);
    return false;
}

/* Half of all bundles come as what is in them, so that there is more that can be lost alone. */
static bool send_to_worker(void *ctx, Str peer, Str header, struct frame *body)
{
    struct world *w = ctx;
    struct route r;
    struct header head;
    if (w->hub.is_muted || peer.len != sizeof r)
        return true;
    memcpy(&r, peer.p, sizeof r);
    struct cable *c = &w->workers[r.worker].cable;
    if (!header_unpack(header, &head) || head.verb != VERB_BUNDLE || dice_luck(&c->dice, 50))
        return carry(w, &r, header, frame_ref(body));
    bool ok = true;
    Str items = frame_str(body), inner;
    while (ok && bundle_next(&items, &header, &inner))
        ok = carry(w, &r, header, frame_copy(inner));
    return ok;
}

static void answer_tool(void *ctx, enum tool tool, Str peer, const Str *parts, size_t n)
{
    struct world *w = ctx;
    if (!w->hub.is_muted && tool == TOOL_PUBLISH)
        press_on_answer(w, peer, parts, n);
    else if (!w->hub.is_muted)
        law_on_answer(w, peer, parts[n - 1]);
}

static void on_committed(void *ctx, const struct event *e)
{
    struct world *w = ctx;
    if (w->hub.is_muted)
        return;
    w->hub.head = e->id;
}

/* Pages know as well as the hub that what they had above it is no more. */
static void move_pages(struct world *w, Cursor fork)
{
    for (unsigned i = 0; i < w->setup.pages; i++)
        for (unsigned k = 0; k < ROOM_NAMES; k++)
            if (w->pages[i].from[k].at > fork.at)
                w->pages[i].from[k] = fork;
}

/* Another log than the one that was there: what was seen above its head is undone. Of the same one
 * nothing may ever be undone. */
static void note_fork(struct world *w)
{
    struct hubside *h = &w->hub;
    const struct journal_state *s = &h->state;
    size_t i = s->epoch_count;
    while (i > 1 && s->epochs[i - 1].first > s->head)
        i--;
    Cursor head = {s->epochs[i - 1].name, s->head};
    if (h->is_replaced &&
        (h->head.at > head.at || (h->head.epoch && h->head.epoch != head.epoch))) {
        const struct epoch *now = &s->epochs[s->epoch_count - 1];
        Position first = now->first ? now->first : 1;
        world_note(w,
                   (struct fact){.actor = STR("hub"), .what = FACT_FORK, .id = {now->name, first}});
        move_pages(w, head);
    }
    if (h->is_replaced || h->head.at <= head.at)
        h->head = head;
    h->is_replaced = false;
}

/* When this epoch began: what is told late of an older one is not of the log as it is now. */
static void note_start(struct world *w)
{
    const struct journal_state *s = &w->hub.state;
    const struct epoch *now = &s->epochs[s->epoch_count - 1];
    world_note(w, (struct fact){.actor = STR("hub"),
                                .what = FACT_RESTART,
                                .reason = STR("hub"),
                                .id = {now->name, s->head}});
}

/* What was taken away from each channel since the last look, or came back with another log. */
static void note_pruned(struct world *w)
{
    struct hubside *h = &w->hub;
    for (unsigned i = 0; i < ROOM_CHANNELS; i++) {
        Position floor = memory_log_floor(h->log, str_of(room_names[i]));
        if (floor != h->floors[i])
            world_note(w, (struct fact){.actor = STR("hub"),
                                        .what = FACT_PRUNED,
                                        .channel = str_of(room_names[i]),
                                        .id = {0, floor}});
        h->floors[i] = floor;
    }
}

void hubside_start(struct world *w)
{
    struct hubside *h = &w->hub;
    h->is_muted = h->is_stopping = false;
    h->next_fate = MEMORY_COMMITS;
    h->ticked = 0;
    if (!h->log)
        h->log = memory_log_new();
    h->hub = hub_new(&w->hub_options,
                     (struct hub_out){w, send_to_worker, answer_tool, on_committed, NULL});
    struct memory_keys keys = {w->hub_options.idempotency_age, w->hub_options.idempotency_keys};
    h->journal = journal_memory_open(h->log, keys, &w->wall, &h->state, hub_on_channel, h->hub);
    note_fork(w);
    note_pruned(w);
    note_start(w);
    hub_start(h->hub, journal_memory_base(h->journal), &h->state, world_now(w));
}

/* What it has handed in comes back to it, but nobody hears what it makes of that. */
static void bury(struct world *w)
{
    struct hubside *h = &w->hub;
    h->is_muted = true;
    for (struct op *op; (op = journal_memory_abandon(h->journal));) {
        op->why.code = REFUSE_UNKNOWN_OUTCOME;
        hub_on_done(h->hub, op, world_now(w));
    }
    hub_free(h->hub);
    h->hub = NULL;
    journal_memory_free(h->journal);
    h->journal = NULL;
    free(h->state.epochs);
    free(h->state.accounts);
    h->state = (struct journal_state){0};
    for (unsigned i = 0; i < world_sides(w); i++)
        cable_cut(&w->workers[i].cable, true, false, w->mono, 0);
    press_on_hub_gone(w);
    law_on_hub_gone(w);
}

void hubside_kill(struct world *w, Msec down)
{
    if (!w->hub.hub)
        return;
    world_note(w, (struct fact){.actor = STR("hub"), .what = FACT_CRASH, .reason = STR("hub")});
    bury(w);
    w->hub.up_at = w->mono + down;
}

void hubside_stop(struct world *w)
{
    if (!w->hub.hub || w->hub.is_stopping)
        return;
    w->hub.is_stopping = true;
    hub_stop(w->hub.hub, world_now(w));
}

void hubside_fini(struct world *w)
{
    if (w->hub.hub)
        bury(w);
    memory_log_free(w->hub.log);
    memory_log_free(w->hub.copy);
}

void hubside_take_copy(struct world *w, bool as_backup)
{
    memory_log_free(w->hub.copy);
    w->hub.copy = memory_log_copy(w->hub.log, as_backup);
}

void hubside_put_back(struct world *w, bool is_lost)
{
    struct hubside *h = &w->hub;
    if (!is_lost && !h->copy)
        return;
    hubside_kill(w, 200);
    h->is_replaced = true;
    memory_log_free(h->log);
    if (is_lost) { /* what was copied of the one before is of no log that is remembered */
        memory_log_free(h->copy);
        h->copy = NULL;
    }
    h->log = is_lost ? memory_log_new() : memory_log_copy(h->copy, false);
}

void hubside_prune(struct world *w)
{
    Str question = STR("{\"do\":\"prune\"}");
    if (w->hub.hub && !w->hub.is_stopping)
        hub_on_admin(w->hub.hub, STR("admin"), &question, 1, world_now(w));
}

/* The journal's threads. */
static void work_on_disk(struct world *w)
{
    struct hubside *h = &w->hub;
    bool is_slow = w->mono < h->slow_until, is_slow_to_read = w->mono < h->slow_reads_until;
    if (dice_luck(&w->dice, is_slow ? 5 : 75)) {
        enum memory_fate fate = w->mono < h->full_until ? MEMORY_IS_FULL : h->next_fate;
        if (journal_memory_transact(h->journal, 1 + dice_roll(&w->dice, BATCH), fate)) {
            h->next_fate = MEMORY_COMMITS;
            note_pruned(w);
            w->steps++;
        }
    }
    while (dice_luck(&w->dice, is_slow_to_read ? 5 : 80) && journal_memory_read(h->journal))
        w->steps++;
    if (dice_luck(&w->dice, 75))
        journal_memory_answer(h->journal);
}

static void take_done(struct world *w)
{
    struct journal *j = journal_memory_base(w->hub.journal);
    for (struct op *op; (op = j->ops->take(j)); w->steps++)
        hub_on_done(w->hub.hub, op, world_now(w));
}

static void take_messages(struct world *w, struct workside *k)
{
    struct packet p;
    uint64_t n = dice_roll(&w->dice, MESSAGES) + k->cable.to_hub.n / KEEPS_UP;
    for (; n && cable_at_hub(&k->cable, &p, w->mono); n--) {
        struct route r = {k->number, p.connection};
        world_tell(w, k->side, "hub", p.header);
        hub_on_message(w->hub.hub, id_of(&r), str_make(p.header, sizeof p.header),
                       frame_str(p.body), world_now(w));
        frame_unref(p.body);
        w->steps++;
    }
}

/* What a service manager does: it comes again. */
static void end_if_done(struct world *w)
{
    struct hubside *h = &w->hub;
    struct journal *j = journal_memory_base(h->journal);
    if (j->ops->is_broken(j))
        hubside_kill(w, dice_roll(&w->dice, AGAIN_MOST));
    else if (h->is_stopping && hub_is_stopped(h->hub))
        hubside_kill(w, dice_roll(&w->dice, AGAIN_MOST));
}

void hubside_turn(struct world *w)
{
    struct hubside *h = &w->hub;
    if (!h->hub && w->mono >= h->up_at)
        hubside_start(w);
    if (!h->hub || w->mono < h->awake_at)
        return;
    work_on_disk(w);
    take_done(w);
    for (unsigned i = 0; i < world_sides(w); i++)
        take_messages(w, &w->workers[i]);
    if (w->mono >= h->ticked + TICK) {
        h->ticked = w->mono;
        hub_tick(h->hub, world_now(w));
    }
    for (int i = 0; i < 8 && hub_turn(h->hub, world_now(w)); i++)
        w->steps++;
    w->steps++;
    end_if_done(w);
}
