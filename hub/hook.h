/* hook -- the application, as the engine sees it: it is asked who a connection is and what only it
 * knows of channels, and told of users and channels that come and go. What goes out are texts with
 * a number, what comes in are answers to them, or that there is none. No I/O.
 *
 * An answer is remembered for as long as it says; a question that waits for it is asked once for
 * all who want to know. What it is told waits until it has heard it, in order. */
#ifndef BELFRY_HOOK_H
#define BELFRY_HOOK_H

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "wire/hooking.h"

struct hub;
struct peer;

struct hooks {
    bool wants[HOOK_EVENTS];
    /* asked (hook.c) */
    struct map questions, by_id;
    struct list order; /* of the questions: whose time ends first */
    struct map known;
    struct list remembered; /* the oldest first */
    uint64_t last_id;
    Msec complained;
    /* told (hook_tell.c) */
    struct list notices;
    size_t notice_count, under_way; /* under_way: the first so many are being told */
    uint64_t telling;               /* the number of that; 0: nothing */
    uint64_t told, lost;            /* lost: since it was said last */
    Msec retry, pause;
};

void hooks_init(struct hooks *k, const struct options *o);
void hooks_fini(struct hub *h);
void hook_start(struct hub *h);

/* CONSULT. False: malformed. */
bool hook_on_consult(struct hub *h, struct peer *p, Str body);
/* `name`: of a user, or a channel. */
void hook_tell(struct hub *h, enum hook_event event, Str name);
/* Asks and tells what is due. */
void hook_tick(struct hub *h);

/* hook_tell.c */
void hook_tell_next(struct hub *h);
void hook_on_told(struct hub *h, const struct fault *why); /* NULL: it has heard it */
void hook_forget_notices(struct hub *h);

#endif
