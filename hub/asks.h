/* asks -- questions of tools whose answer comes later: from every worker (`streams`), or when
 * retention has nothing left to do (`prune`). */
#ifndef BELFRY_ASKS_H
#define BELFRY_ASKS_H

#include "admin.h"
#include "base/map.h"

struct peer;

struct asks {
    struct map by_ref;
};

void asks_init(struct asks *a);
void asks_fini(struct hub *h);
/* These take what the asker holds over. False: `why`, and nothing was taken. */
bool asks_streams(struct hub *h, struct asker *a, const Json *question, struct fault *why);
bool asks_prune(struct hub *h, struct asker *a, const Json *question, struct fault *why);

/* TOLD. False: malformed. */
bool asks_on_told(struct hub *h, struct peer *p, Str body);
/* A link went: it will not answer. */
void asks_leave(struct hub *h, uint64_t link);
/* Answers those whose time is out or whose work is done. */
void asks_expire(struct hub *h);

#endif
