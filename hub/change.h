/* change -- channels added to and taken off a live stream by a POST that may have reached another
 * worker: asked of the link that carries the client, or, between two polls, changed here. */
#ifndef BELFRY_CHANGE_H
#define BELFRY_CHANGE_H

#include "base/map.h"
#include "base/str.h"

struct hub;
struct peer;

/* Those that a worker was asked and has not answered yet, by the hub's ref. */
struct changes {
    struct map by_ref;
};

void changes_init(struct changes *c);
void changes_fini(struct hub *h);
/* CHANGE, ADDED. False: malformed. */
bool change_on_message(struct hub *h, struct peer *p, Str body);
bool change_on_added(struct hub *h, struct peer *p, Str body);
/* A link went, or its clients did: what it was asked is asked of whoever carries the client now. */
void changes_leave(struct hub *h, uint64_t link);
void changes_expire(struct hub *h);

#endif
