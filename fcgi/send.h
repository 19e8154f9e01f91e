/* send -- POST /events/send: publishes, and answers when the log has it. */
#ifndef BELFRY_SEND_H
#define BELFRY_SEND_H

#include "sends.h"
#include "visit.h"

void send_publish(struct visit *v);

/* The document that answers: of the hub's results, and of what was refused before it was asked.
 * False: the results do not fit what was sent. */
MUST_USE bool send_put_results(struct buf *json, const struct sends *s, Str results, Msec time);

#endif
