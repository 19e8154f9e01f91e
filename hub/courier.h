/* courier -- carries what the hub has for the application there, and brings back what it says: over
 * HTTP, each text a POST, or over ZeroMQ, each a request to a REP or ROUTER. Never waits. */
#ifndef BELFRY_COURIER_H
#define BELFRY_COURIER_H

#include "hub.h"

struct courier;
struct socket;
struct socket_context;

MUST_USE struct courier *courier_open(const struct options *o, struct socket_context *context,
                                      struct fault *why);
void courier_close(struct courier *c);
void courier_send(struct courier *c, uint64_t id, Str text);
/* Hands what came to the hub. */
void courier_turn(struct courier *c, struct hub *h, Now now);

/* For the loop: one that is readable when something came, or `other` is; a socket, or NULL. */
int courier_fd(struct courier *c, int other);
struct socket *courier_socket(struct courier *c);

#endif
