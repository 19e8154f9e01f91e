/* presence_inside -- a room and who is in it, as the files of presence see them. */
#ifndef BELFRY_PRESENCE_INSIDE_H
#define BELFRY_PRESENCE_INSIDE_H

#include "presence.h"

struct room {
    struct map people;   /* by key; "" stands for all that are anonymous */
    struct list order;   /* those with a key, in the order they came */
    struct list changed; /* whoever is to be looked at when it is told */
    struct list watches;
    struct heap_node due;
    Msec told; /* when its version rose */
    uint64_t version;
    uint32_t shown, anonymous; /* as told */
    uint32_t devices;          /* clients that are here now */
    Str name;
    char bytes[];
};

struct occupant {
    struct room *room;
    struct list order, changed, leaving;
    uint32_t devices, held; /* held: as shown, those in their grace with them */
    Msec since, until;      /* until: while leaving */
    char *public, *told;
    Str key;
    char bytes[];
};

/* One client's being there, by one link. */
struct seat {
    struct list of_claim;
    struct occupant *who;
};

struct watch {
    struct list of_room, of_peer;
    struct room *room;
    struct peer *peer;
    bool is_told; /* the state, so that a change can follow */
};

struct room *presence_need_room(struct hub *h, Str name);
/* It has something to tell. */
void presence_schedule(struct hub *h, struct room *r);

#endif
