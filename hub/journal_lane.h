/* journal_lane -- operations on their way between threads: a lane leads from the engine's thread to
 * one that works, the outbox leads back. Knows no database. */
#ifndef BELFRY_JOURNAL_LANE_H
#define BELFRY_JOURNAL_LANE_H

#include "journal.h"

#include <pthread.h>
#include <stdatomic.h>

struct op_list {
    struct op *first, **end;
};

void op_list_init(struct op_list *l);
void op_list_add(struct op_list *l, struct op *op);
void op_list_move(struct op_list *to, struct op_list *from); /* `from` is empty then */
struct op *op_list_take(struct op_list *l);                  /* NULL when empty */

/* What waits for one thread. */
struct lane {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct op_list waiting;
    bool closing, running, has_ended;
};

void lane_init(struct lane *l);
void lane_fini(struct lane *l);
/* The thread gets no signals. */
MUST_USE bool lane_start(struct lane *l, void *(*run)(void *), void *ctx, struct fault *why);
void lane_put(struct lane *l, struct op_list *ops);
/* Moves what waits to `out`: `most` operations and `bytes` of appends, but one at least. Waits for
 * some until clock_mono() is `until`. False when the lane is closing and nothing is left. */
bool lane_take(struct lane *l, struct op_list *out, size_t most, size_t bytes, Msec until);
bool lane_is_empty(struct lane *l);
bool lane_is_closing(struct lane *l);
void lane_close(struct lane *l); /* the thread is to work off what waits, and to end */
void lane_join(struct lane *l);
bool lane_join_within(struct lane *l, Msec ms); /* false: it still runs */

/* What is done, and whether there is no going on. */
struct outbox {
    pthread_mutex_t lock;
    struct op_list done;
    atomic_bool is_broken;
    struct fault why; /* it is broken: the first reason */
    int fd;           /* an eventfd, readable when there is something */
};

MUST_USE bool outbox_init(struct outbox *o, struct fault *why);
void outbox_fini(struct outbox *o);
void outbox_put(struct outbox *o, struct op_list *done);
void outbox_take(struct outbox *o, struct op_list *out);
/* Nothing more is to be done with the log; wakes who waits. */
void outbox_break(struct outbox *o, const struct fault *why);
bool outbox_is_broken(struct outbox *o);
void outbox_why(struct outbox *o, struct fault *why);

#endif
