/* journal_recover -- makes a new log of what can be read of a damaged one. The old file is kept
 * beside it, as it is. No hub may have it open: the lock on the folder is the caller's.
 *
 * Old cursors stay honest. Where the figures of a channel tell that nothing of it is missing, its
 * readers go on as if nothing had been; where something is missing, or may be, its floor is raised
 * to the end of what is lost: a reader that was not beyond it is told of a gap and gets what is
 * left. Where not even the head of the log is known, no old cursor holds.
 *
 * The new log is written beside the old one, takes its name when it is whole, and begins an epoch
 * of its own. What a power loss leaves half done is finished by recovering again. */
#ifndef BELFRY_JOURNAL_RECOVER_H
#define BELFRY_JOURNAL_RECOVER_H

#include "base/fault.h"
#include "wire/cursor.h"

struct recovered {
    uint64_t events, channels, keys; /* saved */
    uint64_t lost_events;            /* so many at least, by the figures of their channels */
    uint64_t gapped;                 /* channels whose readers may be told of a gap */
    Position lost_upto;              /* 0: nothing is known to be lost */
    bool has_lost_channels, has_lost_keys, has_lost_accounts;
    bool is_unknown; /* the head of the log could not be read: no old cursor holds */
    char aside[512]; /* where the old file is */
};

/* DAMAGED: nothing of it can be read, and it is left as it was. */
MUST_USE bool journal_recover(const char *path, struct recovered *out, struct fault *why);

#endif
