/* gate -- who comes in over tcp: gives the hub's sockets their CURVE key and second address, asks
 * each key that knocks for its role (ZAP), and reads the list of keys again when it changes. Knows
 * nothing of what is said inside. */
#ifndef BELFRY_GATE_H
#define BELFRY_GATE_H

#include "base/clock.h"
#include "wire/place.h"

struct gate;

/* What the option `listen` and the files of its keys say; nothing is opened. */
MUST_USE bool gate_check(const struct options *o, struct fault *why);

/* Binds `v`, the sockets of all places, where the option `listen` says: on top of what they are
 * bound to, and for good. They stay the caller's and outlive the gate. */
struct gate *gate_open(const struct options *o, struct socket_context *c, struct socket *const *v,
                       struct fault *why);
void gate_close(struct gate *g);
/* Readable when a key knocks: gate_turn() answers then. */
struct socket *gate_socket(const struct gate *g);
void gate_turn(struct gate *g, Msec now);
/* Some ten times a second. How many peers were refused since the last one. */
uint64_t gate_tick(struct gate *g, Msec now);
/* Of a place, for the ready line. */
const char *gate_endpoint(const struct gate *g, enum place p);

#endif
