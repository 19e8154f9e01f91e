#include "shelf.h"

#include <assert.h>
#include <stdlib.h>

enum { SMALLEST = 64 };

struct shelf {
    struct item **slots; /* a ring of `cap`, a power of two */
    size_t cap, first, len;
    size_t bytes;
    uint64_t max_events, max_bytes;
    Cursor evicted;
};

struct item *item_new(const struct event *e)
{
    struct item *i = must_alloc(sizeof *i);
    i->refs = 1;
    i->event = event_new(e);
    return i;
}

struct item *item_ref(struct item *i)
{
    assert(i->refs > 0);
    i->refs++;
    return i;
}

void item_unref(struct item *i)
{
    if (!i || --i->refs)
        return;
    for (int form = 0; form < FORM_COUNT; form++)
        chunk_unref(i->forms[form]);
    event_unref(i->event);
    free(i);
}

static size_t item_size(const struct item *i)
{
    size_t size = sizeof *i + event_size(i->event);
    for (int form = 0; form < FORM_COUNT; form++)
        if (i->forms[form])
            size += chunk_bytes(i->forms[form]).len;
    return size;
}

struct chunk *item_render(struct item *i, const struct sink_ops *ops)
{
    struct chunk **form = &i->forms[ops->form];
    if (*form)
        return *form;
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    ops->render(&b, i->event, false);
    *form = chunk_take(&b);
    if (i->shelf)
        i->shelf->bytes += chunk_bytes(*form).len;
    return *form;
}

struct shelf *shelf_new(uint64_t max_events, uint64_t max_bytes)
{
    struct shelf *s = must_alloc(sizeof *s);
    s->max_events = max_events;
    s->max_bytes = max_bytes;
    return s;
}

void shelf_free(struct shelf *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->len; i++)
        item_unref(shelf_get(s, i));
    free(s->slots);
    free(s);
}

size_t shelf_len(const struct shelf *s)
{
    return s->len;
}

struct item *shelf_get(const struct shelf *s, size_t i)
{
    assert(i < s->len);
    return s->slots[(s->first + i) & (s->cap - 1)];
}

static void grow(struct shelf *s)
{
    size_t cap = s->cap ? s->cap * 2 : SMALLEST;
    struct item **slots = must_alloc(cap * sizeof(struct item *));
    for (size_t i = 0; i < s->len; i++)
        slots[i] = shelf_get(s, i);
    free(s->slots);
    s->slots = slots;
    s->cap = cap;
    s->first = 0;
}

/* It may live on with those who still have to write it. */
static void let_go(struct shelf *s, struct item *i)
{
    s->bytes -= item_size(i);
    s->len--;
    i->shelf = NULL;
    item_unref(i);
}

void shelf_put(struct shelf *s, struct item *i)
{
    assert(!s->len || shelf_get(s, s->len - 1)->event->id.at < i->event->id.at);
    if (s->len == s->cap)
        grow(s);
    s->slots[(s->first + s->len++) & (s->cap - 1)] = item_ref(i);
    i->shelf = s;
    s->bytes += item_size(i);
    while (s->len > s->max_events || (s->bytes > s->max_bytes && s->len > 1)) {
        struct item *oldest = shelf_get(s, 0);
        s->evicted = oldest->event->id;
        s->first = (s->first + 1) & (s->cap - 1);
        let_go(s, oldest);
    }
}

size_t shelf_find(const struct shelf *s, Position above)
{
    size_t low = 0, high = s->len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (shelf_get(s, middle)->event->id.at > above)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

Cursor shelf_evicted(const struct shelf *s)
{
    return s->evicted;
}

void shelf_cut(struct shelf *s, Cursor fork)
{
    for (size_t keep = shelf_find(s, fork.at); s->len > keep;)
        let_go(s, shelf_get(s, s->len - 1));
    if (s->evicted.at > fork.at)
        s->evicted = fork;
}
