/* held -- live events that wait until the log has been replayed up to them. Bounded. */
#ifndef BELFRY_HELD_H
#define BELFRY_HELD_H

#include "wire/event.h"

#define HELD_EVENTS 4096
#define HELD_BYTES  (4 * 1024 * 1024)

struct held {
    struct event *v[HELD_EVENTS];
    size_t first, n, bytes;
};

void held_init(struct held *h);
void held_fini(struct held *h);
void held_clear(struct held *h);
/* A copy at the end; false: it is full. */
bool held_put(struct held *h, const struct event *e);
/* The oldest, which is the caller's then; NULL: none. */
struct event *held_take(struct held *h);

#endif
