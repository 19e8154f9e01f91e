/* journal_writer -- the thread that owns the only connection that writes and checkpoints: takes
 * all that waits, does it in one transaction, hands the answers over, takes what has come
 * meanwhile. Backups are made on the same connection, in slices between the transactions. */
#ifndef BELFRY_JOURNAL_WRITER_H
#define BELFRY_JOURNAL_WRITER_H

#include "journal_copy.h"
#include "journal_keys.h"
#include "journal_lane.h"
#include "journal_lineage.h"
#include "journal_retention.h"

#include <stdatomic.h>

struct writer {
    struct lane lane;
    struct outbox *outbox;
    const struct lineage *lineage;
    struct db db;
    struct ledger ledger;
    struct keys keys;
    struct retained retained;
    struct copier copier;
    _Atomic uint64_t
        prunes_known;   /* set by the engine's thread: every note to come knows so many */
    bool is_started;    /* else the disk was full when the file was opened */
    uint64_t wal_tried; /* its size after a checkpoint that could not move all */
    uint64_t data_version;
    Msec next_look;
};

/* Database and ledger are opened by the caller, before the thread is started. */
void writer_init(struct writer *w, struct outbox *outbox, const struct lineage *lineage,
                 Msec key_age, uint64_t key_limit);
void writer_fini(struct writer *w); /* closes the database */
void *writer_run(void *writer);

/* journal_append.c: within the transaction. */
void writer_append(struct writer *w, struct append *a);

#endif
