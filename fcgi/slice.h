/* slice -- a piece of the log asked of the hub, shared by all streams that want the same. So many
 * are under way at once; the others wait in a row. For replay.c and roster.c alone. */
#ifndef BELFRY_SLICE_H
#define BELFRY_SLICE_H

#include "base/list.h"
#include "base/map.h"
#include "link.h"
#include "shelf.h"

struct slices;
struct slice;

/* What came: valid during the call. */
struct slice_rows {
    struct item **items; /* rising, or falling as asked */
    size_t len;
    Cursor next;
    bool more;
    enum gap_reason reason;
    Cursor oldest;
    Str missing;
};

/* First member of who waits for one. */
struct slice_waiter {
    struct list node;
    struct slice *slice; /* NULL: it waits for none */
    /* NULL: it could not be read; ask again later. It waits for none any more. */
    void (*take)(struct slice_waiter *w, const struct slice_rows *rows);
};

struct slices *slices_new(struct link *link);
void slices_free(struct slices *ss);
uint64_t slices_asked(const struct slices *ss); /* ever */
/* (after, upto] of these names; positions that need no judging. */
void slice_want(struct slices *ss, struct slice_waiter *w, Position after, Position upto,
                uint32_t limit, bool descending, Str channels);
void slice_unwant(struct slice_waiter *w);

#endif
