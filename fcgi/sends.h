/* sends -- what a body of POST /events/send asks to publish: one send, or a batch of them, each
 * with its own verdict. Pure; bounded by the options. */
#ifndef BELFRY_SENDS_H
#define BELFRY_SENDS_H

#include "base/options.h"
#include "media.h"
#include "wire/message.h"
#include "wire/rights.h"

#define SENDS_TTL_MAX 315360000 /* seconds: ten years */

struct verdict {
    struct fault *why; /* NULL: it is in the list */
    bool is_plural;    /* channels, users: answered with ids */
};

struct sends {
    bool is_batch;
    bool has_keys; /* each of the list has its idempotency key */
    size_t n;
    struct verdict *v;
    size_t good;
    struct buf list; /* of packed `send`, the good ones in their order */
};

/* False: the whole is refused. Of a batch, what is wrong with one send stands in its verdict. */
MUST_USE bool sends_read(struct sends *s, enum media media, Str body, const struct options *o,
                         const struct rights *rights, struct fault *why);
void sends_fini(struct sends *s); /* also after a refusal */

#endif
