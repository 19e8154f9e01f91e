/* journal_lineage -- the epochs of the log: every start opens one. An event's id is named after the
 * epoch that its position lies in. */
#ifndef BELFRY_JOURNAL_LINEAGE_H
#define BELFRY_JOURNAL_LINEAGE_H

#include "journal.h"
#include "journal_db.h"

/* All epochs, rising. */
struct lineage {
    struct epoch *v;
    size_t n;
};

bool lineage_read(struct db *db, struct lineage *out);
void lineage_fini(struct lineage *l);
/* Which epoch a position belongs to. */
uint64_t lineage_epoch(const struct lineage *l, Position at);
/* A new one at the end, with a name that none has. */
void lineage_add(struct lineage *l, Position first, const char *reason);
bool lineage_write(struct db *db, const struct epoch *e);
/* Writes the last one down; the oldest of too many go. */
bool lineage_write_last(struct db *db, const struct lineage *l);

#endif
