/* journal_schema -- the file is recognized or made, brought up to date, and opened for a start of
 * the hub; what it says about the log as a whole. */
#ifndef BELFRY_JOURNAL_SCHEMA_H
#define BELFRY_JOURNAL_SCHEMA_H

#include "journal.h"
#include "journal_db.h"

/* The row of table meta. */
struct ledger {
    Position head;
    Msec time;
    Position counted, floor, forgotten;
    Msec forgotten_time;
    uint64_t keys;
    bool restored;
};

bool ledger_read(struct db *db, struct ledger *out);
bool ledger_write(struct db *db, const struct ledger *l);

/* All epochs, rising. */
struct lineage {
    struct epoch *v;
    size_t n;
};

void lineage_fini(struct lineage *l);
/* Which epoch a position belongs to. */
uint64_t lineage_epoch(const struct lineage *l, Position at);

struct upgrade {
    int version; /* that it leads to; the steps of one version are one transaction */
    const char *sql;
};

/* Opens the file for writing. Makes it if there is none, refuses it (CONFIG) if it is not a journal
 * or of a newer version, upgrades it if it is of an older one. */
MUST_USE bool schema_open(struct db *db, const char *path, struct fault *why);
/* To version `to`: every step whose version is above the file's. */
MUST_USE bool schema_upgrade(struct db *db, const struct upgrade *steps, size_t n, int to,
                             struct fault *why);
/* The first transaction of a start: counts what was not noted, opens an epoch. */
MUST_USE bool schema_start(struct db *db, struct ledger *ledger, struct lineage *lineage,
                           struct fault *why);

#endif
