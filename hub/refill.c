#include "refill.h"

#include "engine.h"
#include "fanout.h"

#include <assert.h>
#include <stdlib.h>

enum {
    STEPS = 2048, /* entries of the ring that one link walks in a turn */
    NAMES = 1024, /* for each so many a slice is one share longer */
    SHARES = 16,
    LOSS_MAX = CHANNEL_MAX + 32, /* bytes of one name and its floor in lists */
};

struct refill {
    struct reading r; /* first */
    uint64_t link;
};

static void on_done(struct hub *h, struct op *op);
static struct op_owner owner = {on_done};

/* It has everything: from now on live. The beat tells `through` before the first live event, whose
 * `prev` may be one that had expired and was left out. */
static void catch_up(struct hub *h, struct peer *p)
{
    peer_make_live(p);
    peer_send_beat(h, p);
}

/* True: it stopped for its share of the turn alone. */
static bool walk_ring(struct hub *h, struct peer *p)
{
    for (int i = 0; i < STEPS && !p->is_gone; i++) {
        const struct ring_entry *e = ring_next(&h->ring, p->through);
        if (!e) {
            catch_up(h, p);
            return false;
        }
        struct event event;
        bool packed = event_unpack(frame_str(e->body), &event);
        assert(packed);
        if (peer_wants(h, p, event.channel)) {
            if (!peer_has_credit(p))
                return false;
            hub_count(h, COUNT_SENT);
            peer_send_on_credit(h, p, VERB_EVENT, e->body);
        }
        p->through = e->at;
    }
    return !p->is_gone;
}

static void read_log(struct hub *h, struct peer *p)
{
    struct refill *f = must_alloc(sizeof *f);
    struct buf names;
    buf_init(&names, BODY_MAX);
    const struct sub *s;
    for (size_t at = 0; (s = map_next(&p->subs, &at));)
        list_put(&names, s->topic->name);
    f->link = p->link;
    /* To find out what a list of names stands for costs the same for few rows and for many. */
    uint32_t share = p->subs.len < SHARES * NAMES ? (uint32_t)(p->subs.len / NAMES) + 1 : SHARES;
    f->r.op.kind = OP_READ;
    f->r.channels = buf_take(&names, &f->r.channels_len);
    f->r.after = p->through;
    f->r.upto = h->through;
    f->r.now = h->now.wall;
    f->r.limit = SLICE_ROWS * share;
    f->r.bytes = SLICE_BYTES * share;
    p->is_reading = true;
    p->is_stale = false;
    hub_submit(h, &f->r.op, &owner);
}

struct losses {
    struct buf names, floors;
    Position oldest;
};

static void add_loss(struct losses *l, Str name, Position floor)
{
    struct buf digits;
    buf_init(&digits, 32);
    buf_put_u64(&digits, floor);
    list_put(&l->names, name);
    list_put(&l->floors, buf_str(&digits));
    l->oldest = floor > l->oldest ? floor : l->oldest;
    buf_fini(&digits);
}

static void send_gap(struct hub *h, struct peer *p, struct losses *l)
{
    struct buf body;
    buf_init(&body, BODY_MAX);
    msg_gap_pack(&body, &(struct msg_gap){.reason = GAP_PRUNED,
                                          .oldest = hub_cursor(h, l->oldest),
                                          .channels = buf_str(&l->names),
                                          .floors = buf_str(&l->floors)});
    peer_send(h, p, VERB_GAP, &body);
    buf_clear(&l->names);
    buf_clear(&l->floors);
    l->oldest = 0;
}

/* Names what was pruned before it could be sent, in pieces; each floor once. */
static void say_gap(struct hub *h, struct peer *p, const struct reading *r)
{
    struct losses l = {.oldest = 0};
    buf_init(&l.names, BODY_MAX);
    buf_init(&l.floors, BODY_MAX);
    for (size_t i = 0; i < r->missing_count; i++) {
        const struct missing *m = &r->missing[i];
        struct sub *s = map_get(&p->subs, str_of(m->channel));
        if (!s || s->said >= m->floor)
            continue;
        s->said = m->floor;
        if (l.names.len + l.floors.len + LOSS_MAX > LIST_PIECE)
            send_gap(h, p, &l);
        add_loss(&l, s->topic->name, m->floor);
    }
    if (l.names.len)
        send_gap(h, p, &l);
    buf_fini(&l.names);
    buf_fini(&l.floors);
}

static void send_rows(struct hub *h, struct peer *p, const struct reading *r)
{
    for (size_t i = 0; i < r->n; i++) {
        if (!peer_has_credit(p))
            return; /* what comes after `through` is read again */
        struct frame *body = frame_of_event(h, r->events[i]);
        hub_count(h, COUNT_SENT);
        peer_send_on_credit(h, p, VERB_EVENT, body);
        frame_unref(body);
        p->through = r->events[i]->id.at;
    }
    p->through = r->next > p->through ? r->next : p->through;
}

static void on_done(struct hub *h, struct op *op)
{
    struct refill *f = (struct refill *)(void *)op;
    struct peer *p = peer_by_link(h, f->link);
    if (p) {
        p->is_reading = false;
        if (!p->is_stale && !op->why.code) {
            say_gap(h, p, &f->r);
            send_rows(h, p, &f->r);
            peer_send_beat(h, p); /* what was left out is not missing */
        }
        if (op->why.code)
            p->retry = h->now.mono + BEAT_MS;
    }
    reading_fini(&f->r);
    free(f->r.channels);
    free(f);
}

/* True: more at once. */
static bool refill(struct hub *h, struct peer *p)
{
    if (p->is_reading || p->is_gone || !p->is_welcome)
        return false;
    if (p->subs.len == 0 || p->through >= h->through) {
        catch_up(h, p);
        return false;
    }
    if (ring_covers(&h->ring, p->through))
        return walk_ring(h, p);
    if (peer_has_credit(p) && h->now.mono >= p->retry)
        read_log(h, p);
    return false;
}

bool refill_all(struct hub *h)
{
    bool more = false;
    struct list *node, *safe;
    LIST_EACH(node, safe, &h->peers.lagging)
    {
        more |= refill(h, CONTAINER_OF(node, struct peer, lagging));
    }
    return more;
}
