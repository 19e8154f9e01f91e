/* topic -- who listens: names and patterns, each with the links that subscribed to it. A channel
 * need not exist to be a topic. The patterns that take in a name are found by its prefixes, so
 * their number does not matter. */
#ifndef BELFRY_TOPIC_H
#define BELFRY_TOPIC_H

#include "base/map.h"
#include "wire/cursor.h"
#include "wire/names.h"

struct peer;
struct topic;

/* One link's subscription to one topic. */
struct sub {
    struct topic *topic;
    struct peer *peer;
    size_t at;     /* in topic.subs */
    Position said; /* the link was told that events up to it are missing */
};

struct topic {
    Str name;
    struct sub **subs;
    size_t n, cap;
    char bytes[];
};

#define TOPICS_MATCH (CHANNEL_MAX + 2) /* the name itself, and a pattern for each prefix */

struct topics {
    struct map exact;
    struct map patterns;               /* by the name without its star */
    unsigned lengths[CHANNEL_MAX + 1]; /* how many patterns have a prefix so long */
};

void topics_init(struct topics *t);
void topics_fini(struct topics *t); /* all subscriptions must have ended */
struct sub *topic_join(struct topics *t, struct peer *p, Str name);
void topic_leave(struct topics *t, struct sub *s); /* frees it */
/* All topics that take in `channel`. */
size_t topics_match(const struct topics *t, Str channel, struct topic *out[TOPICS_MATCH]);

#endif
