/* journal_positions -- places in the log: of the lowest or highest events of many channels,
 * without ever sorting all of a big one; and of a time. */
#ifndef BELFRY_JOURNAL_POSITIONS_H
#define BELFRY_JOURNAL_POSITIONS_H

#include "journal_db.h"
#include "wire/cursor.h"

struct range {
    Position after, upto; /* (after, upto] */
    bool falling;         /* the highest are wanted, highest first */
    Msec living;          /* events that have expired by then don't count; 0: all do */
};

struct positions {
    Position *v; /* in the order wanted */
    size_t n;
};

void positions_find(struct positions *p, struct db *db, const uint64_t *rows, size_t row_count,
                    struct range range, size_t most);
void positions_fini(struct positions *p);

/* The position before the first event that is not older than `since`; `head` if all are. */
Position position_of_time(struct db *db, Msec since, Position head);

#endif
