/* door -- the hub's sockets and its loop: what comes goes to the engine, what the engine says goes
 * out. ROUTERs for links, publishers and admin, a PULL for the intake, an XPUB for the tap. */
#ifndef BELFRY_DOOR_H
#define BELFRY_DOOR_H

#include "hub.h"

#include <signal.h>

struct door;

/* Whether the options that the door needs hold: group, listen with its keys, hook. */
MUST_USE bool door_check(const struct options *o, struct fault *why);
/* Nothing can come yet; what goes out before door_open() is lost. */
struct door *door_new(const struct options *o);
struct hub_out door_out(struct door *d);
/* After door_check: binds all sockets below the run folder, whose lock the caller holds. */
MUST_USE bool door_open(struct door *d, struct fault *why);
void door_close(struct door *d);
/* `ready hub=... publish=...` on stderr, whatever log_level is. */
void door_announce(const struct door *d);

/* Turn after turn until *stop is set and what was accepted is answered, or the journal is broken.
 */
void door_loop(struct door *d, struct hub *h, struct journal *j, const volatile sig_atomic_t *stop);

Now door_now(void);

#endif
