/* cable -- the link's way to the hub: a DEALER socket whose descriptors are in the loop. */
#ifndef BELFRY_CABLE_H
#define BELFRY_CABLE_H

#include "worker.h"

/* Makes w->link as well. NULL: `why` says it. */
struct cable *cable_open(struct worker *w, struct fault *why);
/* A hub of which nothing is heard for long is connected to anew. */
void cable_tick(struct cable *c, Msec now);
/* Takes in what came. */
void cable_drain(struct cable *c, Msec now);
/* What was said leaves. True: more came; before each sleep, since a send can eat what the
 * descriptor had to tell. */
bool cable_flush(struct cable *c, Msec now);
/* Waits for the hub alone, `ms` at most. True: it said something. */
bool cable_wait(struct cable *c, int ms);
/* For a successor, once it was given everything: says HELLO where the hub is there, and takes in
 * nothing. */
void cable_greet(struct cable *c);
void cable_close(struct cable *c);

#endif
