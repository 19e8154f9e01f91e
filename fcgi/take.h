/* take -- the other end of a takeover (give.h): the successor. */
#ifndef BELFRY_TAKE_H
#define BELFRY_TAKE_H

#include "listen.h"
#include "worker.h"

struct take;

/* What the old one has is here, and the hub knows; nothing of it was touched. The worker is opened
 * and has no listener yet. False: it goes on, and this one must end without touching anything. */
MUST_USE bool take_all(struct worker *w, struct listener *l, int fd, struct fault *why);
/* True: all of it is ours now. */
MUST_USE bool take_over(struct worker *w, struct fault *why);
/* Ends the process: not even cleaning up may touch what is the old one's still. */
_Noreturn void take_give_up(struct worker *w, int fd, const struct fault *why);
/* Nothing more comes from the old one. */
bool take_is_over(const struct take *t);
void take_free(struct take *t);

#endif
