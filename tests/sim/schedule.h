/* schedule -- what is done to the simulated world, and when: a list of actions that follows from a
 * seed, and can be run with some of them left out. */
#ifndef BELFRY_SIM_SCHEDULE_H
#define BELFRY_SIM_SCHEDULE_H

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WORKERS_MAX = 4, PAGES_MAX = 10 };

/* ACTION(NAME, weight, is_fault): each run has some of the faults, all of the others. */
#define ACTIONS                                                                                    \
    ACTION(PUBLISH, 90, false)                                                                     \
    ACTION(TOOL_PUBLISH, 40, false)                                                                \
    ACTION(OPEN_PAGE, 30, false)                                                                   \
    ACTION(SUBSCRIBE, 14, false)                                                                   \
    ACTION(UNSUBSCRIBE, 6, false)                                                                  \
    ACTION(CUT_PAGE, 14, true)                                                                     \
    ACTION(LEAVE_PAGE, 5, true)                                                                    \
    ACTION(STALL_PAGE, 14, true)                                                                   \
    ACTION(CUT_CABLE, 8, true)                                                                     \
    ACTION(SLOW_CABLE, 8, true)                                                                    \
    ACTION(PAUSE_WORKER, 4, true)                                                                  \
    ACTION(PAUSE_HUB, 3, true)                                                                     \
    ACTION(KILL_WORKER, 4, true)                                                                   \
    ACTION(DRAIN_WORKER, 2, true)                                                                  \
    ACTION(REPLACE_WORKER, 6, true)                                                                \
    ACTION(KILL_HUB, 6, true)                                                                      \
    ACTION(STOP_HUB, 2, true)                                                                      \
    ACTION(FILL_DISK, 3, true)                                                                     \
    ACTION(BREAK_DISK, 2, true)                                                                    \
    ACTION(SLOW_DISK, 6, true)                                                                     \
    ACTION(SLOW_READS, 8, true)                                                                    \
    ACTION(PRUNE, 3, true)                                                                         \
    ACTION(COPY_LOG, 3, true)                                                                      \
    ACTION(RESTORE_LOG, 2, true)                                                                   \
    ACTION(LOSE_LOG, 1, true)                                                                      \
    ACTION(HARM_CABLE, 10, true)                                                                   \
    ACTION(CHANGE_RIGHTS, 0, false) /* in half of the worlds whose log stays the one it is */

enum deed_kind {
#define ACTION(NAME, weight, is_fault) ACT_##NAME,
    ACTIONS
#undef ACTION
        ACTION_KINDS
};

struct deed {
    Msec at; /* since the start */
    enum deed_kind kind;
    uint64_t chance; /* whom, how long, how much: drawn from it */
};
const char *deed_name(enum deed_kind kind);

/* The sizes of this world; small ones, so that every limit is met. */
struct setup {
    uint64_t seed;
    unsigned workers, pages, channels;
    bool may_fork;   /* the log may become another one */
    bool has_rights; /* not everything is everybody's: law.h */
    Msec length;
    uint64_t hub_ring, worker_ring, keep, max_replay, linger, max_channels, keys, max_queue;
    Msec key_age, client_keep, slow_timeout, hub_wait, publish_timeout, age;
};

struct schedule {
    struct setup setup;
    struct deed *actions;
    size_t n;
};

void schedule_make(struct schedule *s, uint64_t seed);
void schedule_free(struct schedule *s);

#endif
