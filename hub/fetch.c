#include "fetch.h"

#include "begin.h"
#include "engine.h"

#include <stdlib.h>

enum { UNDER_WAY_MAX = 16 * 1024 * 1024, ROWS_MAX = 1000, ROWS_BYTES_MAX = 1024 * 1024 };

struct fetch {
    struct reading r; /* first */
    uint64_t link, ref;
    struct begin begin; /* its `after`, judged */
    struct list waiting;
    struct frame *body; /* the answer, once it waits */
};

static void on_done(struct hub *h, struct op *op);
static struct op_owner owner = {on_done};

static void fetch_free(struct fetch *f)
{
    frame_unref(f->body);
    begin_fini(&f->begin);
    free(f->r.channels);
    free(f);
}

/* It waits for no credit, but is counted: a worker gives back what it gets, whatever is in it. */
static void refuse(struct hub *h, struct peer *p, uint64_t ref, const struct fault *why)
{
    struct buf body;
    buf_init(&body, BODY_MAX);
    msg_rows_pack(&body, &(struct msg_rows){
                             .ref = ref, .code = (uint8_t)why->code, .detail = str_of(why->text)});
    struct frame *f = frame_take(&body);
    peer_send_on_credit(h, p, VERB_ROWS, f);
    frame_unref(f);
}

static uint32_t within(uint32_t n, uint32_t least, uint32_t most)
{
    return n < least ? least : n > most ? most : n;
}

/* The last position that may come: below `before`, where that is a place of this log. */
static Position upto_of(const struct hub *h, const struct msg_fetch *m)
{
    Position upto = m->upto && m->upto < h->through ? m->upto : h->through, fork;
    if (cursor_is_none(m->before))
        return upto;
    int reason = epochs_judge(&h->epochs, m->before, h->through, &fork);
    Position last = reason == GAP_UNKNOWN ? upto
                    : reason == GAP_RESET ? fork
                    : m->before.at > 0    ? m->before.at - 1
                                          : 0;
    return last < upto ? last : upto;
}

static struct fetch *fetch_new(struct hub *h, const struct peer *p, const struct msg_fetch *m)
{
    struct fetch *f = must_alloc(sizeof *f);
    f->link = p->link;
    f->ref = m->ref;
    f->r.op.kind = OP_READ;
    f->r.channels = m->channels.len ? must_copy(m->channels.p, m->channels.len) : NULL;
    f->r.channels_len = m->channels.len;
    f->begin = (struct begin){
        .start = START_CURSOR, .at = m->after, .names = str_make(f->r.channels, f->r.channels_len)};
    f->r.after = m->after.at;
    if (!cursor_is_none(m->after)) {
        begin_judge(h, &f->begin, h->through, NULL);
        f->r.after = f->begin.from.at;
    }
    f->r.upto = upto_of(h, m);
    f->r.since = m->since;
    f->r.now = h->now.wall;
    f->r.limit = within(m->limit, 1, ROWS_MAX);
    f->r.bytes = within(m->bytes ? m->bytes : SLICE_BYTES, 1, ROWS_BYTES_MAX);
    f->r.descending = m->descending;
    return f;
}

bool fetch_on_message(struct hub *h, struct peer *p, Str body)
{
    struct msg_fetch m;
    if (!msg_fetch_unpack(body, &m))
        return false;
    struct fault why = {0};
    if (p->asked_bytes >= UNDER_WAY_MAX)
        fail(&why, REFUSE_OVERLOAD, "slices under way: at most %d bytes", UNDER_WAY_MAX);
    else if (!m.channels.len)
        fail(&why, REFUSE_WRONG_FIELD, "channel: none is named");
    if (why.code || !names_are_valid(m.channels, "channel", &why) ||
        !hub_admits(h, RATE_HISTORY, m.user, &why)) {
        refuse(h, p, m.ref, &why);
        return true;
    }
    struct fetch *f = fetch_new(h, p, &m);
    p->asked_bytes += f->r.bytes;
    hub_count(h, COUNT_SLICES);
    hub_submit(h, &f->r.op, &owner);
    return true;
}

static void put_rows(const struct reading *r, struct buf *rows)
{
    for (size_t i = 0; i < r->n; i++) {
        struct buf item;
        buf_init(&item, BODY_MAX);
        event_pack(&item, r->events[i]);
        list_put(rows, buf_str(&item));
        buf_fini(&item);
    }
}

static struct frame *rows_of(struct hub *h, struct fetch *f)
{
    struct buf rows, body;
    buf_init(&rows, BODY_MAX);
    buf_init(&body, BODY_MAX);
    begin_take_missing(h, &f->begin, &f->r);
    put_rows(&f->r, &rows);
    msg_rows_pack(&body, &(struct msg_rows){
                             .ref = f->ref,
                             .code = (uint8_t)f->r.op.why.code,
                             .detail = str_of(f->r.op.why.text),
                             .rows = buf_str(&rows),
                             .next = hub_cursor(h, f->r.next),
                             .more = f->r.more,
                             .reason = (uint8_t)f->begin.reason,
                             .oldest = f->begin.oldest,
                             .missing = buf_str(&f->begin.missing),
                         });
    buf_fini(&rows);
    return frame_take(&body);
}

static void on_done(struct hub *h, struct op *op)
{
    struct fetch *f = (struct fetch *)(void *)op;
    struct peer *p = peer_by_link(h, f->link);
    if (p)
        f->body = rows_of(h, f);
    reading_fini(&f->r);
    if (!p) {
        fetch_free(f);
        return;
    }
    list_append(&p->waiting, &f->waiting);
    fetches_send(h, p);
}

void fetches_send(struct hub *h, struct peer *p)
{
    while (!list_is_empty(&p->waiting) && peer_has_credit(p) && !p->is_gone) {
        struct fetch *f = CONTAINER_OF(p->waiting.next, struct fetch, waiting);
        list_remove(&f->waiting);
        p->asked_bytes -= f->r.bytes;
        peer_send_on_credit(h, p, VERB_ROWS, f->body);
        fetch_free(f);
    }
}

void fetches_drop(struct peer *p)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &p->waiting)
    {
        list_remove(node);
        fetch_free(CONTAINER_OF(node, struct fetch, waiting));
    }
}
