#include "slice.h"

#include <stdlib.h>

enum { UNDER_WAY = 16 * 1024 * 1024 / SLICE_BYTES, LIST_MAX = 16 * 1024 * 1024 };

struct slices {
    struct link *link;
    struct list asked, queue;
    struct map by_body;
    size_t under_way;
    uint64_t count;
};

struct slice {
    struct slices *all;
    struct list node;
    struct list waiters;
    struct link_request *ask; /* NULL: queued, or answered */
    bool is_answered;
    struct buf body; /* FETCH without `ref`: equal ones are one */
};

struct slices *slices_new(struct link *link)
{
    struct slices *ss = must_alloc(sizeof *ss);
    ss->link = link;
    list_init(&ss->asked);
    list_init(&ss->queue);
    map_init(&ss->by_body);
    return ss;
}

static void slice_free(struct slice *s)
{
    map_del(&s->all->by_body, buf_str(&s->body));
    list_remove(&s->node);
    buf_fini(&s->body);
    free(s);
}

void slices_free(struct slices *ss)
{
    if (!ss)
        return;
    map_fini(&ss->by_body);
    free(ss);
}

uint64_t slices_asked(const struct slices *ss)
{
    return ss->count;
}

static void on_rows(void *owner, Str body, const struct fault *why);

static void ask(struct slice *s)
{
    struct slices *ss = s->all;
    struct buf body;
    buf_init(&body, LIST_MAX);
    buf_put(&body, buf_str(&s->body));
    list_remove(&s->node);
    list_append(&ss->asked, &s->node);
    ss->under_way++;
    ss->count++;
    s->ask = link_ask(ss->link, VERB_FETCH, &body, LINK_ALWAYS, on_rows, s);
}

static void ask_next(struct slices *ss)
{
    while (ss->under_way < UNDER_WAY && !list_is_empty(&ss->queue))
        ask(CONTAINER_OF(ss->queue.next, struct slice, node));
}

static void hand_out(struct slice *s, const struct slice_rows *rows)
{
    while (!list_is_empty(&s->waiters)) {
        struct slice_waiter *w = CONTAINER_OF(s->waiters.next, struct slice_waiter, node);
        list_remove(&w->node);
        w->slice = NULL;
        w->take(w, rows);
    }
}

/* A row that cannot be read makes the whole slice unreadable: nothing is ever left out silently. */
static bool read_rows(Str list, struct slice_rows *rows)
{
    size_t count = list_count(list);
    rows->items = must_alloc((count + 1) * sizeof(struct item *));
    for (Str item; list_next(&list, &item);) {
        struct event e;
        if (!event_unpack(item, &e))
            return false;
        rows->items[rows->len++] = item_new(&e);
    }
    return true;
}

static void on_rows(void *owner, Str body, const struct fault *why)
{
    struct slice *s = owner;
    struct slices *ss = s->all;
    struct msg_rows m;
    struct slice_rows rows = {0};
    s->ask = NULL;
    s->is_answered = true;
    ss->under_way--;
    map_del(&ss->by_body, buf_str(&s->body)); /* who wants it from now on wants a new one */
    bool is_good = !why && msg_rows_unpack(body, &m) && !m.code && read_rows(m.rows, &rows);
    if (is_good) {
        rows.next = m.next;
        rows.more = m.more;
        rows.reason = m.reason;
        rows.oldest = m.oldest;
        rows.missing = m.missing;
    }
    hand_out(s, is_good ? &rows : NULL);
    for (size_t i = 0; i < rows.len; i++)
        item_unref(rows.items[i]);
    free(rows.items);
    list_remove(&s->node);
    buf_fini(&s->body);
    free(s);
    ask_next(ss);
}

void slice_want(struct slices *ss, struct slice_waiter *w, Position after, Position upto,
                uint32_t limit, bool descending, Str channels)
{
    struct msg_fetch m = {
        .after = {0, after},
        .upto = upto,
        .limit = limit,
        .bytes = SLICE_BYTES,
        .descending = descending,
        .channels = channels,
    };
    struct buf body;
    buf_init(&body, LIST_MAX);
    msg_fetch_pack(&body, &m);
    struct slice *s = map_get(&ss->by_body, buf_str(&body));
    if (!s) {
        s = must_alloc(sizeof *s);
        s->all = ss;
        s->body = body;
        list_init(&s->waiters);
        list_append(&ss->queue, &s->node);
        map_put(&ss->by_body, buf_str(&s->body), s);
    } else {
        buf_fini(&body);
    }
    w->slice = s;
    list_append(&s->waiters, &w->node);
    ask_next(ss);
}

void slice_unwant(struct slice_waiter *w)
{
    struct slice *s = w->slice;
    if (!s)
        return;
    w->slice = NULL;
    list_remove(&w->node);
    if (!list_is_empty(&s->waiters) || s->is_answered)
        return;
    struct slices *ss = s->all;
    if (s->ask) {
        link_cancel(ss->link, s->ask);
        ss->under_way--;
    }
    slice_free(s);
    ask_next(ss);
}
