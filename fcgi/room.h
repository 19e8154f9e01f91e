/* room -- who is on a channel, as the hub said last, and how streams are told: the state, or what
 * has changed since the version before, each rendered once for all. Knows no streams. */
#ifndef BELFRY_ROOM_H
#define BELFRY_ROOM_H

#include "base/list.h"
#include "base/map.h"
#include "chunk.h"
#include "wire/message.h"

struct room {
    unsigned refs;
    uint64_t version; /* 0: the hub has not said yet */
    bool is_crowd;
    uint32_t count, anonymous;
    struct list people;
    struct chunk *state, *change; /* NULL: not rendered; `change`: there is none */
    Str channel;
    char bytes[];
};

struct rooms {
    struct map by_channel;
};

void rooms_init(struct rooms *rs);
void rooms_fini(struct rooms *rs);
/* With one reference more; made where there is none. */
struct room *room_take(struct rooms *rs, Str channel);
void room_release(struct rooms *rs, struct room *r);
struct room *room_find(const struct rooms *rs, Str channel); /* NULL: there is none */
/* False: what came before is not known here. */
MUST_USE bool room_apply(struct room *r, const struct msg_presence *m);
/* What a stream is to be told that knows version `told`; borrowed. */
struct chunk *room_chunk(struct room *r, uint64_t told);

#endif
