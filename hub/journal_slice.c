/* A slice of the log, and where a reader is to begin. */
#include "journal_positions.h"
#include "journal_reader.h"
#include "journal_scope.h"

#include <assert.h>
#include <stdlib.h>

enum {
    LOOK_AT = 8192,         /* events, for one slice of a wide scope */
    VERY_MANY = 1024,       /* channels */
    SHORT = 4,              /* a range of fewer events than so many for each of them */
    LOOK_AT_FIND = 65536,   /* and to find where to begin in it */
    LAST_MOST = 1000 * 1000 /* the most that `last` may ask for */
};

struct slice {
    struct reader *reader;
    struct reading *r;
    struct scope scope;
    struct range range;
    size_t cap, bytes;
    uint32_t limit;
};

/* Columns of the queries event, events_rising, events_falling. */
enum column { POSITION, CHANNEL, TIME, SIZE, FLAGS, EXPIRES, NAME, USER, EXCLUDE, RECIPIENT, DATA };

static struct event *make_event(const struct reader *r, Statement *s)
{
    Position at = column_number(s, POSITION);
    struct event model = {
        .flags = (uint8_t)column_number(s, FLAGS),
        .id = {lineage_epoch(r->lineage, at), at},
        .time = column_number(s, TIME),
        .expires = column_number(s, EXPIRES),
        .channel = column_text(s, CHANNEL),
        .name = column_text(s, NAME),
        .user = column_text(s, USER),
        .exclude = column_text(s, EXCLUDE),
        .to = column_text(s, RECIPIENT),
        .data = column_text(s, DATA),
    };
    return event_new(&model);
}

static bool is_left_out(const struct slice *s, Statement *row)
{
    Msec expires = column_number(row, EXPIRES);
    return (expires && expires <= s->r->now) || column_number(row, TIME) < s->r->since;
}

static void doubt(struct slice *s, Statement *row, size_t size)
{
    if (column_text(row, DATA).len > size || column_number(row, FLAGS) > EVENT_JSON)
        db_damaged(&s->reader->db, "event %llu cannot be",
                   (unsigned long long)column_number(row, POSITION));
}

/* False: the slice has no room for this one. */
static bool add_event(struct slice *s, Statement *row)
{
    struct reading *r = s->r;
    if (is_left_out(s, row))
        return true;
    size_t size = column_number(row, SIZE);
    doubt(s, row, size);
    if (r->n && (r->n >= s->limit || s->bytes + size > r->bytes))
        return false;
    if (r->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 16;
        r->events = must_realloc(r->events, s->cap * sizeof(struct event *));
    }
    r->events[r->n++] = make_event(s->reader, row);
    s->bytes += size;
    return true;
}

/* Everything up to there was looked at; or everything there is. */
static void stop_at(struct slice *s, Position at)
{
    s->r->next = at;
    s->r->more = true;
}

static void stop_at_end(struct slice *s)
{
    s->r->next = s->range.falling ? s->range.after + 1 : s->range.upto;
    s->r->more = false;
}

static void read_channels(struct slice *s)
{
    struct db *db = s->scope.db;
    struct positions found;
    bool full = false;
    positions_find(&found, db, s->scope.rows, s->scope.row_count, s->range, (size_t)s->limit + 1);
    stop_at_end(s);
    for (size_t i = 0; i < found.n && !full; i++) {
        Statement *row = db_query(db, QUERY_EVENT);
        bind_number(row, 1, found.v[i]);
        bool is_there = db_row(db, row) || db_damaged(db, "event %llu is in its index alone",
                                                      (unsigned long long)found.v[i]);
        full = i == s->limit || (is_there && !add_event(s, row));
        if (full)
            stop_at(s, found.v[i - 1]); /* the first one always has room */
        db_end(row);
    }
    positions_fini(&found);
}

static void read_all(struct slice *s)
{
    struct db *db = s->scope.db;
    Position looked_at = 0;
    bool full = false;
    Statement *row = db_query(db, s->range.falling ? QUERY_EVENTS_FALLING : QUERY_EVENTS_RISING);
    bind_number(row, 1, s->range.after);
    bind_number(row, 2, s->range.upto);
    stop_at_end(s);
    for (size_t n = 0; !full && db_row(db, row); n++) {
        full =
            n == LOOK_AT || (scope_has(&s->scope, column_text(row, CHANNEL)) && !add_event(s, row));
        if (full)
            stop_at(s, looked_at);
        looked_at = column_number(row, POSITION);
    }
    db_end(row);
}

/* What was pruned above `after`; with `since`, only where that took away something of interest. */
static void tell_missing(struct slice *s)
{
    struct reading *r = s->r;
    r->missing = must_alloc((s->scope.item_count + 1) * sizeof *r->missing);
    for (size_t i = 0; i < s->scope.item_count; i++) {
        const struct scope_item *item = &s->scope.items[i];
        if (item->floor > r->after && item->time >= r->since)
            r->missing[r->missing_count++] = (struct missing){str_dup(item->name), item->floor};
    }
}

/* To walk through a short range costs less than to look into each of very many channels. */
static bool is_short(const struct slice *s)
{
    size_t n = s->scope.row_count;
    return n > VERY_MANY && (s->range.upto - s->range.after) / n < SHORT;
}

void reader_read(struct reader *reader, struct reading *r)
{
    assert(r->limit > 0);
    struct slice s = {.reader = reader, .r = r};
    s.limit = r->limit < LOOK_AT ? r->limit : LOOK_AT;
    r->events = NULL;
    r->n = r->missing_count = 0;
    scope_init(&s.scope, &reader->db, str_make(r->channels, r->channels_len), r->after);
    Position head = s.scope.ledger.head;
    s.range = (struct range){r->after, r->upto < head ? r->upto : head, r->descending, 0};
    if (r->since) {
        Position older = position_of_time(&reader->db, r->since, head);
        if (s.range.after < older)
            s.range.after = older;
    }
    if (s.range.upto < s.range.after)
        s.range.upto = s.range.after;
    tell_missing(&s);
    if (s.scope.is_wide || is_short(&s))
        read_all(&s);
    else
        read_channels(&s);
    scope_fini(&s.scope);
}

/* The newest `last` that these channels have, by their own index. */
static Position find_last(struct scope *s, const struct finding *f, size_t last)
{
    struct positions found;
    struct range all = {0, s->ledger.head, true, f->now};
    positions_find(&found, s->db, s->rows, s->row_count, all, last);
    Position after = found.n ? found.v[found.n - 1] - 1 : s->ledger.head;
    positions_fini(&found);
    return after;
}

/* The same among all events, as far back as is looked. */
static Position find_last_wide(struct scope *s, const struct finding *f, size_t last)
{
    Position after = s->ledger.head;
    size_t looked_at = 0, found = 0;
    Statement *row = db_query(s->db, QUERY_EVENTS_FALLING);
    bind_number(row, 1, 0);
    bind_number(row, 2, s->ledger.head);
    while (found < last && looked_at++ < LOOK_AT_FIND && db_row(s->db, row)) {
        Msec expires = column_number(row, EXPIRES);
        if ((expires && expires <= f->now) || !scope_has(s, column_text(row, CHANNEL)))
            continue;
        after = column_number(row, POSITION) - 1;
        found++;
    }
    db_end(row);
    return after;
}

/* Before what was pruned though it was not older: so that the reader is told. */
static Position find_since(const struct scope *s, Msec since)
{
    Position after = position_of_time(s->db, since, s->ledger.head);
    for (size_t i = 0; i < s->item_count; i++) {
        const struct scope_item *item = &s->items[i];
        if (item->floor && item->time >= since && item->floor <= after)
            after = item->floor - 1;
    }
    return after;
}

void reader_find(struct reader *reader, struct finding *f)
{
    struct scope s;
    size_t last = f->last < LAST_MOST ? f->last : LAST_MOST;
    scope_init(&s, &reader->db, str_make(f->channels, f->channels_len), 0);
    if (!last)
        f->after = find_since(&s, f->since);
    else if (s.is_wide)
        f->after = find_last_wide(&s, f, last);
    else
        f->after = find_last(&s, f, last);
    scope_fini(&s);
}
