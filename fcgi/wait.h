/* wait -- the time of a long-poll: an outlet around an outlet that knows when the poll's time is
 * out, and is gone with its answer. */
#ifndef BELFRY_WAIT_H
#define BELFRY_WAIT_H

#include "outlet.h"
#include "stream.h"
#include "worker.h"

/* The inner outlet is the wait's from now on. */
struct outlet *wait_new(struct worker *w, struct outlet *inner);
/* The stream that writes into it answers when `at` comes. */
void wait_until(struct outlet *wait, struct stream *s, Msec at);
/* In each turn: answers those whose time is out. True: one of them has still to get what was there
 * before, and shall be looked at again soon. */
bool wait_turn(struct worker *w, Msec now);

#endif
