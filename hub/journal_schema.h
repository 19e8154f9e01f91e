/* journal_schema -- the file is recognized or made, and brought up to date; what it says about the
 * log as a whole. */
#ifndef BELFRY_JOURNAL_SCHEMA_H
#define BELFRY_JOURNAL_SCHEMA_H

#include "journal.h"
#include "journal_db.h"

#define NUMBER_MOST (UINT64_C(1) << 62) /* what is more was negative, or never was */

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
/* It does not contradict itself. */
bool ledger_is_sound(const struct ledger *l);
bool ledger_write(struct db *db, const struct ledger *l);

struct upgrade {
    int version; /* that it leads to; the steps of one version are one transaction */
    const char *sql;
};

/* Opens the file for writing. Makes it if there is none, refuses it (CONFIG) if it is not a journal
 * or of a newer version, upgrades it if it is of an older one. DAMAGED: it is or was a journal. */
MUST_USE bool schema_open(struct db *db, const char *path, struct fault *why);
/* Whether it is a journal of a version that is known; `is_new`: there is nothing in it. */
MUST_USE bool schema_recognize(struct db *db, const char *path, bool *is_new, struct fault *why);
/* Makes the tables in an empty file. */
MUST_USE bool schema_make(struct db *db, struct fault *why);
/* To version `to`: every step whose version is above the file's. */
MUST_USE bool schema_upgrade(struct db *db, const struct upgrade *steps, size_t n, int to,
                             struct fault *why);

#endif
