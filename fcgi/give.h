/* give -- the end of a takeover where everything is: the worker that shall be replaced.
 *
 * It starts its successor (spawn.h), and goes on until that says HELLO. Then it freezes: it neither
 * reads nor writes, and gives the listening socket, and in batches that are acknowledged all
 * streams, waiting polls, kept connections and half-read requests. When the successor is READY it
 * says YOURS. Until then either may die, refuse or be silent, and this one just goes on: the
 * successor has touched nothing. Afterwards it answers what is under way, gives connections that
 * are kept and streams that begin then to the successor, too, and is gone. image.h has the words.
 */
#ifndef BELFRY_GIVE_H
#define BELFRY_GIVE_H

#include "worker.h"

struct give;

/* Says in the log, and to whoever supervises, what becomes of it. NULL: it could not begin. */
struct give *give_begin(struct worker *w);
/* The successor has so long to start. True: it has not come; free it. */
bool give_is_over(const struct give *g, Msec now);
/* It has everything, and lives. */
bool give_has_heir(const struct give *g);
/* The end of each turn from then on: what it can go on with only now is its own, too. */
void give_late(struct give *g);
/* A signal for whoever has everything. */
void give_signal(const struct give *g, int number);
/* The successor, if there is one still, learns that nothing is its own (unless all was given). */
void give_free(struct give *g);

#endif
