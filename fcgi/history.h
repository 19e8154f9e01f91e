/* history -- GET /events/history: pages through the log of channels. */
#ifndef BELFRY_HISTORY_H
#define BELFRY_HISTORY_H

#include "channels.h"
#include "visit.h"
#include "wire/message.h"

void history_page(struct visit *v);

struct history {
    struct channels channels;
    struct msg_fetch fetch; /* its channels are those above */
    Str requested;          /* the cursor as it was written */
};

MUST_USE bool history_read(struct history *p, const struct options *o, const struct query *q,
                           const struct rights *rights, Msec wall, struct fault *why);
void history_fini(struct history *p);

#endif
