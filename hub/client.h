/* client -- the browsers' clientIds: whose they are, which links carry them, and which channels
 * were added to them by POST. A named one is remembered for client_keep after its last stream or
 * poll. */
#ifndef BELFRY_CLIENT_H
#define BELFRY_CLIENT_H

#include "base/clock.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/tally.h"
#include "wire/message.h"
#include "wire/names.h"

struct hub;
struct peer;

/* A client's streams and polls on one link. */
struct claim {
    struct client *client;
    struct peer *peer;
    struct list of_client, of_peer;
    struct list seats; /* the channels it is present on (presence.h) */
    uint32_t streams, polls;
};

/* A channel that was added by POST. */
struct part {
    struct list list;
    Position from;
    Str channel;
    bool is_hearsay; /* a worker remembers it; another one may have known better, and be gone */
    char bytes[];
};

struct client {
    const char *user;   /* behind the name */
    char *label;        /* what it calls itself; NULL: nothing */
    char *public;       /* JSON, shown of its user; NULL: nothing */
    struct list claims; /* the link that claimed it last stands last */
    struct list parts;
    uint32_t part_count;
    bool named, has_polled;
    struct heap_node idle; /* by when its last stream or poll ended; while it has no claims */
    uint64_t seen;         /* ephemeral events when its last poll ended (fleeting.h) */
    uint64_t away; /* boot of the worker whose link broke since, with streams of it; 0: none */
    char name[];
};

struct clients {
    struct map by_name;
    struct heap idle;   /* whoever has been gone for longest first */
    struct tally users; /* streams and polls of each */
};

void clients_init(struct clients *c);
void clients_fini(struct hub *h);
/* Forgets those that have been gone for client_keep. */
void clients_expire(struct hub *h);

struct client *client_find(const struct hub *h, Str name);
/* Finds or makes it. Where the name is in use by another user, it is another, fresh one. NULL:
 * LIMIT. */
MUST_USE struct client *client_need(struct hub *h, Str name, Str user, bool named, bool *known,
                                    struct fault *why);
/* What is shown of it where it is present; what is not fit for that is let go. */
void client_show(struct client *c, Str label, Str public);
struct claim *client_claim(struct hub *h, struct client *c, struct peer *p);
/* It has so many now. */
void client_count(struct hub *h, struct claim *claim, uint32_t streams, uint32_t polls);
/* Whether the user may have one more; false: LIMIT. */
MUST_USE bool client_has_room(struct hub *h, Str user, struct fault *why);
struct claim *client_find_claim(const struct client *c, const struct peer *p); /* NULL: none */
/* A stream or poll of it ended on this link. */
void client_close(struct hub *h, struct client *c, struct peer *p, bool poll);
/* A link went, and all its claims with it. */
void clients_leave(struct hub *h, struct peer *p);
/* Nobody carries it since `gone`; it is forgotten at once unless it is named. */
void client_idle(struct hub *h, struct client *c, Msec gone);

/* Remembers a channel; one more than max_channels_stream is not. */
void client_add_part(struct hub *h, struct client *c, Str channel, Position from, bool is_hearsay);
void client_remove_part(struct client *c, Str channel);
/* Packed `part` items for one that comes back at a position, which hearsay yields to; names alone.
 */
void client_put_parts(const struct client *c, Position at, struct buf *list);
void client_put_names(const struct client *c, struct buf *list);

static inline Str client_name(const struct client *c)
{
    return str_of(c->name);
}

static inline struct peer *client_peer(const struct client *c)
{
    return list_is_empty(&c->claims) ? NULL
                                     : CONTAINER_OF(c->claims.prev, struct claim, of_client)->peer;
}

#endif
