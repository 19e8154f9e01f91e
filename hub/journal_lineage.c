#include "journal_lineage.h"

#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>

enum { EPOCHS_KEPT = 65536, EPOCH_TEXT = 8 };

void lineage_fini(struct lineage *l)
{
    free(l->v);
    *l = (struct lineage){0};
}

uint64_t lineage_epoch(const struct lineage *l, Position at)
{
    size_t low = 0, high = l->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->v[middle].first <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return l->n ? l->v[low ? low - 1 : 0].name : 0;
}

static struct epoch *add(struct lineage *l)
{
    if ((l->n & (l->n - 1)) == 0)
        l->v = must_realloc(l->v, (l->n ? 2 * l->n : 1) * sizeof *l->v);
    l->v[l->n] = (struct epoch){0};
    return &l->v[l->n++];
}

static bool read_name(Str word, uint64_t *out)
{
    char text[CURSOR_TEXT];
    Cursor c;
    int len = snprintf(text, sizeof text, "%.*s-0", FMT(word.len == EPOCH_TEXT ? word : STR("")));
    bool good = cursor_parse(str_make(text, (size_t)len), &c);
    *out = good ? c.epoch : 0;
    return good;
}

bool lineage_read(struct db *db, struct lineage *l)
{
    Statement *s = db_query(db, QUERY_EPOCHS);
    Position before = 0;
    while (db_row(db, s)) {
        struct epoch *e = add(l);
        e->first = column_number(s, 1);
        e->opened = column_number(s, 2);
        snprintf(e->reason, sizeof e->reason, "%.*s", FMT(column_text(s, 3)));
        if (!read_name(column_text(s, 0), &e->name) || e->first < before)
            db_damaged(db, "epoch %zu is none", l->n);
        before = e->first;
    }
    return db_is_ok(db);
}

static bool has(const struct lineage *l, uint64_t name)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].name == name)
            return true;
    return false;
}

void lineage_add(struct lineage *l, Position first, const char *reason)
{
    uint64_t name;
    do
        name = random_u64() & ((UINT64_C(1) << CURSOR_EPOCH_BITS) - 1);
    while (!name || has(l, name));
    struct epoch *e = add(l);
    e->name = name;
    e->first = first;
    e->opened = clock_wall();
    snprintf(e->reason, sizeof e->reason, "%s", reason);
}

bool lineage_write(struct db *db, const struct epoch *e)
{
    char text[CURSOR_TEXT];
    Str name = cursor_print((Cursor){e->name, 0}, text);
    Statement *s = db_query(db, QUERY_ADD_EPOCH);
    bind_text(s, 1, str_make(name.p, EPOCH_TEXT));
    bind_number(s, 2, e->first);
    bind_number(s, 3, e->opened);
    bind_text(s, 4, str_of(e->reason));
    return db_run(db, s);
}

bool lineage_write_last(struct db *db, const struct lineage *l)
{
    lineage_write(db, &l->v[l->n - 1]);
    Statement *s = db_query(db, QUERY_DROP_EPOCHS);
    bind_number(s, 1, EPOCHS_KEPT);
    return db_run(db, s);
}
