/* arrival -- a stream or poll of a worker: its client is known from now on, the link subscribed to
 * its channels, and where it begins is answered. */
#ifndef BELFRY_ARRIVAL_H
#define BELFRY_ARRIVAL_H

#include "base/str.h"

#include <stdbool.h>

struct hub;
struct peer;

/* OPEN, CLOSE, LEAVE. False: malformed. */
bool arrival_on_message(struct hub *h, struct peer *p, Str body);
bool arrival_on_close(struct hub *h, struct peer *p, Str body);
bool arrival_on_leave(struct hub *h, struct peer *p, Str body);

#endif
