/* journal_sqlite -- the log in an SQLite file: WAL, synchronous=FULL. One thread owns the only
 * connection that writes and checkpoints, another one reads. See sql/README.md. */
#ifndef BELFRY_JOURNAL_SQLITE_H
#define BELFRY_JOURNAL_SQLITE_H

#include "journal.h"

struct journal_sqlite_options {
    const char *path; /* of journal.db */
    Msec idempotency_age;
    uint64_t idempotency_keys;
};

/* Opens or makes the file, brings the schema up to date, counts what was not noted, opens a new
 * epoch in its first transaction, starts the threads. `on_channel` is told every channel before it
 * returns. The state is the caller's: journal_state_fini(). The lock on the folder is the caller's
 * too. NULL: `why` (DISK_FULL, CONFIG for a file of a newer version or that is not a journal,
 * DAMAGED, UNKNOWN_OUTCOME where the disk failed, INTERNAL). */
MUST_USE struct journal *
journal_sqlite_open(const struct journal_sqlite_options *options, struct journal_state *state,
                    void (*on_channel)(void *ctx, const struct journal_channel *c), void *ctx,
                    struct fault *why);
/* As its `close`. False: it was broken, or broke at the end; UNKNOWN_OUTCOME or INTERNAL, the disk
 * failed; DAMAGED. */
bool journal_sqlite_close(struct journal *j, struct fault *why);
void journal_state_fini(struct journal_state *state);

#endif
