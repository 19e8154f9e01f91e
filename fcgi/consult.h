/* consult -- what only the application knows: who a request is from, and whether its user may what
 * the access `ask` leaves open. The hub asks it; a request that needs an answer waits, and is then
 * looked at anew. */
#ifndef BELFRY_CONSULT_H
#define BELFRY_CONSULT_H

#include "visit.h"

/* Whether the application is to say who it is from; asked once. */
bool consult_is_due(const struct visit *v);
void consult_connection(struct visit *v, void (*go)(struct visit *v));

/* From here on what may() leaves to the application is let in, and written down (channels.h)… */
void consult_begin(struct visit *v);
/* … and where there is something: it is asked, and `go` looks at the request again, with what was
 * allowed among its rights. False: there is nothing to ask. */
bool consult_wishes(struct visit *v, void (*go)(struct visit *v));

#endif
