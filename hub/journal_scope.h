/* journal_scope -- which channels a reader asks for, on the snapshot that it reads, and how far
 * they were pruned. Patterns become the channels that they take in where those are few; else the
 * scope is wide: every event has to be looked at. */
#ifndef BELFRY_JOURNAL_SCOPE_H
#define BELFRY_JOURNAL_SCOPE_H

#include "base/map.h"
#include "journal_schema.h"

struct scope_item {
    Str name;       /* or pattern, as it was asked for */
    Position floor; /* the highest of its channels */
    Msec time;      /* and of the event there */
};

struct scope {
    struct db *db;
    struct ledger ledger;
    struct scope_item *items;
    size_t item_count;
    size_t pattern_count; /* the first items are patterns, the others names */
    uint64_t *rows;       /* of channels; all, unless it is wide */
    size_t row_count, row_cap;
    size_t expanded; /* of those, how many came from patterns */
    bool is_wide;
    struct map names; /* of items that are no patterns */
};

/* `list` is a packed list and lives as long as the scope. Floors of wide patterns are looked for
 * above `after` only. */
void scope_init(struct scope *s, struct db *db, Str list, Position after);
void scope_fini(struct scope *s);
bool scope_has(const struct scope *s, Str channel);

#endif
