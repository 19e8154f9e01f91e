/* publish -- from what is asked to what is answered: the sends of a worker or a tool go to the
 * journal, and what comes back committed is fanned out and acknowledged, in log order. */
#ifndef BELFRY_HUB_PUBLISH_H
#define BELFRY_HUB_PUBLISH_H

#include "compose.h"

struct peer;

/* PUBLISH. False: malformed. */
MUST_USE bool publish_on_message(struct hub *h, struct peer *p, Str body);
/* Hands it to the journal, or the refusal in its place. */
void publish_submit(struct hub *h, struct publish *p);

#endif
