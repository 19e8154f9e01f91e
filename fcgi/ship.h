/* ship -- one chunk on its way out of a descriptor that may be full. It never waits for that: what
 * is no socket must be O_NONBLOCK. Pure but for send(2) and write(2). */
#ifndef BELFRY_SHIP_H
#define BELFRY_SHIP_H

#include "chunk.h"

/* What is left of one; NULL: nothing. */
struct ship;

enum shipped { SHIP_ALL, SHIP_SOME, SHIP_BROKEN };

/* Writes the bytes, which are the chunk's; what does not go out is kept, with a reference. Only
 * when nothing is left. */
enum shipped ship_start(struct ship **s, int fd, struct chunk *c, Str bytes);
/* Keeps the bytes without having tried, for ship_push. */
void ship_hold(struct ship **s, struct chunk *c, Str bytes);
/* Goes on. */
enum shipped ship_push(struct ship **s, int fd);
void ship_drop(struct ship **s);
/* For another worker, and there. */
Str ship_left(const struct ship *s);
struct ship *ship_restore(Str left); /* NULL: nothing */

#endif
