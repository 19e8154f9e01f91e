/* ring -- the most recent events of the log, packed once, in log order; bounded in number and
 * bytes. What it covers is everything above `after`. */
#ifndef BELFRY_RING_H
#define BELFRY_RING_H

#include "wire/event.h"

struct frame;

struct ring_entry {
    Position at;
    struct frame *body; /* a packed event */
};

struct ring {
    struct ring_entry *v;
    size_t first, n, cap, most;
    size_t bytes, most_bytes;
    Position after; /* everything above it is here */
};

/* Empty: covers what comes after `after`. */
void ring_init(struct ring *r, size_t most, size_t most_bytes, Position after);
void ring_fini(struct ring *r);
/* The body is an event at `at`, above all that are in; one reference is taken. */
void ring_add(struct ring *r, Position at, struct frame *body);
bool ring_covers(const struct ring *r, Position after);
/* The oldest above `after`, or NULL. */
const struct ring_entry *ring_next(const struct ring *r, Position after);

#endif
