/* state -- what monitors ask: is it alive, does it work, how much has it done. */
#ifndef BELFRY_STATE_H
#define BELFRY_STATE_H

#include "visit.h"

void state_health(struct visit *v);  /* this process answers */
void state_ready(struct visit *v);   /* linked with the hub, and the log takes publishes */
void state_metrics(struct visit *v); /* the sum over all workers, gathered by the hub */

#endif
