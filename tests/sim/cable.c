#include "cable.h"

#include "wire/socket.h"

#include <stdlib.h>

enum { RETRY = 100, MONITOR = 20, SLOW = 400 };

void cable_init(struct cable *c, uint64_t seed)
{
    *c = (struct cable){.dice = dice_of(seed)};
}

static struct packet *packet_at(const struct lane_of_packets *l, size_t i)
{
    return &l->v[(l->first + i) & (l->cap - 1)];
}

static void put(struct lane_of_packets *l, struct packet p)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 16;
        struct packet *v = must_alloc(cap * sizeof *v);
        for (size_t i = 0; i < l->n; i++)
            v[i] = *packet_at(l, i);
        free(l->v);
        *l = (struct lane_of_packets){v, 0, l->n, cap};
    }
    *packet_at(l, l->n++) = p;
}

static struct packet take(struct lane_of_packets *l)
{
    struct packet p = *packet_at(l, 0);
    l->first = (l->first + 1) & (l->cap - 1);
    l->n--;
    return p;
}

/* Keeps [from, to). */
static void keep(struct lane_of_packets *l, size_t from, size_t to)
{
    size_t n = l->n;
    for (size_t i = 0; i < n; i++) {
        struct packet p = take(l);
        if (i >= from && i < to)
            put(l, p);
        else
            frame_unref(p.body);
    }
}

void cable_clear(struct cable *c)
{
    keep(&c->to_hub, 0, 0);
    keep(&c->to_worker, 0, 0);
    free(c->to_hub.v);
    free(c->to_worker.v);
    c->to_hub = c->to_worker = (struct lane_of_packets){0};
}

static void send_what_waits(struct cable *c, Msec now)
{
    for (size_t i = 0; i < c->to_hub.n; i++) {
        struct packet *p = packet_at(&c->to_hub, i);
        if (p->connection)
            continue;
        p->connection = c->connection;
        p->ready = now;
    }
}

void cable_turn(struct cable *c, bool hub_listens, Msec now)
{
    if (c->is_there || now < c->come_at)
        return;
    if (!hub_listens) {
        c->come_at = now + dice_roll(&c->dice, RETRY);
        return;
    }
    c->is_there = true;
    c->connection++;
    c->come_at = now + dice_roll(&c->dice, MONITOR);
    send_what_waits(c, now);
}

/* Of what goes to the hub a part was received, a part is on its way, a part was not sent. What is
 * left of connections before this one was received. */
static void cut_to_hub(struct cable *c, bool hub_died, bool worker_died)
{
    struct lane_of_packets *l = &c->to_hub;
    size_t received = dice_roll(&c->dice, l->n + 1);
    size_t unsent = received + dice_roll(&c->dice, l->n - received + 1);
    size_t n = l->n;
    for (size_t i = 0; i < n; i++) {
        struct packet p = take(l);
        bool is_older = p.connection && !(c->is_there && p.connection == c->connection);
        bool was_sent = is_older || (p.connection && i < unsent);
        bool was_received = is_older || (p.connection && i < received);
        bool is_kept = was_sent ? was_received && !hub_died : !worker_died;
        if (!was_sent)
            p.connection = 0;
        if (is_kept)
            put(l, p);
        else
            frame_unref(p.body);
    }
}

void cable_cut(struct cable *c, bool hub_died, bool worker_died, Msec now, Msec down)
{
    c->owes_going = c->is_there && !worker_died;
    c->going_at = now + dice_roll(&c->dice, MONITOR);
    cut_to_hub(c, hub_died, worker_died);
    c->is_there = false;
    c->come_at = now + down + dice_roll(&c->dice, RETRY);
    keep(&c->to_worker, 0, worker_died ? 0 : dice_roll(&c->dice, c->to_worker.n + 1));
    if (worker_died)
        c->is_known = false;
}

enum cable_news cable_news(struct cable *c, Msec now)
{
    if (c->owes_going && now >= c->going_at) {
        c->owes_going = false;
        c->is_known = false;
        return CABLE_WENT;
    }
    if (c->is_there && !c->owes_going && !c->is_known && now >= c->come_at) {
        c->is_known = true;
        return CABLE_CAME;
    }
    return CABLE_NOTHING;
}

static Msec arrival(struct cable *c, Msec now)
{
    return now < c->slow_until ? now + dice_roll(&c->dice, SLOW) : now + dice_roll(&c->dice, 3);
}

bool cable_to_hub(struct cable *c, const char header[MESSAGE_HEADER], struct frame *body, Msec now)
{
    if (!c->is_known)
        return false;
    struct packet p = {.body = body, .ready = arrival(c, now)};
    p.connection = c->is_there ? c->connection : 0;
    memcpy(p.header, header, sizeof p.header);
    put(&c->to_hub, p);
    return true;
}

static void harm(struct cable *c, struct packet p)
{
    struct lane_of_packets *l = &c->to_worker;
    switch (c->harm) {
    case HARM_LOSES:
        frame_unref(p.body);
        break;
    case HARM_DOUBLES:
        put(l, p);
        frame_ref(p.body);
        put(l, p);
        break;
    case HARM_SWAPS:
        put(l, p);
        if (l->n > 1) {
            struct packet before = *packet_at(l, l->n - 2);
            *packet_at(l, l->n - 2) = p;
            *packet_at(l, l->n - 1) = before;
        }
        break;
    case HARM_NONE:
        put(l, p);
        break;
    }
    c->harm = HARM_NONE;
}

bool cable_to_worker(struct cable *c, unsigned connection, const char *header, struct frame *body,
                     Msec now)
{
    if (!c->is_there || connection != c->connection)
        return false;
    struct packet p = {.body = body, .ready = arrival(c, now), .connection = connection};
    memcpy(p.header, header, sizeof p.header);
    harm(c, p);
    return true;
}

static bool take_ready(struct lane_of_packets *l, struct packet *out, Msec now)
{
    if (!l->n || packet_at(l, 0)->ready > now || !packet_at(l, 0)->connection)
        return false;
    *out = take(l);
    return true;
}

bool cable_at_hub(struct cable *c, struct packet *out, Msec now)
{
    return take_ready(&c->to_hub, out, now);
}

bool cable_at_worker(struct cable *c, struct packet *out, Msec now)
{
    return take_ready(&c->to_worker, out, now);
}
