/* cursor -- a place in the log: <epoch>-<position>. As an event's id it is that event;
 * as what a reader has, everything up to it was read.
 *
 * Positions rise over the whole log, over all epochs, and start at 1; 0 is "before everything".
 * An epoch is 40 random bits, written as 8 characters of a-z2-7; every start of the hub opens one,
 * so that an id never means two things, not even after a restored backup. 0: none. */
#ifndef BELFRY_CURSOR_H
#define BELFRY_CURSOR_H

#include "base/str.h"

typedef uint64_t Position;

typedef struct {
    uint64_t epoch;
    Position at;
} Cursor;

#define CURSOR_NONE       ((Cursor){0, 0})
#define CURSOR_EPOCH_BITS 40
#define CURSOR_TEXT       30  /* 8 + 1 + 20 digits + NUL */
#define REQUESTED_MAX     128 /* bytes of what a client may write for one, to be told it back */

static inline bool cursor_is_none(Cursor c)
{
    return c.epoch == 0;
}

/* Exactly the written form: 8 characters, a dash, digits without leading zeros up to 2^63 - 1. */
bool cursor_parse(Str text, Cursor *out);
/* Returns the written form, which lies in `out`. "" for none. */
Str cursor_print(Cursor c, char out[CURSOR_TEXT]);

#endif
