/* held -- requests that wait, for hub_wait at most, until the hub is linked and what it knows of
 * users is known here. */
#ifndef BELFRY_HELD_H
#define BELFRY_HELD_H

#include "visit.h"

/* `go` goes on with it, once; or it is refused. */
void held_put(struct visit *v, void (*go)(struct visit *v));
void held_tick(struct worker *w, Msec now);
/* Whether there is nothing to wait for. */
bool held_is_over(const struct worker *w);

#endif
