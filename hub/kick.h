/* kick -- ends the streams and polls of a user or a client. Every worker is told once; one that
 * greets soon after is told again: its link may have been broken just then, or it stands in for a
 * worker that had given everything away before it read so. Who came back meanwhile may therefore be
 * sent away a second time. */
#ifndef BELFRY_KICK_H
#define BELFRY_KICK_H

#include "base/list.h"
#include "base/str.h"

struct hub;
struct peer;

struct kicks {
    struct list recent;
    size_t n;
};

void kicks_init(struct kicks *k);
void kicks_fini(struct kicks *k);
void kick(struct hub *h, Str name, bool is_client);
/* A worker was told WELCOME. */
void kick_welcome(struct hub *h, struct peer *p);

#endif
