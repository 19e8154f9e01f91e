/* queue -- a journal for fuzz targets: does at once what it is handed, keeps the newest events, and
 * reads them back by channel. And what a hub above it is given: limits that a fuzzer reaches. */
#ifndef BELFRY_FUZZ_QUEUE_H
#define BELFRY_FUZZ_QUEUE_H

#include "base/options.h"
#include "journal.h"
#include "wire/message.h"
#include "wire/names.h"

#include <assert.h>
#include <stdlib.h>

enum { QUEUE_KEPT = 64 };

struct queue {
    struct journal j;
    struct op *first, **end;
    struct event *kept[QUEUE_KEPT];
    Position head;
};

static inline struct queue *queue_of(struct journal *j)
{
    return (struct queue *)(void *)j;
}

static inline void queue_submit(struct journal *j, struct op *op)
{
    struct queue *q = queue_of(j);
    op->next = NULL;
    *q->end = op;
    q->end = &op->next;
}

static inline void queue_flush(struct journal *j)
{
    (void)j;
}

static inline void queue_append(struct queue *q, struct append *a)
{
    for (size_t i = 0; i < a->send_count; i++) {
        struct append_send *s = &a->sends[i];
        s->epoch = s->n ? 1 : 0;
        s->at = s->n ? q->head + 1 : 0;
        for (size_t k = s->first; k < s->first + s->n; k++) {
            struct event **kept = &q->kept[++q->head % QUEUE_KEPT];
            a->events[k]->id = (Cursor){1, q->head};
            event_unref(*kept);
            *kept = event_new(a->events[k]);
        }
    }
}

static inline bool queue_has(Str channels, Str name)
{
    for (Str item; list_next(&channels, &item);)
        if (pattern_matches(item, name))
            return true;
    return false;
}

static inline void queue_read(struct queue *q, struct reading *r)
{
    Position upto = r->upto < q->head ? r->upto : q->head, at = r->after;
    size_t most = r->limit < QUEUE_KEPT ? r->limit : QUEUE_KEPT;
    if (at + QUEUE_KEPT < q->head)
        at = q->head - QUEUE_KEPT;
    r->events = must_alloc(QUEUE_KEPT * sizeof *r->events);
    while (at < upto && r->n < most) {
        const struct event *e = q->kept[++at % QUEUE_KEPT];
        if (queue_has(str_make(r->channels, r->channels_len), e->channel))
            r->events[r->n++] = event_new(e);
    }
    r->more = at < upto;
    r->next = at > r->upto ? r->upto : at;
}

static inline struct op *queue_take(struct journal *j)
{
    struct queue *q = queue_of(j);
    struct op *op = q->first;
    if (!op)
        return NULL;
    q->first = op->next;
    if (!q->first)
        q->end = &q->first;
    if (op->kind == OP_APPEND)
        queue_append(q, (struct append *)(void *)op);
    if (op->kind == OP_READ)
        queue_read(q, (struct reading *)(void *)op);
    if (op->kind == OP_BACKUP || op->kind == OP_CHECK)
        op->why = (struct fault){.code = 1, .text = "not here"};
    return op;
}

static inline void queue_init(struct queue *q)
{
    static const struct journal_ops ops = {queue_submit, queue_flush, queue_take, NULL, NULL, NULL};
    *q = (struct queue){.j = {&ops}};
    q->end = &q->first;
}

static inline void queue_fini(struct queue *q)
{
    for (size_t i = 0; i < QUEUE_KEPT; i++)
        event_unref(q->kept[i]);
}

static inline void hub_options(struct options *o)
{
    static char program[] = "belfryd", *argv[] = {program, NULL};
    struct fault why;
    bool ok = options_load(o, PROGRAM_HUB, 1, argv, &why);
    assert(ok);
    o->keep = 4;
    o->ring_events = 16;
    o->max_channels = 8;
    o->max_queue = 16;
}

#endif
