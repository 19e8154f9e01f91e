/* begin -- where a stream begins: at a cursor that is judged, at a time, at the newest so many, at
 * the earliest or at the present; and what of what it is owed is no longer there. */
#ifndef BELFRY_BEGIN_H
#define BELFRY_BEGIN_H

#include "journal.h"
#include "wire/message.h"

struct hub;

struct begin {
    uint8_t start; /* enum start */
    Cursor at;
    uint64_t value;
    Str names; /* its channels and patterns; whoever owns them */
    /* answers */
    Cursor from, oldest;
    int reason; /* enum gap_reason */
    struct buf missing;
};

void begin_fini(struct begin *b);
/* The log must be asked first (OP_FIND). */
bool begin_needs_find(const struct begin *b);
void begin_prepare_find(const struct hub *h, const struct begin *b, struct finding *f);
/* `f` may be NULL where nothing had to be found. */
void begin_judge(const struct hub *h, struct begin *b, Position join, const struct finding *f);

/* The floors of the slice's own snapshot, which may be above those that were judged by. */
void begin_take_missing(const struct hub *h, struct begin *b, const struct reading *r);

/* A list of names and patterns that may be subscribed to. */
bool names_are_valid(Str list, const char *field, struct fault *why);

#endif
