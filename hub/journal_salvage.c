#include "journal_salvage.h"

enum { TRIES = 20000, TRIES_EACH = 4 };

/* Holes cost tries, and what is saved is worth some. */
static bool goes_on(const struct salvage *s)
{
    return !s->is_hopeless && s->tries < TRIES + TRIES_EACH * s->saved && db_is_ok(s->to);
}

/* A row that breaks a rule of its table was none. */
static bool add(struct salvage *s, Statement *row)
{
    Statement *q = db_query(s->to, s->add);
    for (int i = 0; i < s->columns; i++)
        bind_column(q, i + 1, row, i);
    if (db_run(s->to, q)) {
        s->saved++;
        return true;
    }
    if (db_is_damaged(s->to))
        db_forget_error(s->to);
    return false;
}

/* Copies from one end until there is an error. Returns the last key that was copied, or `end` where
 * all were. */
static uint64_t copy(struct salvage *s, enum query query, uint64_t after, uint64_t before,
                     uint64_t end)
{
    uint64_t at = query == s->rising ? after : before;
    bool is_good = true;
    s->tries++;
    Statement *row = db_query(s->from, query);
    s->is_hopeless = !row; /* not even the table is known */
    bind_number(row, 1, after);
    bind_number(row, 2, before);
    while (is_good && db_row(s->from, row)) {
        uint64_t key = column_number(row, 0);
        bool is_next = query == s->rising ? key > at : key < at;
        is_good = is_next && key > after && key < before && add(s, row);
        if (is_good)
            at = key;
    }
    db_end(row);
    is_good = is_good && db_is_ok(s->from);
    db_forget_error(s->from);
    return is_good ? end : at;
}

/* What lies between `after` and `before`, both excluded. */
static void salvage(struct salvage *s, uint64_t after, uint64_t before)
{
    uint64_t low = copy(s, s->rising, after, before, before);
    uint64_t high = low < before ? copy(s, s->falling, low, before, low) : low;
    if (high - low < 2 || low >= before)
        return;
    if (high - low == 2 || !goes_on(s)) {
        s->hole = s->hole < high - 1 ? high - 1 : s->hole;
        return;
    }
    uint64_t middle = low + (high - low) / 2;
    salvage(s, low, middle + 1);
    salvage(s, middle, high);
}

bool salvage_table(struct salvage *s, uint64_t most)
{
    salvage(s, 0, most + 1);
    return db_is_ok(s->to);
}
