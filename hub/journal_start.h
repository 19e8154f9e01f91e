/* journal_start -- the first transaction of a start of the hub: what the file says of itself is
 * read and doubted (meta, epochs, channels, the newest events), what was not noted is counted, a
 * new epoch is opened. Where it finds damage nothing is written.
 *
 * On a full disk the start holds in memory alone: readers are served, and the first transaction
 * that finds room writes the start down before anything else. */
#ifndef BELFRY_JOURNAL_START_H
#define BELFRY_JOURNAL_START_H

#include "journal_lineage.h"
#include "journal_schema.h"

struct start {
    struct db *db;
    void (*on_channel)(void *ctx, const struct journal_channel *c);
    void *ctx;
    /* answers */
    struct ledger *ledger;
    struct lineage *lineage;
    uint64_t bytes;      /* of all channels */
    struct buf accounts; /* as in journal_state; the caller's */
    bool is_written;     /* false: the disk is full; start_write() later */
};

/* DAMAGED, DISK_FULL where not even reading can begin, UNKNOWN_OUTCOME where the disk failed. */
MUST_USE bool start_run(struct start *s, struct fault *why);
/* Within a transaction, reading alone: whether a start would find it whole, looking at all events.
 * False: the error of `db` says why not. Files of older versions are taken as they are. */
MUST_USE bool start_is_possible(struct db *db);
/* Within a transaction, before anything else is written. */
void start_write(struct db *db, const struct lineage *lineage);

#endif
