/* One reader after the other, connection by connection: what it was owed, and what it got. */
#include "check_inside.h"

#include "wire/names.h"

#include <stdlib.h>

/* A channel or pattern of the present connection. */
struct wanted {
    Str name;
    uint32_t word; /* 0: no fact speaks of it */
    bool is_late;
    bool is_joined;
    Position from;  /* of a joined one: everything after it is owed */
    uint16_t epoch; /* of from */
    Position first; /* the first id that came on it; 0: none */
    Position last;  /* the last one */
    uint64_t left;  /* ns; UINT64_MAX: it has it still */
    uint64_t since; /* ns: not before it was asked for */
};

/* A channel was asked for by a POST, of which `joined` may come long after it was done. */
struct asked {
    uint32_t word;
    Position from; /* it begins there or later */
    uint64_t ns;
};

struct told {
    Str channels;    /* empty: all */
    Position oldest; /* nothing above it is gone; 0: not said */
    bool is_limit;
};

/* The reader and its present connection. A span is a connection, or what a fork left of it; its
 * number is stamped on the events that it receives. */
struct reader {
    struct check *c;
    uint32_t first_span, span;
    size_t fact;  /* where the connection begins */
    uint64_t now; /* ns of its last fact so far */
    uint32_t op, client, user;
    bool is_on, is_open, has_cursor, has_gap, is_drained, is_ended;
    bool is_moving;   /* something with an id came */
    Position opened;  /* what `open` said */
    bool excuses_all; /* a gap with reason reset or unknown */
    enum start_at start;
    Position from;    /* everything after it is owed */
    Position reached; /* its highest id, or where it began */
    uint16_t epoch;   /* of reached; EPOCH_INDEX_NONE: not known yet */
    struct wanted *wants;
    size_t want_count, wants_cap;
    struct asked *asks;
    size_t ask_count, asks_cap;
    struct told *gaps;
    size_t gap_count, gaps_cap;
    size_t *strays; /* receives on channels that it did not have then */
    size_t stray_count, strays_cap;
    size_t *again; /* receives without an id of what it had: late ones, if a channel began there */
    size_t again_count, again_cap;
};

static const struct fork_fact *undone(const struct reader *d)
{
    if (!d->c->fork_count || d->epoch == EPOCH_INDEX_NONE)
        return NULL;
    return check_undone(d->c, d->epoch, d->reached);
}

/* One that nobody asked for on this connection was there from its beginning. */
static uint64_t asked_at(const struct reader *d, uint32_t word)
{
    for (size_t i = 0; i < d->ask_count; i++)
        if (d->asks[i].word == word)
            return d->asks[i].ns;
    return d->c->h->rows[d->fact].ns;
}

static struct wanted *want(struct reader *d, Str name, bool is_joined, bool is_late, Position from)
{
    MAKE_ROOM(d->wants, d->want_count, d->wants_cap);
    d->wants[d->want_count++] =
        (struct wanted){.name = name,
                        .word = history_find_word(d->c->h, name),
                        .is_joined = is_joined,
                        .is_late = is_late,
                        .from = from,
                        .since = asked_at(d, history_find_word(d->c->h, name)),
                        .left = UINT64_MAX};
    return &d->wants[d->want_count - 1];
}

static bool has(const struct reader *d, const struct wanted *w, uint32_t channel)
{
    return w->word == channel || (is_pattern(w->name) && check_takes_in(d->c, w->name, channel));
}

/* What was owed */

static bool list_takes_in(const struct check *c, Str list, uint32_t channel)
{
    Str name;
    if (!list.len)
        return true;
    while (str_cut(&list, ',', &name))
        if (check_takes_in(c, name, channel))
            return true;
    return false;
}

static bool is_excused(const struct reader *d, uint32_t channel, Position at, bool is_pruned)
{
    if (is_pruned && (d->excuses_all || (d->start == BEGIN_EARLIEST && !d->has_cursor)))
        return true;
    for (size_t i = 0; i < d->gap_count; i++) {
        const struct told *t = &d->gaps[i];
        bool is_below = t->oldest == 0 || at <= t->oldest;
        if (is_below && (t->is_limit || (is_pruned && list_takes_in(d->c, t->channels, channel))))
            return true;
    }
    return false;
}

static void missed(struct reader *d, const struct wanted *w, uint32_t event, const struct shelf *s)
{
    struct known *k = &d->c->events[event];
    const struct meant *e = &d->c->h->events[event];
    bool is_pruned = k->at <= s->pruned;
    k->stamp = d->span;
    if (e->mortal || e->ephemeral || (e->exclude && e->exclude == d->client) ||
        is_excused(d, s->channel, k->at, is_pruned) ||
        !check_is_granted(d->c, d->user, s->channel, w->since, d->is_drained ? UINT64_MAX : d->now))
        return;
    check_broken(d->c, is_pruned ? RULE_SILENT_GAP : RULE_LOST, d->fact, known_fact(k),
                 "%s of position %llu did not come, and the reader is %s %llu",
                 is_pruned ? "the pruned event" : "the event", (unsigned long long)k->at,
                 d->is_drained ? "drained, at" : "at", (unsigned long long)d->reached);
}

/* The first event of the shelf after this position. */
static size_t after(const struct check *c, const struct shelf *s, Position at)
{
    size_t low = s->first, high = s->first + s->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->events[c->log[middle]].at <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void check_shelf_for(struct reader *d, const struct wanted *w, const struct shelf *s,
                            Position from, Position upto)
{
    for (size_t i = after(d->c, s, from); i < s->first + s->n; i++) {
        uint32_t event = d->c->log[i];
        const struct known *k = &d->c->events[event];
        if (k->at > upto)
            return;
        if (k->stamp != d->span)
            missed(d, w, event, s);
    }
}

static void check_wanted(struct reader *d, const struct wanted *w, Position upto)
{
    Position from = w->is_joined ? w->from : d->from;
    if (w->is_late && !d->is_drained) {
        if (!w->first)
            return;
        from = from > w->first - 1 ? from : w->first - 1;
    }
    if (w->left != UINT64_MAX && upto > w->last)
        upto = w->last;
    if (!is_pattern(w->name)) {
        const struct shelf *s = w->word ? check_shelf(d->c, w->word) : NULL;
        if (s)
            check_shelf_for(d, w, s, from, upto);
        return;
    }
    for (size_t i = 0; i < d->c->shelf_count; i++)
        if (check_takes_in(d->c, w->name, d->c->shelves[i].channel))
            check_shelf_for(d, w, &d->c->shelves[i], from, upto);
}

static void check_owed(struct reader *d)
{
    const struct fork_fact *f = undone(d);
    Position upto = d->is_drained ? UINT64_MAX : d->reached;
    if (f && !d->is_drained && upto >= f->at)
        upto = f->at - 1;
    if (f && d->is_drained)
        check_broken(d->c, RULE_SILENT_GAP, d->fact, f->fact,
                     "a fork undid what the reader had, and no gap said so");
    if (d->is_open)
        for (size_t i = 0; i < d->want_count; i++)
            check_wanted(d, &d->wants[i], upto);
}

/* The beginning and the end */

static bool had(const struct reader *d, uint32_t channel, uint64_t invoked)
{
    for (size_t i = 0; i < d->want_count; i++)
        if (d->wants[i].left >= invoked && has(d, &d->wants[i], channel))
            return true;
    return false;
}

/* One that nobody answered may have been asked for on an earlier connection, to begin there. */
static bool is_late(const struct reader *d, uint32_t channel, Position at)
{
    for (size_t i = 0; i < d->want_count; i++) {
        const struct wanted *w = &d->wants[i];
        bool is_unanswered = w->epoch == EPOCH_INDEX_NONE;
        if (w->is_late && (!at || w->from < at || is_unanswered) &&
            has(d, w, channel)) /* 0: never seen with an id */
            return true;
    }
    return false;
}

static void finish(struct reader *d)
{
    if (!d->is_on)
        return;
    for (size_t i = 0; i < d->stray_count; i++) {
        const struct row *row = &d->c->h->rows[d->strays[i]];
        if (!had(d, d->c->h->events[row->a].channel, d->c->events[row->a].invoked))
            check_broken(d->c, RULE_LEAK, d->strays[i], d->fact, "the reader has no such channel");
    }
    for (size_t i = 0; i < d->again_count; i++) {
        uint32_t event = d->c->h->rows[d->again[i]].a;
        const struct known *k = &d->c->events[event];
        if (!is_late(d, d->c->h->events[event].channel, k->at))
            check_broken(d->c, RULE_DOUBLED, d->again[i], known_fact(k),
                         "the reader had this already");
    }
    check_owed(d);
    d->c->r->drained += d->is_drained;
    d->is_on = false;
}

static void on_connect(struct reader *d, size_t fact)
{
    const struct row *row = &d->c->h->rows[fact];
    finish(d);
    *d = (struct reader){.c = d->c,
                         .first_span = d->first_span,
                         .span = ++d->c->spans,
                         .fact = fact,
                         .now = row->ns,
                         .op = row->op,
                         .client = row->b,
                         .user = row->c,
                         .is_on = true,
                         .has_cursor = row->epoch != EPOCH_INDEX_NONE,
                         .start = row->flags >> ROW_START_SHIFT,
                         .epoch = row->epoch,
                         .from = row->at,
                         .reached = row->at,
                         .wants = d->wants,
                         .wants_cap = d->wants_cap,
                         .asks = d->asks,
                         .asks_cap = d->asks_cap,
                         .gaps = d->gaps,
                         .gaps_cap = d->gaps_cap,
                         .strays = d->strays,
                         .strays_cap = d->strays_cap,
                         .again = d->again,
                         .again_cap = d->again_cap};
    if (row->epoch == EPOCH_INDEX_UNREADABLE)
        d->epoch = EPOCH_INDEX_NONE;
    const struct fork_fact *f = undone(d);
    if (f)
        d->from = f->at - 1;
    Str list = history_word(d->c->h, row->a), name;
    while (str_cut(&list, ',', &name))
        want(d, name, false, false, 0);
    d->c->r->connections++;
}

/* From here on nothing of before counts: what is left of the log goes on after `from`. Only a
 * channel that was joined since the fork begins where that was. */
static void new_span(struct reader *d, Position from, uint16_t epoch, const struct fork_fact *f)
{
    check_owed(d);
    d->span = ++d->c->spans;
    d->from = d->reached = from;
    d->epoch = epoch;
    for (size_t i = 0; i < d->want_count; i++) {
        struct wanted *w = &d->wants[i];
        w->is_joined = w->is_joined && f && check_is_after(d->c, w->epoch, f);
        w->is_late = w->is_late && w->is_joined;
        w->first = w->last = 0;
    }
}

/* It was told that nothing is missing after its cursor. What was pruned just before, the hub may
 * not have known yet: a gap on the stream tells of that. */
static void check_resumed(struct reader *d, size_t fact)
{
    const struct row *begin = &d->c->h->rows[d->fact], *open = &d->c->h->rows[fact];
    for (size_t i = 0; i < d->want_count; i++)
        if (check_pruned_before(d->c, d->wants[i].name, begin->ns, open->ns) > begin->at)
            check_broken(d->c, RULE_RESUMED, fact, d->fact,
                         "resumed, but what comes after its cursor was pruned of %.*s",
                         FMT(d->wants[i].name));
}

static void on_open(struct reader *d, size_t fact)
{
    const struct row *row = &d->c->h->rows[fact];
    d->is_open = true;
    d->opened = row->at;
    if (d->has_cursor && d->excuses_all && row->at < d->from)
        new_span(d, row->at, d->epoch, NULL);
    if (row->b)
        d->client = row->b;
    if (!d->has_cursor && d->start != BEGIN_EARLIEST) {
        d->from = d->reached = row->at;
        d->epoch = row->epoch;
    }
    if (!(row->flags & ROW_FLAG))
        return;
    d->c->r->resumed++;
    if (!d->has_cursor || d->c->h->rows[d->fact].epoch == EPOCH_INDEX_UNREADABLE)
        check_broken(d->c, RULE_RESUMED, fact, d->fact, "resumed, but nothing was presented");
    else if (d->has_gap)
        check_broken(d->c, RULE_RESUMED, fact, d->fact, "resumed, but a gap was told before");
    else
        check_resumed(d, fact);
}

/* Gaps */

static bool is_news(const struct reader *d, const struct row *row)
{
    for (size_t i = 0; i < d->c->fork_count; i++) {
        const struct fork_fact *f = &d->c->forks[i];
        bool is_since = f->ns >= d->c->h->rows[d->fact].ns;
        if (f->ns <= row->ns && (is_since || !check_is_after(d->c, d->epoch, f)))
            return true;
    }
    return false;
}

static bool is_foreign(const struct reader *d)
{
    const struct row *begin = &d->c->h->rows[d->fact];
    return d->has_cursor && d->c->births[begin->epoch] == NO_FACT;
}

/* A worker may be ahead of its readers, so a fork that they had not reached may be told to those
 * who are on a stream; one who comes with a cursor is judged by that cursor. */
static void on_gap_of_log(struct reader *d, size_t fact)
{
    const struct fork_fact *f = undone(d);
    bool is_lawful =
        f || (is_foreign(d) && !d->excuses_all) || (d->is_open && is_news(d, &d->c->h->rows[fact]));
    if (!is_lawful)
        check_broken(d->c, RULE_FALSE_GAP, fact, d->fact, "the log is still the one it had");
    d->excuses_all = true;
    /* Of a log that is not known, from its beginning: what was had comes again. */
    const struct row *row = &d->c->h->rows[fact];
    bool is_begun = d->is_open && !d->is_moving;
    bool is_said = row->epoch != EPOCH_INDEX_NONE;
    Position goes_on = is_begun && d->opened < row->at ? d->opened : row->at;
    if (f)
        new_span(d, is_said && goes_on < f->at ? goes_on : f->at - 1, f->epoch, f);
    else if (is_foreign(d))
        new_span(d, 0, EPOCH_INDEX_NONE, NULL);
    else if (is_said && is_lawful && goes_on < d->reached)
        new_span(d, goes_on, d->epoch, NULL);
}

/* A channel whose POST was not answered yet may begin where that asked for it. */
static Position begin_of(const struct reader *d, Str name)
{
    Position from = 0;
    for (size_t i = 0; i < d->want_count; i++) {
        const struct wanted *w = &d->wants[i];
        if (!str_eq(w->name, name) || w->left != UINT64_MAX)
            continue;
        Position begin = w->is_joined && w->from < d->reached ? w->from : d->reached;
        from = from && from < begin ? from : begin;
    }
    for (size_t i = 0; i < d->ask_count; i++)
        if (str_eq(history_word(d->c->h, d->asks[i].word), name) && d->asks[i].from < from)
            from = d->asks[i].from;
    return from;
}

static void on_gap(struct reader *d, size_t fact)
{
    const struct row *row = &d->c->h->rows[fact];
    Str reason = history_word(d->c->h, row->b), list = history_word(d->c->h, row->a), name;
    struct told t = {list, row->at, str_eq(reason, STR("limit"))};
    d->has_gap = true;
    d->c->r->gaps++;
    if (str_eq(reason, STR("reset")) || str_eq(reason, STR("unknown"))) {
        on_gap_of_log(d, fact);
        return;
    }
    MAKE_ROOM(d->gaps, d->gap_count, d->gaps_cap);
    d->gaps[d->gap_count++] = t;
    while (!t.is_limit && str_cut(&list, ',', &name))
        if (check_pruned_under(d->c, name) <= begin_of(d, name))
            check_broken(d->c, RULE_FALSE_GAP, fact, d->fact,
                         "nothing was pruned of %.*s after %llu", FMT(name),
                         (unsigned long long)begin_of(d, name));
}

/* What comes */

/* An id of a log that no longer has what the reader has: a gap was due before. */
static void check_fork(struct reader *d, size_t fact)
{
    const struct row *row = &d->c->h->rows[fact];
    const struct fork_fact *f = undone(d);
    if (!f || !check_is_after(d->c, row->epoch, f))
        return;
    check_broken(d->c, RULE_SILENT_GAP, fact, f->fact,
                 "a fork undid what the reader had, and no gap said so");
    new_span(d, f->at - 1, f->epoch, f);
}

static void check_again(struct reader *d, size_t fact, const struct known *k)
{
    const struct row *row = &d->c->h->rows[fact];
    bool has_id = row->epoch != EPOCH_INDEX_NONE;
    bool is_again =
        k->stamp == d->span || (k->stamp >= d->first_span && (!has_id || row->at <= d->from));
    if (d->c->h->events[row->a].ephemeral && (k->tries > 1 || k->stamp != d->span))
        return;                /* as often as somebody tried, and to each of two polls */
    if (is_again && !has_id) { /* the answer that says why may come after it */
        MAKE_ROOM(d->again, d->again_count, d->again_cap);
        d->again[d->again_count++] = fact;
    } else if (is_again) {
        check_broken(d->c, RULE_DOUBLED, fact, known_fact(k), "the reader had this already");
    } else if (has_id && row->at <= d->reached) {
        check_broken(d->c, RULE_ORDER, fact, d->fact, "the connection had reached %llu",
                     (unsigned long long)d->reached);
    }
}

static void advance(struct reader *d, const struct row *row)
{
    if (row->epoch == EPOCH_INDEX_NONE || row->at < d->reached)
        return;
    d->reached = row->at;
    d->epoch = row->epoch;
    d->is_moving = true;
}

static void on_receive(struct reader *d, size_t fact)
{
    const struct row *row = &d->c->h->rows[fact];
    const struct meant *e = &d->c->h->events[row->a];
    struct known *k = &d->c->events[row->a];
    struct wanted *bearer = NULL;
    size_t bearers = 0;
    check_fork(d, fact);
    for (size_t i = 0; i < d->want_count; i++)
        if (has(d, &d->wants[i], e->channel) && d->wants[i].left >= k->invoked) {
            bearer = &d->wants[i];
            bearers++;
        }
    if (bearers == 1 && row->epoch != EPOCH_INDEX_NONE) { /* of several, nobody knows by which */
        bearer->first = bearer->first ? bearer->first : row->at;
        bearer->last = row->at;
    }
    if (!bearers) {
        MAKE_ROOM(d->strays, d->stray_count, d->strays_cap);
        d->strays[d->stray_count++] = fact;
    }
    if (e->exclude && e->exclude == d->client)
        check_broken(d->c, RULE_LEAK, fact, d->fact, "the reader is excluded");
    uint64_t begun = d->c->h->rows[d->fact].ns;
    if (!check_may(d->c, d->user, e->channel, k->invoked > begun ? k->invoked : begun, row->ns))
        check_broken(d->c, RULE_LEAK, fact, d->fact, "the reader has no right to it");
    check_again(d, fact, k);
    k->stamp = d->span;
    advance(d, row);
}

static void on_beat(struct reader *d, size_t fact)
{
    const struct row *row = &d->c->h->rows[fact];
    check_fork(d, fact);
    if (row->at < d->reached)
        check_broken(d->c, RULE_ORDER, fact, d->fact, "the connection had reached %llu",
                     (unsigned long long)d->reached);
    advance(d, row);
}

static void on_asks(struct reader *d, const struct row *row)
{
    MAKE_ROOM(d->asks, d->ask_count, d->asks_cap);
    d->asks[d->ask_count++] = (struct asked){row->a, row->at, row->ns};
}

/* It is asked for anew, if it comes back. */
static void on_left(struct reader *d, const struct row *row)
{
    Str name = history_word(d->c->h, row->a);
    for (size_t i = d->ask_count; i-- > 0;)
        if (d->asks[i].word == row->a)
            d->asks[i] = d->asks[--d->ask_count];
    for (size_t i = 0; i < d->want_count; i++)
        if (d->wants[i].left == UINT64_MAX && str_eq(d->wants[i].name, name))
            d->wants[i].left = row->ns;
}

static void on_end(struct reader *d, size_t fact)
{
    const struct row *row = &d->c->h->rows[fact];
    bool is_own = str_eq(history_word(d->c->h, row->b), STR("client"));
    if (d->c->o->no_closes && !d->is_ended && (row->what == FACT_BYE || !is_own))
        check_broken(d->c, RULE_STREAM_CLOSED, fact, d->fact, "the other side ended the stream");
    d->is_ended = true;
    if (row->what == FACT_CLOSE)
        finish(d);
}

static void on_fact(struct reader *d, size_t fact)
{
    const struct row *row = &d->c->h->rows[fact];
    bool needs_open = row->what == FACT_RECEIVE || row->what == FACT_BEAT ||
                      row->what == FACT_DRAINED || row->what == FACT_JOINED;
    if (!d->is_on || d->op != row->op || (needs_open && !d->is_open)) {
        check_broken(d->c, RULE_MALFORMED, fact, d->is_on ? d->fact : NO_FACT,
                     "not on a connection that is open");
        return;
    }
    d->now = row->ns;
    switch (row->what) {
    case FACT_OPEN:
        on_open(d, fact);
        break;
    case FACT_ASKS:
        on_asks(d, row);
        break;
    case FACT_JOINED:
        want(d, history_word(d->c->h, row->a), true, row->flags & ROW_FLAG,
             row->epoch == EPOCH_INDEX_NONE ? UINT64_MAX : row->at)
            ->epoch = row->epoch;
        break;
    case FACT_LEFT:
        on_left(d, row);
        break;
    case FACT_RECEIVE:
        on_receive(d, fact);
        break;
    case FACT_BEAT:
        on_beat(d, fact);
        break;
    case FACT_GAP:
        on_gap(d, fact);
        break;
    case FACT_DRAINED:
        d->is_drained = true;
        break;
    case FACT_REFUSED:
        d->is_on = false;
        break;
    default: /* FACT_BYE, FACT_CLOSE */
        on_end(d, fact);
        break;
    }
}

void check_readers(struct check *c)
{
    struct reader d = {.c = c};
    const struct row *rows = c->h->rows;
    uint32_t actor = 0;
    for (size_t i = 0; i < c->h->len; i++) {
        size_t fact = c->by_actor[i];
        if (i == 0 || rows[fact].actor != actor) {
            finish(&d);
            actor = rows[fact].actor;
            d.first_span = c->spans + 1;
        }
        if (rows[fact].what == FACT_CONNECT)
            on_connect(&d, fact);
        else if (rows[fact].what > FACT_CONNECT && rows[fact].what < FACT_PRUNED)
            on_fact(&d, fact);
    }
    finish(&d);
    free(d.wants);
    free(d.asks);
    free(d.gaps);
    free(d.strays);
    free(d.again);
}
