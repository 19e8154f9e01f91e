#include "journal_positions.h"

#include <stdlib.h>

/* The lowest keys so far: up to twice as many as wanted, then the upper half is dropped, and what
 * is not below `bound` is of no interest any more. The key of a position rises in the order
 * wanted. */
struct lowest {
    uint64_t *v;
    size_t n, most;
    uint64_t bound;
    bool falling;
};

static uint64_t key_of(const struct lowest *l, Position at)
{
    return l->falling ? ~at : at;
}

static int by_key(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void cut(struct lowest *l)
{
    size_t n = 0;
    qsort(l->v, l->n, sizeof *l->v, by_key);
    for (size_t i = 0; i < l->n && n < l->most; i++)
        if (n == 0 || l->v[i] != l->v[n - 1]) /* a channel may have been asked for twice */
            l->v[n++] = l->v[i];
    l->n = n;
    if (n == l->most)
        l->bound = l->v[n - 1];
}

static Statement *query(struct db *db, struct range range)
{
    enum query q = range.living    ? QUERY_LIVING_FALLING
                   : range.falling ? QUERY_POSITIONS_FALLING
                                   : QUERY_POSITIONS_RISING;
    Statement *s = db_query(db, q);
    if (range.living)
        bind_number(s, 4, range.living);
    return s;
}

static void add_channel(struct lowest *l, struct db *db, uint64_t row, struct range range)
{
    Statement *s = query(db, range);
    bind_number(s, 1, row);
    bind_number(s, 2, range.after);
    bind_number(s, 3, range.upto);
    while (db_row(db, s)) {
        uint64_t key = key_of(l, column_number(s, 0));
        if (key >= l->bound)
            break;
        l->v[l->n++] = key;
        if (l->n == 2 * l->most)
            cut(l);
    }
    db_end(s);
}

void positions_find(struct positions *p, struct db *db, const uint64_t *rows, size_t row_count,
                    struct range range, size_t most)
{
    struct lowest l = {must_alloc(2 * most * sizeof *l.v), 0, most, UINT64_MAX, range.falling};
    for (size_t i = 0; i < row_count; i++)
        add_channel(&l, db, rows[i], range);
    cut(&l);
    for (size_t i = 0; i < l.n; i++)
        l.v[i] = key_of(&l, l.v[i]); /* undoes itself */
    *p = (struct positions){l.v, l.n};
}

void positions_fini(struct positions *p)
{
    free(p->v);
}

/* Time never goes back, so the events that are older come first. */
Position position_of_time(struct db *db, Msec since, Position head)
{
    Position low = 0,
             high = head; /* low: what lies up to it is older; high: what lies above is not */
    while (low < high) {
        Position middle = low + (high - low) / 2;
        Statement *s = db_query(db, QUERY_FIRST_AFTER);
        bind_number(s, 1, middle);
        Position at = db_row(db, s) ? column_number(s, 0) : 0;
        if (at && column_number(s, 1) < since)
            low = at;
        else
            high = middle;
        db_end(s);
    }
    Statement *s = db_query(db, QUERY_FIRST_AFTER);
    bind_number(s, 1, low);
    Position after = db_row(db, s) ? column_number(s, 0) - 1 : head;
    db_end(s);
    return after;
}
