#include "cli/held.h"

void held_init(struct held *h)
{
    *h = (struct held){.n = 0};
}

void held_fini(struct held *h)
{
    held_clear(h);
}

void held_clear(struct held *h)
{
    struct event *e;
    while ((e = held_take(h)))
        event_unref(e);
}

bool held_put(struct held *h, const struct event *e)
{
    size_t size = event_size(e);
    if (h->n == HELD_EVENTS || h->bytes + size > HELD_BYTES)
        return false;
    h->v[(h->first + h->n++) % HELD_EVENTS] = event_new(e);
    h->bytes += size;
    return true;
}

struct event *held_take(struct held *h)
{
    if (!h->n)
        return NULL;
    struct event *e = h->v[h->first];
    h->first = (h->first + 1) % HELD_EVENTS;
    h->n--;
    h->bytes -= event_size(e);
    return e;
}
