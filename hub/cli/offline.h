/* offline -- the journal's file itself, while no hub has it open. */
#ifndef BELFRY_OFFLINE_H
#define BELFRY_OFFLINE_H

#include "base/options.h"

struct offline {
    char path[512];
    int lock;
};

/* `file`, or where it is NULL journal.db of the data folder; holds the hub's own lock on the folder
 * where there is one. OVERLOAD: a hub runs; CONFIG: there is no such file. */
MUST_USE bool offline_begin(struct offline *f, const struct options *o, const char *file,
                            struct fault *why);
void offline_end(struct offline *f);

#endif
