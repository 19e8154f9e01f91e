/* memory_log -- what lies on the simulated disk: the tables of sql/schema.sql, without SQLite. It
 * outlives the hub's crashes; a copy of it is a backup, and can be put back. Every call is one that
 * was committed. */
#ifndef BELFRY_SIM_MEMORY_LOG_H
#define BELFRY_SIM_MEMORY_LOG_H

#include "journal.h"

struct memory_log;

struct memory_log *memory_log_new(void);
void memory_log_free(struct memory_log *m);
/* `as_backup`: made by the hub itself, which says so in it. */
struct memory_log *memory_log_copy(const struct memory_log *m, bool as_backup);

/* A start of the hub: opens an epoch and tells what is there. `state` as journal_sqlite_open. */
void memory_log_start(struct memory_log *m, Msec wall, struct journal_state *state,
                      void (*on_channel)(void *ctx, const struct journal_channel *c), void *ctx);

struct memory_keys {
    Msec age;
    uint64_t limit;
};
/* A transaction begins. */
void memory_log_begin(struct memory_log *m, Msec wall);
void memory_log_append(struct memory_log *m, struct append *a, struct memory_keys keys);
void memory_log_prune(struct memory_log *m, struct prune *p);
void memory_log_forget(struct memory_log *m, struct forget *f);
void memory_log_account(struct memory_log *m, const struct account_op *o);
/* It ends: keys that are too old make room. */
void memory_log_end(struct memory_log *m, struct memory_keys keys);

void memory_log_read(const struct memory_log *m, struct reading *r);
void memory_log_find(const struct memory_log *m, struct finding *f);

/* Walks all events in the order of channels, for the checks at the end. NULL: no more. */
const struct event *memory_log_each(const struct memory_log *m, size_t *channel, size_t *at);
Position memory_log_head(const struct memory_log *m);
/* The highest position that was ever taken away of such a channel. */
Position memory_log_floor(const struct memory_log *m, Str channel);

#endif
