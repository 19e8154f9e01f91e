/* loop -- waiting for descriptors, time and signals: libuv, known to loop.c alone. One thread.
 * Callbacks may free what they like: watches and timers are let go at once and never call again. */
#ifndef BELFRY_LOOP_H
#define BELFRY_LOOP_H

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct timer;

struct loop *loop_new(struct fault *why); /* NULL: no descriptor is left */
void loop_free(struct loop *l);           /* everything in it must be freed before */
void loop_run(struct loop *l);            /* until loop_stop */
void loop_stop(struct loop *l);
Msec loop_now(const struct loop *l); /* monotonic; read once a turn */

enum {
    LOOP_READ = 1,
    LOOP_WRITE = 2,
    LOOP_LEFT = 4,  /* the peer said that it sends no more */
    LOOP_ERROR = 8, /* broken or hung up; asked for alone, only that is told */
};
struct watch;
typedef void loop_on_events(struct watch *w, int events);

/* Lies inside what waits (CONTAINER_OF): each stream has one. */
struct watch {
    loop_on_events *on_events; /* NULL: not open */
    int fd;
    uint8_t asked;
    bool is_in; /* the epoll set */
};

/* False: such a descriptor cannot be waited for (a regular file: it is always ready). */
bool watch_open(struct loop *l, struct watch *w, int fd, int events, loop_on_events *on_events);
void watch_set(struct loop *l, struct watch *w, int events); /* 0: nothing for now */
/* Before the descriptor is closed; one that is not open is fine. */
void watch_close(struct loop *l, struct watch *w);

struct timer *timer_new(struct loop *l, void (*on_time)(void *owner), void *owner);
void timer_every(struct timer *t, Msec every);
void timer_once(struct timer *t, Msec after); /* anew, where it runs already */
void timer_free(struct timer *t);

MUST_USE bool loop_on_signal(struct loop *l, int number, void (*on_signal)(void *owner, int number),
                             void *owner, struct fault *why);
/* Called before each sleep. True: there is more to do, so don't sleep. */
void loop_before_sleep(struct loop *l, bool (*hook)(void *owner), void *owner);

#endif
