/* sse -- a stream as text/event-stream (HTML Living Standard, 9.2). Knows an outlet, and how lines
 * are written so that no byte of a publisher becomes a field of its own. */
#ifndef BELFRY_SSE_H
#define BELFRY_SSE_H

#include "outlet.h"
#include "sink.h"

/* `head` is the head of the answer (Status, Content-Type, …), written together with `retry:`: at
 * once, or where more is coming soon with that, if it does. */
struct sink sse_new(struct outlet *o, Str head, bool envelope, bool is_more_coming);
/* One whose head is out already; is_full: the outlet has still to get rid of something. */
struct sink sse_restore(struct outlet *o, bool envelope, bool is_full);

#endif
