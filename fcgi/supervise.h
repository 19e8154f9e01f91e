/* supervise -- several workers on one listening socket: starts them (spawn.h), puts a new one in
 * the place of each that dies, has them replaced one after the other on SIGHUP, and passes a stop
 * on. */
#ifndef BELFRY_SUPERVISE_H
#define BELFRY_SUPERVISE_H

#include "base/options.h"
#include "listen.h"

/* Returns when all are gone; with the exit code. */
int supervise(const struct options *o, const struct listener *l);

/* A worker says into `ready` who serves in its place now; pid 0: itself still, a takeover failed.
 */
void supervise_report(int ready, unsigned number, int pid);

#endif
