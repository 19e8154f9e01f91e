/* What publishers were told and what readers saw, put together: which events are in the log, where,
 * and whether that makes sense. */
#include "check_inside.h"

#include <stdlib.h>

/* Publishes of one actor whose outcome is still to come: all[first, n). */
struct pending {
    uint32_t op, event;
};
struct waiting {
    struct pending *all;
    size_t first, n, cap;
};

/* An event is surely not in the log where every attempt failed. */
struct attempts {
    uint32_t begun, failed;
};

static void learn(struct check *c, uint32_t event, const struct row *row, size_t fact)
{
    struct known *k = &c->events[event];
    bool has_id = row->epoch != EPOCH_INDEX_NONE;
    bool is_void = c->fork_count && (!has_id || check_undone(c, row->epoch, row->at));
    if (!is_void && row->ns < k->seen)
        k->seen = row->ns;
    if (!has_id || (k->at == row->at && k->epoch == row->epoch))
        return;
    if (k->at && !check_undone(c, k->epoch, k->at)) {
        if (!check_undone(c, row->epoch, row->at))
            check_broken(c, RULE_TWICE_LOGGED, fact, known_fact(k), "one event, two positions");
        return;
    }
    k->at = row->at;
    k->epoch = row->epoch;
    k->fact_hi = (uint32_t)(fact >> 32);
    k->fact_lo = (uint32_t)fact;
}

/* An op's event; the op is no longer waited for. Mostly it is the first. */
static bool take_op(struct waiting *w, uint32_t op, uint32_t *event)
{
    size_t i = w->first;
    while (i < w->n && w->all[i].op != op)
        i++;
    if (i == w->n)
        return false;
    *event = w->all[i].event;
    memmove(&w->all[w->first + 1], &w->all[w->first], (i - w->first) * sizeof *w->all);
    if (++w->first == w->n)
        w->first = w->n = 0;
    return true;
}

static void invoke(struct check *c, struct waiting *w, const struct row *row)
{
    struct known *k = &c->events[row->a];
    if (row->ns < k->invoked)
        k->invoked = row->ns;
    k->tries = (uint8_t)(k->tries < UINT8_MAX ? k->tries + 1 : UINT8_MAX);
    MAKE_ROOM(w->all, w->n, w->cap);
    w->all[w->n++] = (struct pending){row->op, row->a};
}

static void answer(struct check *c, struct waiting *w, size_t fact, struct attempts *attempts)
{
    const struct row *row = &c->h->rows[fact];
    uint32_t event;
    if (!take_op(w, row->op, &event)) {
        check_broken(c, RULE_MALFORMED, fact, NO_FACT, "an answer to no publish");
    } else if (row->what == FACT_OK) {
        c->r->acknowledged++;
        if (row->epoch == EPOCH_INDEX_NONE && !c->h->events[event].ephemeral)
            check_broken(c, RULE_LOST, fact, NO_FACT, "acknowledged without a place in the log");
        learn(c, event, row, fact);
    } else if (row->what == FACT_FAIL) {
        attempts[event].failed++;
    }
}

static void one_actor(struct check *c, size_t from, size_t to, struct attempts *attempts)
{
    struct waiting w = {0};
    for (size_t i = from; i < to; i++) {
        size_t fact = c->by_actor[i];
        const struct row *row = &c->h->rows[fact];
        if (row->what == FACT_INVOKE) {
            invoke(c, &w, row);
            attempts[row->a].begun++;
        } else if (row->what <= FACT_UNKNOWN) {
            answer(c, &w, fact, attempts);
        } else if (row->what == FACT_RECEIVE) {
            c->events[row->a].is_received = true;
            c->r->received++;
            learn(c, row->a, row, fact);
        }
    }
    free(w.all);
}

static void each_actor(struct check *c, struct attempts *attempts)
{
    const struct row *rows = c->h->rows;
    size_t from = 0;
    while (from < c->h->len) {
        size_t to = from;
        uint32_t actor = rows[c->by_actor[from]].actor;
        while (to < c->h->len && rows[c->by_actor[to]].actor == actor)
            to++;
        one_actor(c, from, to, attempts);
        from = to;
    }
}

/* The first receive of an event. */
static size_t find_receive(const struct check *c, uint32_t event)
{
    for (size_t i = 0; i < c->h->len; i++)
        if (c->h->rows[i].what == FACT_RECEIVE && c->h->rows[i].a == event)
            return i;
    return NO_FACT;
}

static void check_origin(struct check *c, uint32_t event, const struct attempts *a)
{
    const struct known *k = &c->events[event];
    if (!k->is_received)
        return;
    if (k->invoked == UINT64_MAX)
        check_broken(c, RULE_INVENTED, find_receive(c, event), NO_FACT, "nobody published this");
    else if (a->begun == a->failed)
        check_broken(c, RULE_REFUSED, find_receive(c, event), NO_FACT,
                     "every attempt to publish this was refused");
}

/* Sorting events by one of their numbers. */
struct by {
    uint64_t number;
    uint32_t event;
};

static int by_number(const void *a, const void *b)
{
    const struct by *x = a, *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return (x->event > y->event) - (x->event < y->event);
}

/* One position, one content: also over epochs, as long as no fork lies between. */
static void check_positions(struct check *c)
{
    struct by *order = must_alloc((c->log_len + 1) * sizeof *order);
    for (size_t i = 0; i < c->log_len; i++)
        order[i] = (struct by){c->events[c->log[i]].at, c->log[i]};
    qsort(order, c->log_len, sizeof *order, by_number);
    for (size_t i = 1; i < c->log_len; i++)
        if (order[i].number == order[i - 1].number)
            check_broken(c, RULE_CONTENT, known_fact(&c->events[order[i].event]),
                         known_fact(&c->events[order[i - 1].event]), "one position, two events");
    free(order);
}

/* Even what a fork undid keeps its id for ever. */
static void check_undone_ids(struct check *c)
{
    if (!c->fork_count)
        return;
    struct by *order = must_alloc((c->h->event_count + 1) * sizeof *order);
    size_t n = 0;
    for (uint32_t e = 0; e < c->h->event_count; e++)
        if (c->events[e].at)
            order[n++] = (struct by){(uint64_t)c->events[e].epoch << 48 | c->events[e].at, e};
    qsort(order, n, sizeof *order, by_number);
    for (size_t i = 1; i < n; i++)
        if (order[i].number == order[i - 1].number &&
            check_undone(c, c->events[order[i].event].epoch, c->events[order[i].event].at))
            check_broken(c, RULE_CONTENT, known_fact(&c->events[order[i].event]),
                         known_fact(&c->events[order[i - 1].event]), "one id, two events");
    free(order);
}

/* Who was known to be in the log before the other was invoked comes first in it. */
static void check_realtime(struct check *c)
{
    size_t n = 0;
    struct by *invoked = must_alloc((c->log_len + 1) * sizeof *invoked);
    struct by *seen = must_alloc((c->log_len + 1) * sizeof *seen);
    for (size_t i = 0; i < c->log_len; i++) {
        const struct known *k = &c->events[c->log[i]];
        if (k->invoked == UINT64_MAX)
            continue;
        invoked[n] = (struct by){k->invoked, c->log[i]};
        seen[n++] = (struct by){k->seen, c->log[i]};
    }
    qsort(invoked, n, sizeof *invoked, by_number);
    qsort(seen, n, sizeof *seen, by_number);
    const struct known *highest = NULL;
    for (size_t i = 0, j = 0; i < n; i++) {
        for (; j < n && seen[j].number < invoked[i].number; j++)
            if (!highest || c->events[seen[j].event].at > highest->at)
                highest = &c->events[seen[j].event];
        const struct known *k = &c->events[invoked[i].event];
        if (highest && highest->at > k->at)
            check_broken(c, RULE_REALTIME, known_fact(k), known_fact(highest),
                         "was invoked when the other was known already, and lies before it");
    }
    free(invoked);
    free(seen);
}

/* Keys: one content, and (with RULE_TWICE_LOGGED) so one position. */
static void check_keys(struct check *c)
{
    const struct history *h = c->h;
    size_t *last = must_alloc(h->word_count * sizeof *last); /* key -> its last invoke, + 1 */
    for (size_t i = 0; i < h->len; i++) {
        const struct row *row = &h->rows[i];
        if (row->what != FACT_INVOKE || !row->b)
            continue;
        size_t before = last[row->b];
        last[row->b] = i + 1;
        if (!before || h->rows[before - 1].a == row->a)
            continue;
        const struct known *one = &c->events[h->rows[before - 1].a], *two = &c->events[row->a];
        bool is_late = c->o->key_keeps && row->ns - h->rows[before - 1].ns >= c->o->key_keeps;
        if (one->at && two->at && !is_late && !check_undone(c, one->epoch, one->at))
            check_broken(c, RULE_KEY, i, before - 1, "one key, two events in the log");
    }
    free(last);
}

/* By channel, then position. */
static int by_place(const void *a, const void *b, void *owner)
{
    const struct check *c = owner;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    uint32_t cx = c->h->events[x].channel, cy = c->h->events[y].channel;
    if (cx != cy)
        return cx < cy ? -1 : 1;
    Position px = c->events[x].at, py = c->events[y].at;
    return (px > py) - (px < py);
}

static void make_shelves(struct check *c)
{
    qsort_r(c->log, c->log_len, sizeof *c->log, by_place, c);
    size_t cap = 0;
    for (size_t i = 0; i < c->log_len; i++) {
        uint32_t channel = c->h->events[c->log[i]].channel;
        if (!c->shelf_count || c->shelves[c->shelf_count - 1].channel != channel) {
            MAKE_ROOM(c->shelves, c->shelf_count, cap);
            c->shelves[c->shelf_count++] = (struct shelf){channel, i, 0, 0};
        }
        c->shelves[c->shelf_count - 1].n++;
    }
}

void check_log(struct check *c)
{
    uint32_t n = c->h->event_count;
    struct attempts *attempts = must_alloc((n + 1) * sizeof *attempts);
    c->events = must_alloc((n + 1) * sizeof *c->events);
    for (uint32_t e = 0; e < n; e++)
        c->events[e] = (struct known){.invoked = UINT64_MAX, .seen = UINT64_MAX};
    each_actor(c, attempts);
    c->log = must_alloc((n + 1) * sizeof *c->log);
    for (uint32_t e = 0; e < n; e++) {
        const struct known *k = &c->events[e];
        check_origin(c, e, &attempts[e]);
        if (k->at && !check_undone(c, k->epoch, k->at))
            c->log[c->log_len++] = e;
    }
    free(attempts);
    c->r->events = n;
    make_shelves(c);
    check_positions(c);
    check_undone_ids(c);
    check_realtime(c);
    check_keys(c);
}
