/* subscription -- what this worker gets from the hub: a channel or a pattern, from a join on. It
 * outlives its last stream for a while, for those that come back. Knows no streams. */
#ifndef BELFRY_SUBSCRIPTION_H
#define BELFRY_SUBSCRIPTION_H

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "wire/cursor.h"
#include "wire/message.h"

struct subscription {
    struct list node;     /* all of them, or those that were left */
    struct list patterns; /* those that are patterns */
    struct list lingers;  /* those without a stream, the longest first */
    struct list seats;    /* the audiences on it (inside.h) */
    Cursor covered;       /* every later event came on this link, once it is joined */
    bool is_joined;
    bool is_left; /* LEAVE was said; kept a moment to notice an ADD that crossed it */
    bool is_back; /* asked for again since, and not answered: an ADD may still have crossed LEAVE */
    unsigned refs;
    Msec since; /* lingers, or is left */
    Str name;   /* in the same memory */
};

struct subscriptions {
    struct map by_name;
    struct list all, patterns, lingering, left;
};

void subscriptions_init(struct subscriptions *ss);
void subscriptions_fini(struct subscriptions *ss);
/* NULL: there is none. */
struct subscription *subscription_find(const struct subscriptions *ss, Str name);
/* With one reference more; made where there is none. */
struct subscription *subscription_take(struct subscriptions *ss, Str name);
void subscription_release(struct subscriptions *ss, struct subscription *sub, Msec now);
/* Where it was not joined yet. */
void subscription_join(struct subscription *sub, Cursor join);
/* Ends those that lingered for so long; `left` gets their names. */
void subscriptions_expire(struct subscriptions *ss, Msec now, Msec linger, struct buf *left);
/* The names of those that are joined. */
void subscriptions_put(const struct subscriptions *ss, struct buf *list);

#endif
