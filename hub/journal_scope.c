#include "journal_scope.h"
#include "wire/message.h"
#include "wire/names.h"

#include <stdlib.h>

enum {
    FEW_CHANNELS = 1024,  /* from patterns */
    FEW_LOOKED_AT = 8192, /* of which those are picked */
    HIGHEST_FLOORS = 1024,
};

static void raise_item(struct scope_item *item, Position floor, Msec time)
{
    if (item->floor >= floor)
        return;
    item->floor = floor;
    item->time = time;
}

static void add_row(struct scope *s, uint64_t row)
{
    if (s->row_count == s->row_cap) {
        s->row_cap = s->row_cap ? 2 * s->row_cap : 16;
        s->rows = must_realloc(s->rows, s->row_cap * sizeof *s->rows);
    }
    s->rows[s->row_count++] = row;
}

/* A channel that is not known may have been, and was forgotten. */
static void resolve_name(struct scope *s, struct scope_item *item)
{
    map_put(&s->names, item->name, item);
    Statement *q = db_query(s->db, QUERY_CHANNEL_BY_NAME);
    bind_text(q, 1, item->name);
    if (db_row(s->db, q)) {
        add_row(s, column_number(q, 0));
        raise_item(item, column_number(q, 1), column_number(q, 2));
    } else {
        raise_item(item, s->ledger.forgotten, s->ledger.forgotten_time);
    }
    db_end(q);
}

/* All channels that begin as the pattern does, up to so many. False: there are more. */
static bool walk_pattern(struct scope *s, struct scope_item *item, size_t most, bool with_rows)
{
    Str stem = str_make(item->name.p, item->name.len - 1);
    size_t looked_at = 0;
    bool whole = true;
    Statement *q = db_query(s->db, QUERY_CHANNELS_FROM_NAME);
    bind_text(q, 1, stem);
    while (whole && db_row(s->db, q)) {
        Str name = column_text(q, 0);
        if (!str_starts(name, stem))
            break;
        if (pattern_matches(item->name, name)) {
            raise_item(item, column_number(q, 2), column_number(q, 3));
            if (with_rows) {
                add_row(s, column_number(q, 1));
                s->expanded++;
            }
        }
        whole = ++looked_at < most && s->expanded < FEW_CHANNELS;
    }
    db_end(q);
    return whole;
}

/* Where one of the channels with the highest floors is taken in, the answer is near; where none
 * is, the pattern takes in only channels that are seldom pruned, and they are gone through. */
static void find_wide_floor(struct scope *s, struct scope_item *item, Position after)
{
    size_t n = 0;
    bool found = false;
    if (s->ledger.floor <= after)
        return;
    Statement *q = db_query(s->db, QUERY_HIGHEST_FLOORS);
    bind_number(q, 1, after);
    bind_number(q, 2, HIGHEST_FLOORS);
    while (!found && db_row(s->db, q)) {
        n++;
        found = pattern_matches(item->name, column_text(q, 0));
        if (found)
            raise_item(item, column_number(q, 1), column_number(q, 2));
    }
    db_end(q);
    if (!found && n == HIGHEST_FLOORS)
        walk_pattern(s, item, SIZE_MAX, false);
}

static void resolve_pattern(struct scope *s, struct scope_item *item, Position after)
{
    raise_item(item, s->ledger.forgotten, s->ledger.forgotten_time);
    if (!s->is_wide && walk_pattern(s, item, FEW_LOOKED_AT, true))
        return;
    s->is_wide = true;
    s->expanded = 0;
    find_wide_floor(s, item, after);
}

static void add_items(struct scope *s, Str list, bool patterns)
{
    Str name;
    while (list_next(&list, &name))
        if (is_pattern(name) == patterns)
            s->items[s->item_count++].name = name;
}

void scope_init(struct scope *s, struct db *db, Str list, Position after)
{
    *s = (struct scope){.db = db};
    map_init(&s->names);
    ledger_read(db, &s->ledger);
    s->items = must_alloc((list_count(list) + 1) * sizeof *s->items);
    add_items(s, list, true);
    s->pattern_count = s->item_count;
    add_items(s, list, false);
    for (size_t i = 0; i < s->pattern_count; i++)
        resolve_pattern(s, &s->items[i], after);
    for (size_t i = s->pattern_count; i < s->item_count; i++)
        resolve_name(s, &s->items[i]);
}

void scope_fini(struct scope *s)
{
    map_fini(&s->names);
    free(s->items);
    free(s->rows);
}

bool scope_has(const struct scope *s, Str channel)
{
    if (map_get(&s->names, channel))
        return true;
    for (size_t i = 0; i < s->pattern_count; i++)
        if (pattern_matches(s->items[i].name, channel))
            return true;
    return false;
}
