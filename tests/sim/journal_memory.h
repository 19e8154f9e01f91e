/* journal_memory -- the journal in memory: struct journal over a memory_log. Nothing happens by
 * itself: the simulator says when a transaction is done, when a read, and when the answers can be
 * taken; and how it ends. */
#ifndef BELFRY_SIM_JOURNAL_MEMORY_H
#define BELFRY_SIM_JOURNAL_MEMORY_H

#include "memory_log.h"

struct journal_memory;

/* The log stays the caller's and outlives it; so does `wall`, the clock it reads. */
struct journal_memory *
journal_memory_open(struct memory_log *m, struct memory_keys keys, const Msec *wall,
                    struct journal_state *state,
                    void (*on_channel)(void *ctx, const struct journal_channel *c), void *ctx);
struct journal *journal_memory_base(struct journal_memory *j);

enum memory_fate {
    MEMORY_COMMITS,
    MEMORY_IS_FULL,       /* rolled back */
    MEMORY_BREAKS_BEFORE, /* fsync failed: nothing of it reached the disk, but nobody knows */
    MEMORY_BREAKS_AFTER,  /* or all of it did */
};
/* One transaction over `most` of what was flushed. False: nothing waits. */
bool journal_memory_transact(struct journal_memory *j, size_t most, enum memory_fate fate);
/* One read on a snapshot of now. False: none waits. */
bool journal_memory_read(struct journal_memory *j);
/* What is done can be taken from here on. */
void journal_memory_answer(struct journal_memory *j);
/* Hands over, one by one, what it still has, done or not: the process died. NULL: no more. */
struct op *journal_memory_abandon(struct journal_memory *j);
void journal_memory_free(struct journal_memory *j); /* when it has nothing any more */

#endif
