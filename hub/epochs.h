/* epochs -- the names of the log's stretches: every start of a hub opens one. Judges whether a
 * cursor speaks of this log. Pure. */
#ifndef BELFRY_EPOCHS_H
#define BELFRY_EPOCHS_H

#include "journal.h"

struct epochs {
    struct epoch *v; /* rising */
    size_t n;
};

void epochs_init(struct epochs *e, const struct epoch *v, size_t n);
void epochs_fini(struct epochs *e);

/* The cursor of a position, with the epoch that it belongs to. */
Cursor epochs_cursor(const struct epochs *e, Position at);
/* GAP_NONE: the cursor holds. GAP_RESET: it lies beyond a fork, *fork is the last position that
 * both logs share. GAP_UNKNOWN: its epoch is not of this log. `head` is the newest position. */
int epochs_judge(const struct epochs *e, Cursor c, Position head, Position *fork);

#endif
