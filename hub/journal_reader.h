/* journal_reader -- a thread with a connection that only reads: slices of the log, each on a
 * snapshot of its own, one after the other as they were asked for. There are two of them: one
 * reads, the other one checks, so that no replay waits for a check. */
#ifndef BELFRY_JOURNAL_READER_H
#define BELFRY_JOURNAL_READER_H

#include "journal_lane.h"
#include "journal_lineage.h"
#include "journal_schema.h"

struct reader {
    struct lane lane;
    struct outbox *outbox;
    const struct lineage *lineage;
    struct db db;
};

void reader_init(struct reader *r, struct outbox *outbox, const struct lineage *lineage);
MUST_USE bool reader_open(struct reader *r, const char *path, struct fault *why);
void reader_fini(struct reader *r); /* closes the connection */
void *reader_run(void *reader);

/* journal_slice.c: within a transaction. */
void reader_read(struct reader *r, struct reading *reading);
void reader_find(struct reader *r, struct finding *finding);

#endif
