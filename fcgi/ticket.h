/* ticket -- POST /events/ticket, and `ticket=` on the URL of a stream or poll: who showed a token
 * is known to one request that cannot show it. The hub keeps them, so any worker takes them. */
#ifndef BELFRY_FCGI_TICKET_H
#define BELFRY_FCGI_TICKET_H

#include "visit.h"

void ticket_give(struct visit *v);
/* Whether the request shows one that counts. */
bool ticket_is_shown(const struct visit *v);
/* Asks the hub whose it is; `go` goes on as that one. */
void ticket_take(struct visit *v, void (*go)(struct visit *v));

#endif
