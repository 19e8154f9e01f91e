/* outlet -- where the bytes of one answer go: a FastCGI connection, a CGI pipe, a test.
 * Takes one chunk at a time and holds no more than that; tells when there is room again. */
#ifndef BELFRY_OUTLET_H
#define BELFRY_OUTLET_H

#include "base/clock.h"
#include "chunk.h"

#include <stdbool.h>

struct outlet;

struct outlet_ops {
    /* Takes a reference. True: all of it is out and more may follow at once. False: the outlet
     * keeps the rest and calls its owner's on_writable when it is out; nothing may be written till
     * then. */
    bool (*write)(struct outlet *o, struct chunk *c);
    /* The answer is complete: END_REQUEST after what is still to go. The outlet is gone for the
     * caller, who hears nothing more of it. */
    void (*finish)(struct outlet *o);
    /* Closes as it is, at once: a browser that does not read. As after finish, it is gone. */
    void (*abort)(struct outlet *o);
    /* As write, for what is followed by more in a moment and may leave with that. NULL: there is no
     * such thing here. */
    bool (*hold)(struct outlet *o, struct chunk *c);
};

/* What writes into an outlet, written down for another worker (image.def). */
struct portrait {
    struct buf stream, poll; /* packed; poll empty: there is none between */
    Msec wait;
};

struct outlet_owner_ops {
    void (*on_writable)(void *owner);
    void (*on_gone)(void *owner); /* the browser left; the outlet is gone already */
    /* NULL: a short answer, which another worker cannot go on with. */
    void (*draw)(const void *owner, Msec now, struct portrait *p);
};

/* First member of what implements it. */
struct outlet {
    const struct outlet_ops *ops;
    const struct outlet_owner_ops *owner_ops; /* set by who writes to it */
    void *owner;
};

#endif
