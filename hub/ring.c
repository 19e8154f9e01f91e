#include "ring.h"

#include "wire/socket.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST_ROOM = 1024 };

void ring_init(struct ring *r, size_t most, size_t most_bytes, Position after)
{
    assert(most > 0);
    *r = (struct ring){.most = most, .most_bytes = most_bytes, .after = after};
}

static struct ring_entry *entry(const struct ring *r, size_t i)
{
    return &r->v[(r->first + i) % r->cap];
}

static void drop_oldest(struct ring *r)
{
    struct ring_entry *e = entry(r, 0);
    r->after = e->at;
    r->bytes -= frame_str(e->body).len;
    frame_unref(e->body);
    r->first = (r->first + 1) % r->cap;
    r->n--;
}

void ring_fini(struct ring *r)
{
    while (r->n > 0)
        drop_oldest(r);
    free(r->v);
    r->v = NULL;
}

static void grow(struct ring *r)
{
    size_t cap = r->cap ? r->cap * 2 : FIRST_ROOM;
    if (cap > r->most)
        cap = r->most;
    struct ring_entry *v = must_alloc(cap * sizeof *v);
    for (size_t i = 0; i < r->n; i++)
        v[i] = *entry(r, i);
    free(r->v);
    r->v = v;
    r->cap = cap;
    r->first = 0;
}

void ring_add(struct ring *r, Position at, struct frame *body)
{
    assert(at > r->after && (r->n == 0 || at > entry(r, r->n - 1)->at));
    size_t size = frame_str(body).len;
    while (r->n > 0 && (r->n == r->most || r->bytes + size > r->most_bytes))
        drop_oldest(r);
    if (r->n == r->cap)
        grow(r);
    r->n++;
    *entry(r, r->n - 1) = (struct ring_entry){at, frame_ref(body)};
    r->bytes += size;
}

bool ring_covers(const struct ring *r, Position after)
{
    return after >= r->after;
}

const struct ring_entry *ring_next(const struct ring *r, Position after)
{
    size_t low = 0, high = r->n; /* the first above `after` lies in [low, high] */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entry(r, middle)->at > after)
            high = middle;
        else
            low = middle + 1;
    }
    return low < r->n ? entry(r, low) : NULL;
}
