/* shelf -- the recent events of a worker in the order of their positions, bounded in number and
 * bytes, each rendered once for each form. Streams that are a little behind are served from it.
 * Knows no channels and no streams; what it covers is for its users to say. */
#ifndef BELFRY_SHELF_H
#define BELFRY_SHELF_H

#include "sink.h"

struct shelf;

/* One event with what was rendered of it: counted, shared by all that still have to write it. */
struct item {
    unsigned refs;
    struct event *event;
    struct chunk *forms[FORM_COUNT]; /* NULL: nobody asked yet */
    struct shelf *shelf;             /* whose bytes it counts in; NULL: none */
};

struct item *item_new(const struct event *e); /* a copy */
struct item *item_ref(struct item *i);
void item_unref(struct item *i);
/* Stays the item's. */
struct chunk *item_render(struct item *i, const struct sink_ops *ops);

struct shelf *shelf_new(uint64_t max_events, uint64_t max_bytes);
void shelf_free(struct shelf *s);
/* Its position must lie above all that are there. The oldest make room. */
void shelf_put(struct shelf *s, struct item *i);
size_t shelf_len(const struct shelf *s);
struct item *shelf_get(const struct shelf *s, size_t i);
/* The index of the first above the position, or the length. */
size_t shelf_find(const struct shelf *s, Position above);
/* The newest that made room; none: nothing did. Nothing at or below it is there. */
Cursor shelf_evicted(const struct shelf *s);
/* A fork of the log: nothing above it holds any more. */
void shelf_cut(struct shelf *s, Cursor fork);

#endif
