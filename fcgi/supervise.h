/* supervise -- several workers on one listening socket: forks them before any thread is there, puts
 * a new one in the place of each that dies, and passes signals on. */
#ifndef BELFRY_SUPERVISE_H
#define BELFRY_SUPERVISE_H

#include "base/options.h"
#include "listen.h"

/* A worker's whole life, in its own process; tells by one byte into `ready` that it serves. */
typedef int supervise_child(const struct options *o, struct listener *l, unsigned number,
                            int ready);

/* Returns in the parent, when all are gone; with its exit code. */
int supervise(const struct options *o, struct listener *l, supervise_child *child);

#endif
