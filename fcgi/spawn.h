/* spawn -- starts this program anew, from the same path, which may hold a newer one by now: a
 * worker with a number, and with descriptors that it inherits. Both ends are here. */
#ifndef BELFRY_SPAWN_H
#define BELFRY_SPAWN_H

#include "base/fault.h"

#include <sys/types.h>

/* -1: there is none. */
struct heritage {
    int number; /* 1..workers */
    int listen, lock;
    int ready;    /* to the supervisor (supervise.h) */
    int takeover; /* to the worker that goes (give.h) */
};

/* At the start of the program: what it was called with. */
void spawn_remember(char **argv);
/* False: nobody spawned this one. Only the first call can be true. */
bool spawn_heritage(struct heritage *h);
/* The new one's pid, or -1; `is_orphan`: it is nobody's child (or its reaper's), and 0 is returned.
 * Safe while there are other threads. */
pid_t spawn(const struct heritage *h, bool is_orphan, struct fault *why);

#endif
