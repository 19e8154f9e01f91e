#include "journal_salvage.h"

#include <stdlib.h>

enum { TRIES = 20000, TRIES_EACH = 4, KEYS_MOST = 1 << 20 };

/* Keys that an index has, in order: all of them, or so many that they lie everywhere among them. */
struct keys_known {
    uint64_t *v;
    size_t n, step, skipped;
    bool is_whole; /* there are no others */
};

struct range {
    uint64_t after, before; /* both excluded */
};

struct work {
    struct salvage *s;
    struct keys_known known;
    /* First come, first served: a hole without rows must not use up all tries. */
    struct range *todo;
    size_t first, n, room;
};

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
    s->is_hopeless = !row;          /* not even the table is known */
    bind_number(row, 1, after + 1); /* a page beside it, that of `after`, is not looked at */
    bind_number(row, 2, before - 1);
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

static void keep_key(struct keys_known *k, uint64_t key)
{
    if (++k->skipped < k->step)
        return;
    k->skipped = 0;
    k->v[k->n++] = key;
    if (k->n < KEYS_MOST)
        return;
    k->n /= 2;
    for (size_t i = 0; i < k->n; i++)
        k->v[i] = k->v[2 * i];
    k->step *= 2;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void find_keys(struct work *w)
{
    struct db *db = w->s->from;
    struct keys_known *k = &w->known;
    *k = (struct keys_known){.v = must_room(KEYS_MOST * sizeof *k->v), .step = 1};
    Statement *row = db_query(db, w->s->known);
    while (db_row(db, row))
        keep_key(k, column_number(row, 0));
    db_end(row);
    k->is_whole = db_is_ok(db) && k->step == 1;
    db_forget_error(db);
    qsort(k->v, k->n, sizeof *k->v, by_number);
}

/* How many are below `key`. */
static size_t count_below(const struct keys_known *k, uint64_t key)
{
    size_t low = 0, high = k->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (k->v[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Where there should be rows what was saved is worth some tries, too. */
static bool goes_on(const struct work *w, bool has_rows)
{
    const struct salvage *s = w->s;
    uint64_t most = TRIES + (has_rows ? TRIES_EACH * s->saved : 0);
    return !s->is_hopeless && s->tries < most && db_is_ok(s->to);
}

static void put_range(struct work *w, uint64_t after, uint64_t before)
{
    if (w->n == w->room) {
        w->room = w->room ? 2 * w->room : 64;
        w->todo = must_realloc(w->todo, w->room * sizeof *w->todo);
    }
    w->todo[w->n++] = (struct range){after, before};
}

static int bits(uint64_t n)
{
    return n ? 64 - __builtin_clzll(n) : 0;
}

/* By orders of magnitude first: nobody knows how far the numbers go. */
static uint64_t middle_of(uint64_t low, uint64_t high)
{
    int least = bits(low), most = bits(high);
    return most - least > 2 ? UINT64_C(1) << (least + most) / 2 : low + (high - low) / 2;
}

/* What neither end of a range led to: in two parts, at the middle one of the rows that should be
 * there. */
static void split(struct work *w, uint64_t low, uint64_t high)
{
    struct salvage *s = w->s;
    if (!w->known.v)
        find_keys(w);
    size_t first = count_below(&w->known, low + 1), end = count_below(&w->known, high - 1);
    bool has_rows = first < end;
    if (high - low == 2 || !goes_on(w, has_rows || !w->known.is_whole)) {
        s->hole = s->hole < high - 1 ? high - 1 : s->hole;
        return;
    }
    uint64_t middle = has_rows ? w->known.v[first + (end - first) / 2] : middle_of(low, high);
    put_range(w, low, middle + 1);
    put_range(w, middle, high);
}

static void salvage(struct work *w, struct range r)
{
    struct salvage *s = w->s;
    uint64_t low = copy(s, s->rising, r.after, r.before, r.before);
    uint64_t high = low < r.before ? copy(s, s->falling, low, r.before, low) : low;
    if (low < r.before && high - low >= 2)
        split(w, low, high);
}

bool salvage_table(struct salvage *s, uint64_t most)
{
    struct work w = {.s = s};
    put_range(&w, 0, most + 1);
    for (; w.first < w.n; w.first++)
        salvage(&w, w.todo[w.first]);
    free(w.known.v);
    free(w.todo);
    return db_is_ok(s->to);
}
