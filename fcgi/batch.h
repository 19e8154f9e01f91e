/* batch -- the events that leave in one write, as one chunk. The last one made is remembered, since
 * the next stream or audience often gets the same. */
#ifndef BELFRY_BATCH_H
#define BELFRY_BATCH_H

#include "shelf.h"

struct batch {
    struct item **items; /* borrowed: they live as long as the turn that gathers them */
    size_t len, cap;
    size_t bytes;       /* of their data */
    struct item **made; /* what `chunk` was made of, counted */
    size_t made_len, made_cap;
    const struct sink_ops *ops;
    struct chunk *chunk;
};

void batch_fini(struct batch *b);
void batch_clear(struct batch *b);
void batch_add(struct batch *b, struct item *i);
/* The position of the last that has one; 0: none has. */
Position batch_last(const struct batch *b);
/* With a reference for the caller; not remembered where it is without ids. */
struct chunk *batch_chunk(struct batch *b, const struct sink_ops *ops, bool without_id);
void batch_forget(struct batch *b); /* what was remembered */

#endif
