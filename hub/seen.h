/* seen -- when each user's last stream or poll ended, for users who are known by name. Noted in
 * memory, and written with whatever else is written next, once for each user: never for its own
 * sake. A hub that crashes has lost what waited; one that stops writes it, and that whoever is
 * there was seen then. */
#ifndef BELFRY_SEEN_H
#define BELFRY_SEEN_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"

struct hub;

struct seen {
    struct map by_user;
    struct list order;   /* whoever was seen first stands first */
    struct list waiting; /* those whose time is not written */
    struct buf gone;     /* list of packed `account`: rows that are to be taken away */
    bool is_writing;
};

void seen_init(struct seen *s);
void seen_fini(struct seen *s);
/* What the journal has, in order of time; other rows are left out. */
void seen_start(struct hub *h, Str rows);

/* The last client of the user is gone, at this moment. The oldest of too many are forgotten. */
void seen_note(struct hub *h, Str user);
/* Rows that were taken away in the journal; others are left out. */
void seen_take(struct hub *h, Str rows);
/* Something is about to be written: what waits goes with it. */
void seen_go_along(struct hub *h);
/* The last chance: all that waits, and whoever is here. */
void seen_stop(struct hub *h);

Msec seen_at(const struct hub *h, Str user); /* 0: never, or not any more */
/* Walks the users; NULL at the end. */
const Str *seen_next(const struct hub *h, size_t *at);

#endif
