/* journal_check -- looks at everything in a log: SQLite's own check, what would contradict the
 * rest, and whatever a start of the hub would doubt. What it finds is an answer, never a fault. */
#ifndef BELFRY_JOURNAL_CHECK_H
#define BELFRY_JOURNAL_CHECK_H

#include "journal_db.h"

/* "ok", or a line a problem. On a snapshot of its own. */
void check_db(struct db *db, struct buf *report);
/* The same of a file that no hub has open; nothing is written to it. False: it cannot be looked at
 * at all, or is no journal (CONFIG), or of a newer version. */
MUST_USE bool check_file(const char *path, struct buf *report, struct fault *why);

#endif
