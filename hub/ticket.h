/* ticket -- who showed a token, for a request that cannot: kept for half a minute under the digest
 * of a random text, and given to whoever shows that first. In memory alone. */
#ifndef BELFRY_TICKET_H
#define BELFRY_TICKET_H

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"

#define TICKET_MS   30000
#define TICKETS_MAX 20000 /* in all */
#define TICKETS_OWN 32    /* of one user */

struct hub;
struct peer;

struct tickets {
    struct map by_digest, by_user;
    struct list order; /* the oldest first */
};

void tickets_init(struct tickets *t);
void tickets_fini(struct tickets *t);
void tickets_expire(struct hub *h);
/* A worker gives one out, or has been shown one. False: malformed. */
bool ticket_on_message(struct hub *h, struct peer *p, Str body);
bool ticket_on_redeem(struct hub *h, struct peer *p, Str body);

#endif
