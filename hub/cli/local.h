/* local -- one socket of the hub, seen from a tool that is started, asks, and ends: waits with a
 * deadline, and tells "not there" (HUB_AWAY: nothing was sent) from "no answer" (UNKNOWN_OUTCOME).
 * Never knows what is said. */
#ifndef BELFRY_LOCAL_H
#define BELFRY_LOCAL_H

#include "base/clock.h"
#include "wire/place.h"

#define CONNECT_MS 2000 /* how long a hub that is not there is waited for */

struct local {
    struct socket_context *context;
    struct socket *socket;
    char endpoint[PLACE_ENDPOINT];
    size_t awaited; /* answers that are still to come */
    bool is_lost;   /* the hub went away while some were: they never will */
};

/* Connects where the options say that the hub is, which need not be there yet. */
MUST_USE bool local_open(struct local *l, const struct options *o, enum place place,
                         enum socket_kind kind, struct socket_limits limits, struct fault *why);
void local_close(struct local *l); /* one that is zeroed, or was closed, is fine */

/* Sends as soon as the hub is there and takes it, within `ms`. Never to another hub than the one
 * that still owes answers: then UNKNOWN_OUTCOME. */
MUST_USE bool local_send(struct local *l, const Str *parts, size_t n, Msec ms, struct fault *why);
/* The next answer, if it is there; looks after is_lost first. */
bool local_take(struct local *l, struct parcel *out);
/* The next answer, within `ms`. */
MUST_USE bool local_receive(struct local *l, struct parcel *out, Msec ms, struct fault *why);
/* No answer is waited for any more. */
void local_forget(struct local *l);
/* HUB_AWAY or FORBIDDEN, with what the file system or the keys say about it. Returns false. */
bool local_away(const struct local *l, struct fault *why);

#endif
