/* subscribe -- POST /events/subscribe and /unsubscribe: channels of a stream that is open, or of a
 * poll client, wherever it is: the hub finds it. */
#ifndef BELFRY_SUBSCRIBE_H
#define BELFRY_SUBSCRIBE_H

#include "channels.h"
#include "visit.h"
#include "wire/message.h"

void subscribe_add(struct visit *v);
void subscribe_remove(struct visit *v);

/* What the document says; its slices are its own. */
struct change {
    char *client;
    struct channels channels;
    enum start start;
    Cursor at;
    uint64_t value;
};

/* `body`: JSON, or a form where `type` says so. */
MUST_USE bool change_read(struct change *c, Str type, Str body, const struct options *o,
                          const struct rights *rights, Msec wall, struct fault *why);
void change_fini(struct change *c);

#endif
