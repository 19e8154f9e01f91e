/* bucket -- how often a key may do something: a rate, and how much of it may come at once. Each key
 * is known by one number, the time at which what it did is made up for; whoever has made up for all
 * of it needs none. At BUCKETS_MOST keys the one that was used longest ago is forgotten. Knows no
 * clock and not what is counted. */
#ifndef BELFRY_BUCKET_H
#define BELFRY_BUCKET_H

#include "clock.h"
#include "list.h"
#include "map.h"

enum { BUCKETS_MOST = 65536, BUCKET_COST_MOST = 1000000 };

struct buckets {
    struct map by_key;
    struct list used; /* longest ago first */
};

/* `share`: 1/share of `rate` a second, on average; over `burst` ms' worth may not come at once.
 * A rate of 0 is no limit; neither may be over 2^32. */
struct bucket_rate {
    uint64_t rate, share;
    Msec burst;
};

void buckets_init(struct buckets *b);
void buckets_fini(struct buckets *b);
/* Whether it may now; nothing is charged. */
bool buckets_may(const struct buckets *b, Str key, const struct bucket_rate *r, Msec now);
/* The same, and charged. The last one that may is let in whatever it costs, and made up for later.
 */
bool buckets_take(struct buckets *b, Str key, const struct bucket_rate *r, uint64_t cost, Msec now);
/* What turns out to have cost more, is more to be made up for. */
void buckets_charge(struct buckets *b, Str key, const struct bucket_rate *r, uint64_t cost,
                    Msec now);

#endif
