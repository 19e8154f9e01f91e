/* bundle -- what is said to one peer in one turn, gathered so that it leaves as one message
 * (BUNDLE): each message costs both sides' threads more than its bytes. Pure. */
#ifndef BELFRY_BUNDLE_H
#define BELFRY_BUNDLE_H

#include "wire/message.h"

struct bundle {
    struct buf items;
    size_t n;
};

void bundle_init(struct bundle *b);
void bundle_fini(struct bundle *b);
/* False: it is too large to be copied, or the bundle is full: what was gathered goes first. */
bool bundle_put(struct bundle *b, struct header header, Str body);
/* The message to send, and an empty bundle; one that was alone is itself again. False: none. */
bool bundle_take(struct bundle *b, struct header *header, struct buf *body);
/* The next message of a BUNDLE's body. False: no more, or no such bundle (*rest is not empty). */
bool bundle_next(Str *rest, Str *header, Str *body);

#endif
