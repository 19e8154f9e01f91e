/* refill -- links that lag behind are sent what they have not got, in rising order: from the ring
 * where it covers their position, else from the log, slice by slice, as far as credit goes. At the
 * head of the fan-out they are live again. */
#ifndef BELFRY_REFILL_H
#define BELFRY_REFILL_H

#include <stdbool.h>

struct hub;

/* Some steps for each lagging link. True: there is more to do at once. */
bool refill_all(struct hub *h);

#endif
