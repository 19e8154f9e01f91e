/* journal_retention -- taking events and channels away, and the channels' figures: so that the
 * stored ones plus the events after ledger.counted are exact whenever the file is opened.
 * Works within the writer's transaction. */
#ifndef BELFRY_JOURNAL_RETENTION_H
#define BELFRY_JOURNAL_RETENTION_H

#include "journal_schema.h"

/* One prune that the maker of a note may not have known of. */
struct pruned {
    uint64_t row;
    struct pruned_event *events;
    size_t n, cap;
};

struct retained {
    struct db *db;
    struct ledger *ledger;
    struct pruned *recent; /* the newest prunes; all prunes are numbered as they are done */
    size_t n, cap;
    uint64_t first; /* number of recent[0] */
};

void retained_prune(struct retained *r, struct prune *p);
/* Figures that take in no prune from number n->known on: those are subtracted here. */
void retained_note(struct retained *r, const struct note *n);
void retained_forget(struct retained *r, struct forget *f);

uint64_t retained_next(const struct retained *r); /* number of the next prune */
/* Prunes from this number on were rolled back, or not even tried: `n` of them. They keep their
 * numbers, for their maker counts them too. */
void retained_undo(struct retained *r, uint64_t from, size_t n);
/* Every note to come knows of the prunes below this number. */
void retained_known(struct retained *r, uint64_t below);
void retained_fini(struct retained *r);

#endif
