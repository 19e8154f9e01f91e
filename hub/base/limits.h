/* limits -- how often a user, or the address of whoever is nobody's user, may connect, publish,
 * subscribe, read pages of history and show tokens that are not good. Users are counted by the hub;
 * addresses by each worker, of which each has its share of the rate. */
#ifndef BELFRY_LIMITS_H
#define BELFRY_LIMITS_H

#include "bucket.h"
#include "fault.h"
#include "memory.h"
#include "options.h"

enum rate { RATE_CONNECTS, RATE_PUBLISHES, RATE_SUBSCRIBES, RATE_HISTORY, RATE_TOKENS, RATE_COUNT };

struct limits {
    const struct options *options;
    uint64_t share; /* of so many */
    struct buckets buckets;
    uint64_t refused[RATE_COUNT];
};

void limits_init(struct limits *l, const struct options *o, uint64_t share);
void limits_fini(struct limits *l);
/* False: LIMIT, and counted. Whose key is empty may do all. */
MUST_USE bool limits_admit(struct limits *l, enum rate rate, Str key, Msec now, struct fault *why);
/* Whether limits_admit would refuse; not counted. */
bool limits_is_spent(const struct limits *l, enum rate rate, Str key, Msec now);
/* What was let in as one is `n`. */
void limits_charge(struct limits *l, enum rate rate, Str key, uint64_t n, Msec now);

#endif
