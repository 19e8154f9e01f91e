/* check_inside -- what the parts of the checker share: the world's facts (check.c), what is known
 * of each event (check_log.c), and who reports. */
#ifndef BELFRY_CHECK_INSIDE_H
#define BELFRY_CHECK_INSIDE_H

#include "base/map.h"
#include "check.h"
#include "history_rows.h"

#define NO_FACT SIZE_MAX

/* What the history says of one event meant, by its number. */
struct known {
    Position at;      /* 0: not known to be in the log */
    uint64_t invoked; /* ns of the first attempt */
    uint64_t seen;    /* ns from which on somebody knew that it is in the log; UINT64_MAX */
    uint32_t stamp;   /* the last span of a stream that received it */
    uint32_t fact_hi; /* the fact that told its position: index, in halves to stay small */
    uint32_t fact_lo;
    uint16_t epoch;
    bool is_received;
    uint8_t tries; /* to publish it; at most 255 are counted */
};

struct fork_fact {
    Position at;
    size_t fact;
    uint64_t ns;
    uint16_t epoch;
};

struct prune_fact {
    uint32_t channel; /* word; may be a pattern */
    Position upto;
    uint64_t ns;
};

/* A user's right to read a channel: perhaps from ns to ns, surely from ns to ns. */
struct grant_fact {
    uint32_t channel, user;
    uint64_t from, upto;
    uint64_t sure_from, sure_upto;
};

/* The events of one channel, in the order of the log: log[first, first + n). */
struct shelf {
    uint32_t channel; /* word */
    size_t first, n;
    Position pruned;
};

struct check {
    const struct history *h;
    const struct check_options *o;
    struct report *r;
    uint32_t *by_actor; /* facts, by actor, then by time. Index fits: a history holds < 2^32 */
    size_t *births;     /* of each epoch: the fact that first had it; NO_FACT */
    struct fork_fact *forks;
    size_t fork_count, forks_cap;
    struct prune_fact *prunes; /* of each channel the farthest */
    size_t prune_count, prunes_cap;
    struct prune_fact *steps; /* all, in the order of time */
    size_t step_count, steps_cap;
    struct grant_fact *grants;
    size_t grant_count, grants_cap;
    struct known *events;
    uint32_t *log; /* events that hold, by channel and position */
    size_t log_len;
    struct shelf *shelves; /* by word of channel */
    size_t shelf_count;
    uint32_t spans; /* parts of streams so far: check_reader.c */
};

/* `fact` is where it shows, `other` the other line or NO_FACT. */
void check_broken(struct check *c, enum rule rule, size_t fact, size_t other, const char *format,
                  ...) PRINTF(5, 6);

static inline size_t known_fact(const struct known *k)
{
    return (size_t)k->fact_hi << 32 | k->fact_lo;
}

/* The fork that undid this place, the one that goes back farthest; NULL: it holds. */
const struct fork_fact *check_undone(const struct check *c, uint16_t epoch, Position at);
/* Whether this epoch began with or after that fork. */
bool check_is_after(const struct check *c, uint16_t epoch, const struct fork_fact *f);
/* Up to where this channel was ever pruned. */
Position check_pruned(const struct check *c, uint32_t channel);
bool check_takes_in(const struct check *c, Str name, uint32_t channel);
const struct shelf *check_shelf(const struct check *c, uint32_t channel);
/* May `user` have received at that time what was due from `since` on: invoked, or asked for? */
bool check_may(const struct check *c, uint32_t user, uint32_t channel, uint64_t since,
               uint64_t received);
/* Whether the user had surely a right to this channel, from ns to ns. */
bool check_is_granted(const struct check *c, uint32_t user, uint32_t channel, uint64_t from,
                      uint64_t upto);
/* The highest that was pruned of anything under this name. */
Position check_pruned_under(const struct check *c, Str name);
/* The same of the log that is there at `now`, and so long before `ns` that it was known everywhere.
 */
Position check_pruned_before(const struct check *c, Str name, uint64_t ns, uint64_t now);

void check_log(struct check *c);     /* check_log.c */
void check_readers(struct check *c); /* check_reader.c */

#endif
