/* poll -- the answer of a long-poll, gathered and sent as one JSON document. */
#ifndef BELFRY_POLL_H
#define BELFRY_POLL_H

#include "image.h"
#include "outlet.h"
#include "sink.h"

#define POLL_BYTES (1024 * 1024) /* an answer ends there, one event at least */

/* `head` precedes the document; `excuse` is the whole answer where the poll ends before it has
 * begun, `refusal` where that is because of a limit; `limit` is that of the stream's request. */
struct sink poll_new(struct outlet *o, Str head, Str excuse, Str refusal, uint32_t limit);
struct sink poll_restore(struct outlet *o, const struct image_poll *m);

#endif
