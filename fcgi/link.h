/* link -- the hub, seen from a worker: greeting, sequence, credit, requests and their answers.
 * Does no I/O and reads no clock: bytes come in by link_on_message and go out by `send`.
 * PROTOCOL.md is what it speaks. Events, joins and gaps go to the roster. */
#ifndef BELFRY_LINK_H
#define BELFRY_LINK_H

#include "base/clock.h"
#include "base/options.h"
#include "wire/message.h"

struct link;
struct roster;

struct link_out {
    /* Hands a message to the socket (and may take the body's memory). False: nobody is connected.
     */
    bool (*send)(void *ctx, struct header header, struct buf *body);
    /* Appends a list of "name value" counters of this worker (PULSE). May be NULL. */
    void (*counters)(void *ctx, struct buf *list);
    void *ctx;
};

struct link *link_new(const struct options *options, Str name, struct link_out out);
void link_free(struct link *l);
void link_attach(struct link *l, struct roster *r); /* once, before anything comes in */

void link_on_connected(struct link *l, Msec now);
void link_on_disconnected(struct link *l, Msec now);
void link_on_message(struct link *l, Str header, Str body, Msec now);
void link_tick(struct link *l, Msec now); /* at least four times a second */
/* At the end of each turn: what was said in it leaves. */
void link_flush(struct link *l, Msec now);
void link_goodbye(struct link *l);
/* All clients and subscriptions are a successor's now: from here on it carries nothing but the
 * requests that it has. */
void link_move(struct link *l);
bool link_is_moved(const struct link *l);
/* They were those of the link with that boot; the hub hears so with each WELCOME. */
void link_succeed(struct link *l, uint64_t boot);
uint64_t link_boot(const struct link *l);

bool link_is_up(const struct link *l);       /* welcomed, and heard of within 3 s */
bool link_is_writable(const struct link *l); /* up, and the log takes publishes */
size_t link_publishes(const struct link *l); /* that are not answered */
size_t link_crowd(struct link *l);           /* the most of them since this was asked */
bool link_is_rejected(const struct link *l, struct fault *why); /* protocol version */
Cursor link_head(const struct link *l); /* the log's newest that is known here */
Msec link_wall(const struct link *l);   /* wall clock of this turn, for expiry */
void link_set_wall(struct link *l, Msec wall);

/* How long a request waits for a hub that is away, and what becomes of it when the link breaks. */
enum link_patience {
    LINK_ALWAYS, /* waits, and is asked again after each HELLO: OPEN, FETCH of a stream */
    LINK_BRIEF,  /* waits hub_wait, at most max_waiting of them, then HUB_AWAY; asked again */
    LINK_ONCE,   /* as BRIEF, but once it was sent and the link breaks: UNKNOWN_OUTCOME. PUBLISH
                  * without a key. Any PUBLISH is of unknown outcome publish_timeout after it was
                  * first sent */
};

struct link_request;
/* The answer's body, of the verb that answers (OPENED to OPEN, ROWS to FETCH, …); or why there is
 * none (body empty). Called once, never from within link_ask. The request is gone then. */
typedef void link_answer(void *owner, Str body, const struct fault *why);

/* The body is packed already, its first field empty: every request begins with `ref`, and the
 * link fills it in. Takes the buffer's memory. More than 4,096 publishes or 16 MiB in
 * flight: OVERLOAD (through `answer`). */
struct link_request *link_ask(struct link *l, enum verb verb, struct buf *body,
                              enum link_patience patience, link_answer *answer, void *owner);
void link_cancel(struct link *l, struct link_request *r); /* `answer` is not called any more */
/* The hub may be at work on it: it was sent on this link, and not answered yet. */
bool link_is_asked(const struct link_request *r);

/* Messages without an answer: CLOSE, LEAVE, HERE. Dropped before HELLO is said: that says it all.
 */
void link_tell(struct link *l, enum verb verb, struct buf *body);

#endif
