/* advice -- what the application says when it is asked: whether somebody may, for how long, and, of
 * a connection, who that is and what else that one may. Pure. */
#ifndef BELFRY_ADVICE_H
#define BELFRY_ADVICE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"

#define ADVICE_BYTES  65536 /* of an answer */
#define ADVICE_GRANTS 256   /* names and patterns for one right */
#define ADVICE_HOLDS  ((Msec)86400000)

struct advice {
    bool allow;
    Msec hold; /* how long it holds; 0: for this one request or stream */
    /* Of a connection: */
    struct buf user;   /* empty: as it was */
    struct buf grants; /* as in CHANGE (message.def); empty: none */
    struct buf public; /* JSON, shown of the user to whoever sees presence */
};

/* A fault is HOOK_AWAY: who cannot be understood has not answered. */
MUST_USE bool advice_read(struct advice *a, Str text, bool is_connection, struct fault *why);
void advice_fini(struct advice *a); /* after a fault, too */

#endif
