#include "world.h"

#include "wire/bundle.h"
#include "wire/refusal.h"
#include "wire/socket.h"

#include <stdio.h>
#include <stdlib.h>

enum { TICK = 100, MESSAGES = 40, KEEPS_UP = 8, DRAIN = 1000 };

static bool carry(struct workside *k, const char *header, struct frame *body)
{
    if (cable_to_hub(&k->cable, header, body, k->world->mono))
        return true;
    frame_unref(body);
    return false;
}

/* Half of all bundles come as what is in them, so that there is more that can be lost alone. */
static bool send_to_hub(void *ctx, struct header header, struct buf *body)
{
    struct workside *k = ctx;
    char bytes[MESSAGE_HEADER];
    if (header.verb != VERB_BUNDLE || dice_luck(&k->cable.dice, 50)) {
        header_pack(bytes, header);
        return carry(k, bytes, frame_take(body));
    }
    bool ok = true;
    Str items = buf_str(body), head, inner;
    while (ok && bundle_next(&items, &head, &inner))
        ok = carry(k, head.p, frame_copy(inner));
    return ok;
}

unsigned world_sides(const struct world *w)
{
    return 2 * w->setup.workers;
}

struct workside *workside_other(struct workside *k)
{
    struct world *w = k->world;
    return &w->workers[(k->number + w->setup.workers) % world_sides(w)];
}

void workside_start(struct workside *k)
{
    struct world *w = k->world;
    const struct link_out out = {.send = send_to_hub, .ctx = k};
    k->link = link_new(&w->worker_options, str_of(k->name), out);
    k->roster = roster_new(&w->worker_options, k->link);
    link_attach(k->link, k->roster);
    link_set_wall(k->link, w->wall);
    k->is_draining = false;
    k->ticked = 0;
}

static void on_answer(void *owner, Str body, const struct fault *why)
{
    struct call *c = owner;
    list_remove(&c->node);
    c->ask = NULL;
    c->done(c, body, why);
}

void call_begin(struct workside *k, struct call *c, enum verb verb, struct buf *body,
                bool is_repeatable)
{
    c->worker = k;
    list_append(&k->calls, &c->node);
    c->ask = link_ask(k->link, verb, body, is_repeatable ? LINK_BRIEF : LINK_ONCE, on_answer, c);
}

/* Connections break: nobody will be answered. */
static void drop_calls(struct workside *k)
{
    struct fault why;
    fail(&why, REFUSE_UNKNOWN_OUTCOME, "the worker died");
    while (!list_is_empty(&k->calls)) {
        struct call *c = CONTAINER_OF(k->calls.next, struct call, node);
        list_remove(&c->node);
        c->done(c, STR_NONE, &why);
    }
}

/* The streams' sinks end with the roster: their pages see that. */
void workside_kill(struct workside *k, Msec down)
{
    struct world *w = k->world;
    if (k->takeover)
        replace_give_up(k->takeover);
    if (!k->link)
        return;
    world_note(
        w, (struct fact){.actor = STR("worker"), .what = FACT_CRASH, .reason = str_of(k->side)});
    struct link *link = k->link;
    k->link = NULL; /* no page comes back here meanwhile */
    cable_cut(&k->cable, false, true, w->mono, 0);
    roster_free(k->roster);
    k->roster = NULL;
    link_free(link);
    drop_calls(k);
    k->up_at = w->mono + down;
}

struct workside *workside_any(struct world *w, struct dice *d)
{
    unsigned first = (unsigned)dice_roll(d, world_sides(w));
    for (unsigned i = 0; i < world_sides(w); i++) {
        struct workside *k = &w->workers[(first + i) % world_sides(w)];
        if (k->link && k->is_meant && !k->is_draining && !replace_is_frozen(k))
            return k;
    }
    return NULL;
}

void workside_greet(struct workside *k)
{
    for (;;) {
        switch (cable_news(&k->cable, k->world->mono)) {
        case CABLE_NOTHING:
            return;
        case CABLE_CAME:
            link_on_connected(k->link, k->world->mono);
            break;
        case CABLE_WENT:
            link_on_disconnected(k->link, k->world->mono);
            break;
        }
    }
}

static void take_messages(struct workside *k, uint64_t most)
{
    struct world *w = k->world;
    struct packet p;
    for (; most && cable_at_worker(&k->cable, &p, w->mono); most--) {
        world_tell(w, "hub", k->side, p.header);
        link_on_message(k->link, str_make(p.header, sizeof p.header), frame_str(p.body), w->mono);
        frame_unref(p.body);
        w->steps++;
    }
}

static void flush(struct workside *k)
{
    Msec now = k->world->mono;
    Msec next = roster_next_flush(k->roster, now);
    if (next && next <= now)
        roster_flush(k->roster, now);
}

void workside_settle(struct workside *k)
{
    workside_greet(k);
    take_messages(k, SIZE_MAX);
    roster_flush(k->roster, k->world->mono);
    link_flush(k->link, k->world->mono);
}

static void tick(struct workside *k)
{
    struct world *w = k->world;
    if (w->mono < k->ticked + TICK)
        return;
    k->ticked = w->mono;
    link_tick(k->link, w->mono);
    roster_tick(k->roster, w->mono);
    if (!k->is_draining)
        return;
    Msec left = k->drain_until > w->mono ? k->drain_until - w->mono : 0;
    bool is_done = roster_drain(k->roster, w->mono, left);
    if (is_done && (list_is_empty(&k->calls) || w->mono > k->drain_until + DRAIN)) {
        link_goodbye(k->link);
        workside_kill(k, DRAIN);
    }
}

void workside_turn(struct workside *k)
{
    struct world *w = k->world;
    cable_turn(&k->cable, w->hub.hub != NULL, w->mono);
    if (!k->link && k->is_meant && w->mono >= k->up_at)
        workside_start(k);
    if (!k->link || w->mono < k->awake_at)
        return;
    link_set_wall(k->link, w->wall);
    if (k->takeover)
        replace_turn(k);
    if (replace_is_frozen(k))
        return;
    workside_greet(k);
    take_messages(k, dice_roll(&w->dice, MESSAGES) + k->cable.to_worker.n / KEEPS_UP);
    flush(k);
    tick(k);
    if (k->link)
        link_flush(k->link, w->mono);
    w->steps++;
}
