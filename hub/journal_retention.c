#include "journal_retention.h"

#include <assert.h>
#include <stdlib.h>

struct pruned_event {
    Position at;
    uint64_t size;
};

static struct pruned *remember_prune(struct retained *r, uint64_t row)
{
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 16;
        r->recent = must_realloc(r->recent, r->cap * sizeof *r->recent);
    }
    r->recent[r->n] = (struct pruned){.row = row};
    return &r->recent[r->n++];
}

static void remember_event(struct pruned *p, Position at, uint64_t size)
{
    if (p->n == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 64;
        p->events = must_realloc(p->events, p->cap * sizeof *p->events);
    }
    p->events[p->n++] = (struct pruned_event){at, size};
}

static bool is_due(const struct prune *p, Msec time)
{
    return p->rows < p->most &&
           (p->rows < p->excess_rows || p->bytes < p->excess_bytes || time < p->before);
}

/* Which events go: fills the answers and returns the time of the last one. */
static Msec choose(struct retained *r, struct prune *p, struct pruned *memory)
{
    Msec floor_time = 0;
    Statement *s = db_query(r->db, QUERY_OLDEST_EVENTS);
    bind_number(s, 1, p->row);
    while (db_row(r->db, s)) {
        Msec time = column_number(s, 1);
        if (!is_due(p, time)) {
            p->oldest = time;
            break;
        }
        p->floor = column_number(s, 0);
        p->rows++;
        p->bytes += column_number(s, 2);
        floor_time = time;
        remember_event(memory, p->floor, column_number(s, 2));
    }
    db_end(s);
    return floor_time;
}

static void delete_events(struct retained *r, const struct prune *p)
{
    Statement *s = db_query(r->db, QUERY_DELETE_EVENTS);
    bind_number(s, 1, p->row);
    bind_number(s, 2, p->floor);
    db_run(r->db, s);
}

/* Events that the stored figures do not take in yet are not subtracted from them. */
static void raise_floor(struct retained *r, const struct prune *p, const struct pruned *memory,
                        Msec floor_time)
{
    uint64_t rows = 0, bytes = 0;
    for (; rows < memory->n && memory->events[rows].at <= r->ledger->counted; rows++)
        bytes += memory->events[rows].size;
    Statement *s = db_query(r->db, QUERY_RAISE_FLOOR);
    bind_number(s, 1, p->row);
    bind_number(s, 2, p->floor);
    bind_number(s, 3, floor_time);
    bind_number(s, 4, rows);
    bind_number(s, 5, bytes);
    bind_number(s, 6, p->oldest);
    db_run(r->db, s);
    if (r->ledger->floor < p->floor)
        r->ledger->floor = p->floor;
}

static Position stored_floor(struct retained *r, uint64_t row)
{
    Statement *s = db_query(r->db, QUERY_FLOOR);
    bind_number(s, 1, row);
    Position floor = db_row(r->db, s) ? column_number(s, 0) : 0;
    db_end(s);
    return floor;
}

void retained_prune(struct retained *r, struct prune *p)
{
    p->rows = p->bytes = 0;
    p->floor = 0;
    p->oldest = 0;
    struct pruned *memory = remember_prune(r, p->row);
    Msec floor_time = choose(r, p, memory);
    if (!p->rows) {
        p->floor = stored_floor(r, p->row);
        return;
    }
    delete_events(r, p);
    raise_floor(r, p, memory, floor_time);
}

/* What the maker of the note took for present, and is gone. */
static void uncount(struct retained *r, const struct note *n, uint64_t row)
{
    uint64_t rows = 0, bytes = 0;
    size_t i = n->known > r->first ? (size_t)(n->known - r->first) : 0;
    for (; i < r->n; i++) {
        const struct pruned *p = &r->recent[i];
        for (size_t j = 0; p->row == row && j < p->n && p->events[j].at <= n->counted; j++) {
            rows++;
            bytes += p->events[j].size;
        }
    }
    if (!rows)
        return;
    Statement *s = db_query(r->db, QUERY_UNCOUNT);
    bind_number(s, 1, row);
    bind_number(s, 2, rows);
    bind_number(s, 3, bytes);
    db_run(r->db, s);
}

void retained_note(struct retained *r, const struct note *n)
{
    assert(n->counted >= r->ledger->counted);
    for (size_t i = 0; i < n->n; i++) {
        const struct note_channel *c = &n->channels[i];
        Statement *s = db_query(r->db, QUERY_NOTE_CHANNEL);
        bind_number(s, 1, c->row);
        bind_number(s, 2, c->count);
        bind_number(s, 3, c->bytes);
        bind_number(s, 4, c->last);
        bind_number(s, 5, c->oldest);
        db_run(r->db, s);
        uncount(r, n, c->row);
    }
    r->ledger->counted = n->counted;
}

void retained_forget(struct retained *r, struct forget *f)
{
    struct ledger *l = r->ledger;
    Position highest = f->highest;
    for (size_t i = 0; i < f->n; i++) {
        Statement *s = db_query(r->db, QUERY_FORGET_CHANNEL);
        bind_number(s, 1, f->rows[i]);
        while (db_row(r->db, s)) {
            if (highest < column_number(s, 0))
                highest = column_number(s, 0);
            if (l->forgotten_time < column_number(s, 1))
                l->forgotten_time = column_number(s, 1);
        }
    }
    if (l->forgotten < highest)
        l->forgotten = highest;
    if (l->floor < l->forgotten)
        l->floor = l->forgotten;
    f->highest = l->forgotten;
}

uint64_t retained_next(const struct retained *r)
{
    return r->first + r->n;
}

void retained_undo(struct retained *r, uint64_t from, size_t n)
{
    for (uint64_t i = from; i < retained_next(r); i++)
        r->recent[i - r->first].n = 0;
    while (retained_next(r) < from + n)
        remember_prune(r, 0);
}

void retained_known(struct retained *r, uint64_t below)
{
    size_t n = below > r->first ? (size_t)(below - r->first) : 0;
    if (!n)
        return;
    for (size_t i = 0; i < n; i++)
        free(r->recent[i].events);
    memmove(r->recent, r->recent + n, (r->n - n) * sizeof *r->recent);
    r->n -= n;
    r->first = below;
}

void retained_fini(struct retained *r)
{
    retained_known(r, retained_next(r));
    free(r->recent);
}
