/* event -- one message on one channel: counted, and immutable once it is shared.
 * All its bytes are one allocation; the slices point into it. Not for several threads at once. */
#ifndef BELFRY_EVENT_H
#define BELFRY_EVENT_H

#include "base/buf.h"
#include "base/clock.h"
#include "wire/cursor.h"

enum {
    EVENT_JSON = 1,      /* data is one JSON value without white space between tokens; else text */
    EVENT_EPHEMERAL = 2, /* not in the log: id.at is 0 */
    EVENT_MISSED = 4,    /* ephemeral, between two polls of `to`: for the one just opened alone */
};

struct event {
    unsigned refs;
    uint8_t flags;
    Cursor id;
    Position prev; /* the channel's event before this one; 0: none, or not known */
    Msec time;     /* when it was logged, since 1970 */
    Msec expires;  /* since 1970; not delivered after; 0: never */
    Str channel;
    Str name;    /* may be empty */
    Str user;    /* who published; empty: anonymous */
    Str exclude; /* the client that does not get it; empty: all do */
    Str to;      /* the only client that gets it; empty: whoever is on the channel */
    Str data;
};

/* A copy with one reference. */
struct event *event_new(const struct event *model);
struct event *event_ref(struct event *e);
void event_unref(struct event *e); /* NULL is fine */
/* What it holds in memory and, about, in the log. */
size_t event_size(const struct event *e);

/* The one wire form (message.h: EVENT's body, an item of ROWS). */
bool event_pack(struct buf *out, const struct event *e);
/* The slices point into `body`; refs is 0: event_new() it to keep it. */
MUST_USE bool event_unpack(Str body, struct event *out);

static inline bool event_is_ephemeral(const struct event *e)
{
    return e->flags & EVENT_EPHEMERAL;
}

static inline bool event_is_expired(const struct event *e, Msec wall)
{
    return e->expires && e->expires <= wall;
}

#endif
