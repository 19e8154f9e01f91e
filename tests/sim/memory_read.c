/* Slices of the simulated log, as journal_slice.c reads them. */
#include "memory_tables.h"

#include "wire/message.h"
#include "wire/names.h"

#include <stdlib.h>

struct found {
    struct event **v;
    size_t n;
};

static bool list_takes(Str list, Str channel)
{
    for (Str name; list_next(&list, &name);)
        if (pattern_matches(name, channel))
            return true;
    return false;
}

static int by_position(const void *a, const void *b)
{
    const struct event *x = *(struct event *const *)a, *y = *(struct event *const *)b;
    return (x->id.at > y->id.at) - (x->id.at < y->id.at);
}

/* The index of the first above the position. */
static size_t first_above(const struct memory_channel *c, Position after)
{
    size_t low = 0, high = c->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->events[c->first + middle]->id.at > after)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* All of these channels in (after, upto], rising. */
static struct found gather(const struct memory_log *m, Str list, Position after, Position upto)
{
    struct found f = {NULL, 0};
    size_t total = 0;
    for (size_t i = 0; i < m->channel_count; i++)
        total += m->channels[i]->n;
    f.v = must_alloc((total + 1) * sizeof f.v[0]);
    for (size_t i = 0; i < m->channel_count; i++) {
        const struct memory_channel *c = m->channels[i];
        if (!list_takes(list, str_of(c->name)))
            continue;
        for (size_t k = first_above(c, after); k < c->n && c->events[c->first + k]->id.at <= upto;
             k++)
            f.v[f.n++] = c->events[c->first + k];
    }
    qsort(f.v, f.n, sizeof f.v[0], by_position);
    return f;
}

/* The highest floor of what a name takes in, and when the event there was logged. */
static Position floor_of(const struct memory_log *m, Str name, Msec *time)
{
    Position floor = 0;
    const struct memory_channel *known = is_pattern(name) ? NULL : memory_by_name(m, name);
    *time = 0;
    if (!known) {
        floor = m->forgotten;
        *time = m->forgotten_time;
    }
    for (size_t i = 0; i < m->channel_count; i++) {
        const struct memory_channel *c = m->channels[i];
        if (c->floor > floor && pattern_matches(name, str_of(c->name))) {
            floor = c->floor;
            *time = c->floor_time;
        }
    }
    return floor;
}

static void tell_missing(const struct memory_log *m, struct reading *r)
{
    Str list = str_make(r->channels, r->channels_len);
    r->missing = must_alloc((list_count(list) + 1) * sizeof r->missing[0]);
    for (int patterns = 1; patterns >= 0; patterns--) {
        Str rest = list;
        for (Str name; list_next(&rest, &name);) {
            Msec time;
            Position floor = floor_of(m, name, &time);
            if (is_pattern(name) == patterns && floor > r->after && time >= r->since)
                r->missing[r->missing_count++] = (struct missing){str_dup(name), floor};
        }
    }
}

/* After which position nothing is older than that. */
static Position position_of_time(const struct memory_log *m, Msec since)
{
    Position first = m->head + 1;
    for (size_t i = 0; i < m->channel_count; i++) {
        const struct memory_channel *c = m->channels[i];
        for (size_t k = 0; k < c->n; k++) {
            const struct event *e = c->events[c->first + k];
            if (e->time >= since && e->id.at < first)
                first = e->id.at;
        }
    }
    return first - 1;
}

static bool is_left_out(const struct reading *r, const struct event *e)
{
    return event_is_expired(e, r->now) || e->time < r->since;
}

static void take_rows(struct reading *r, const struct found *f, Position after, Position upto)
{
    size_t bytes = 0, i = 0;
    r->events = must_alloc((f->n + 1) * sizeof r->events[0]);
    r->next = r->descending ? after + 1 : upto;
    r->more = false;
    for (; i < f->n; i++) {
        struct event *e = f->v[r->descending ? f->n - 1 - i : i];
        bool is_out = is_left_out(r, e);
        bool has_room = !r->n || (r->n < r->limit && bytes + event_size(e) <= r->bytes);
        if (i == r->limit || (!is_out && !has_room))
            break;
        if (is_out)
            continue;
        r->events[r->n++] = event_new(e);
        bytes += event_size(e);
    }
    if (i < f->n) {
        r->more = true;
        r->next = f->v[r->descending ? f->n - i : i - 1]->id.at;
    }
}

void memory_log_read(const struct memory_log *m, struct reading *r)
{
    Position after = r->after, upto = r->upto < m->head ? r->upto : m->head;
    r->events = NULL;
    r->n = r->missing_count = 0;
    if (r->since) {
        Position older = position_of_time(m, r->since);
        after = after > older ? after : older;
    }
    upto = upto > after ? upto : after;
    tell_missing(m, r);
    struct found f = gather(m, str_make(r->channels, r->channels_len), after, upto);
    take_rows(r, &f, after, upto);
    free(f.v);
}

static Position find_last(const struct memory_log *m, const struct finding *f)
{
    struct found all = gather(m, str_make(f->channels, f->channels_len), 0, m->head);
    Position after = m->head;
    uint64_t left = f->last;
    for (size_t i = all.n; i-- > 0 && left;) {
        if (event_is_expired(all.v[i], f->now))
            continue;
        after = all.v[i]->id.at - 1;
        left--;
    }
    free(all.v);
    return after;
}

static Position find_since(const struct memory_log *m, const struct finding *f)
{
    Position after = position_of_time(m, f->since);
    Str list = str_make(f->channels, f->channels_len);
    for (Str name; list_next(&list, &name);) {
        Msec time;
        Position floor = floor_of(m, name, &time);
        if (floor && time >= f->since && floor <= after)
            after = floor - 1;
    }
    return after;
}

void memory_log_find(const struct memory_log *m, struct finding *f)
{
    f->after = f->last ? find_last(m, f) : find_since(m, f);
}
