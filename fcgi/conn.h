/* conn -- connections from web servers: accepted, read without blocking, scanned under limits and
 * deadlines, each an outlet while its request is served. Knows records, nothing of what is said. */
#ifndef BELFRY_CONN_H
#define BELFRY_CONN_H

#include "listen.h"
#include "request.h"
#include "worker.h"

struct conns;

/* The parser stays the caller's. */
struct conns *conns_new(struct worker *w, struct listener *l, struct request_parser *parser);
/* Closes what is still open. */
void conns_free(struct conns *c);
/* Takes what has connected already, then nobody any more. */
void conns_stop(struct conns *c);
/* Ends the turn: owners of broken connections hear of it, then they are freed. */
void conns_reap(struct conns *c);
void conns_tick(struct conns *c, Msec now); /* deadlines */
size_t conns_count(const struct conns *c);
/* With the pipes of CGI programs, there are as many as may be. */
bool conns_are_full(struct conns *c);

/* For a successor: each one that it can go on with, which is all but those that are being answered.
 * False: `give` did not want one. */
bool conns_give(struct conns *c, image_giver *give, void *ctx);
/* It has them: they are closed here, without a word. From now on nobody is taken. */
void conns_abandon(struct conns *c);
/* The same for those that it can go on with only now. */
bool conns_pass_on(struct conns *c, image_giver *give, void *ctx);
/* The descriptor is the connection's. An outlet to be written to where the image has a stream. */
struct outlet *conns_restore(struct conns *c, int fd, const struct image_outlet *m, Msec now);
/* No connection has a request that is not answered, or whose answer is not out; those that are kept
 * have been quiet for a moment, and no successor waits for them. */
bool conns_are_idle(struct conns *c);

#endif
