/* presence -- who is on which channel: users by their clients on all links, and how many anonymous
 * clients. In memory alone, from what the workers say. A user stays for presence_grace after the
 * last device went, so a page that is reloaded, or a worker that is replaced, is no departure.
 *
 * What is told of a channel is its state at a version; what has changed since is gathered and told
 * at most once a second, with a version one higher. A hub that is started again tells nothing until
 * every worker must have said who is there. */
#ifndef BELFRY_PRESENCE_H
#define BELFRY_PRESENCE_H

#include "base/clock.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"

struct buf;
struct claim;
struct client;
struct fault;
struct hub;
struct peer;

struct presence {
    struct map rooms;    /* by the channel's name */
    struct heap due;     /* rooms that have something to tell, by when they may */
    struct list leaving; /* those with a device in its grace; whose ends first stands first */
    Msec quiet_until;
    uint64_t highest; /* version of any room that is no more */
};

void presence_init(struct presence *p);
void presence_fini(struct hub *h); /* the clients are gone */
/* Of a new log there is nobody who could have been here before. */
void presence_start(struct hub *h, bool is_new);

/* The client is on these names, patterns left out; since then (wall clock) at least. */
void presence_enter(struct hub *h, struct claim *c, Str names, Msec since);
/* Whether one more (`c`; NULL: not known yet) may be on all of these names: no more than
 * max_streams_channel are on one, but for those that everybody carries, and a user's own. LIMIT. */
MUST_USE bool presence_has_room(struct hub *h, const struct client *c, Str user, Str names,
                                struct fault *why);
/* The claim ends. */
void presence_leave(struct hub *h, struct claim *c);
/* Ends all that the link watches. */
void presence_unwatch(struct hub *h, struct peer *p);
/* The hub itself was stopped for so long. */
void presence_extend(struct hub *h, Msec delay);
void presence_expire(struct hub *h);
/* Tells what is due; at the end of a turn. */
void presence_turn(struct hub *h);

/* Whether every worker that lives has said who is there. */
bool presence_is_known(const struct hub *h);
/* What was told of a channel last, as browsers see it; of more than `most` only the count. */
void presence_put(const struct hub *h, Str channel, size_t most, struct buf *out);

/* HERE, WATCH, UNWATCH. False: malformed. */
bool presence_on_here(struct hub *h, struct peer *p, Str body);
bool presence_on_watch(struct hub *h, struct peer *p, Str body);
bool presence_on_unwatch(struct hub *h, struct peer *p, Str body);

#endif
