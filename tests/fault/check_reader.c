/* One reader after the other, connection by connection: what it was owed, and what it got. */
#include "check_owed.h"

#include "wire/names.h"

#include <stdlib.h>

/* One that nobody asked for on this connection was there from its beginning; so may be one that was
 * asked for as soon as it was open, since it was remembered. */
static uint64_t asked_at(const struct reader *d, uint32_t word)
{
    for (size_t i = 0; i < d->ask_count; i++)
        if (d->asks[i].word == word && d->asks[i].ns > d->open_ns + AT_ONCE)
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
                        .told = d->now,
                        .left = UINT64_MAX};
    return &d->wants[d->want_count - 1];
}

/* The beginning and the end */

static bool had(const struct reader *d, uint32_t channel, uint64_t invoked)
{
    for (size_t i = 0; i < d->want_count; i++)
        if (d->wants[i].left >= invoked && reader_has(d, &d->wants[i], channel))
            return true;
    return false;
}

/* One that nobody answered may have been asked for on an earlier connection, to begin there; one
 * that was to begin where a fork undid the log begins where that goes on. */
static bool is_late(const struct reader *d, uint32_t channel, Position at)
{
    for (size_t i = 0; i < d->want_count; i++) {
        const struct wanted *w = &d->wants[i];
        bool is_unsure = w->epoch == EPOCH_INDEX_NONE || check_undone(d->c, w->epoch, w->from);
        if (w->is_late && (!at || w->from < at || is_unsure) &&
            reader_has(d, w, channel)) /* 0: never seen with an id */
            return true;
    }
    return false;
}

/* What is explained by a channel that began there is done with; the rest may be still, until the
 * end. */
static void check_late(struct reader *d, bool is_over)
{
    size_t left = 0;
    for (size_t i = 0; i < d->again_count; i++) {
        uint32_t event = d->c->h->rows[d->again[i]].a;
        const struct known *k = &d->c->events[event];
        if (is_late(d, d->c->h->events[event].channel, k->at))
            continue;
        if (is_over)
            check_broken(d->c, RULE_DOUBLED, d->again[i], known_fact(k),
                         "the reader had this already");
        d->again[left++] = d->again[i];
    }
    d->again_count = left;
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
    check_late(d, true);
    reader_check_owed(d);
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
    const struct fork_fact *f = reader_undone(d);
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
    check_late(d, false);
    reader_check_owed(d);
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

static void on_open(struct reader *d, size_t fact)
{
    const struct row *row = &d->c->h->rows[fact];
    d->is_open = true;
    d->open_ns = row->ns;
    d->opened = row->at;
    if (d->has_cursor && d->excuses_all && row->at < d->from)
        new_span(d, row->at, d->epoch, NULL);
    if (row->at < d->reached)
        d->reached = row->at; /* the log is another one, and that is still to be said */
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
    d->is_resumed = true;
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
    const struct fork_fact *f = reader_undone(d);
    bool is_lawful =
        f || (is_foreign(d) && !d->excuses_all) || (d->is_open && is_news(d, &d->c->h->rows[fact]));
    if (!is_lawful)
        check_broken(d->c, RULE_FALSE_GAP, fact, d->fact, "the log is still the one it had");
    d->excuses_all = true;
    d->is_renewed = is_lawful;
    /* Of a log that is not known, from its beginning: what was had comes again. */
    const struct row *row = &d->c->h->rows[fact];
    bool is_begun = d->is_open && !d->is_moving;
    bool is_said = row->epoch != EPOCH_INDEX_NONE;
    Position goes_on = is_begun && d->opened < row->at ? d->opened : row->at;
    if (f)
        new_span(d, is_said && goes_on < f->at ? goes_on : f->at - 1, f->epoch, f);
    else if (is_foreign(d))
        new_span(d, 0, EPOCH_INDEX_NONE, NULL);
    else if (is_said && is_lawful && goes_on < d->reached) {
        d->reached = goes_on; /* what lies above it comes again */
        new_span(d, goes_on, d->epoch, NULL);
    }
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
    bool is_at_once = d->is_open && !d->is_moving && row->ns - d->open_ns <= AT_ONCE;
    bool is_limit = str_eq(reason, STR("limit"));
    struct told t = {list, row->at, row->ns, d->span, is_limit, is_at_once && !is_limit};
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

static bool is_named(const struct told *t, Str name)
{
    Str list = t->channels, each;
    while (str_cut(&list, ',', &each))
        if (str_eq(each, name))
            return true;
    return !t->channels.len;
}

/* With all that it has the reader may need the log, and without one of them not: what was said to
 * be lost is there after all. */
static bool may_have_fewer(const struct reader *d, const struct told *t)
{
    for (size_t i = 0; i < d->want_count; i++) {
        const struct wanted *w = &d->wants[i];
        bool has_left = w->left != UINT64_MAX && w->left > t->ns;
        bool is_leaving = w->is_late && w->epoch == EPOCH_INDEX_NONE; /* perhaps it has it */
        if (has_left || is_leaving)
            return true;
    }
    return false;
}

/* What comes by a name that the gap does not name, or that was asked for since, is not of what it
 * said. */
static bool is_all_named(const struct reader *d, const struct told *t, uint32_t channel)
{
    for (size_t i = 0; i < d->want_count; i++) {
        const struct wanted *w = &d->wants[i];
        if (reader_has(d, w, channel) && !is_named(t, w->name))
            return false;
    }
    for (size_t i = 0; i < d->ask_count; i++) {
        Str name = history_word(d->c->h, d->asks[i].word);
        if (check_takes_in(d->c, name, channel) && (d->asks[i].ns > t->ns || !is_named(t, name)))
            return false;
    }
    return true;
}

/* Of several channels the gap says the highest oldest, and is told when the rows are read: so only
 * what was pruned long before the connection is surely meant. */
static bool was_said_lost(const struct reader *d, uint32_t channel, Position at, uint64_t now)
{
    uint64_t begun = d->c->h->rows[d->fact].ns;
    if (!at)
        return false;
    for (size_t i = 0; i < d->gap_count; i++) {
        const struct told *t = &d->gaps[i];
        bool is_meant = t->span == d->span && !t->is_limit && at <= t->oldest;
        if (is_meant && reader_list_takes_in(d->c, t->channels, channel) &&
            is_all_named(d, t, channel) && !may_have_fewer(d, t) &&
            at <= check_pruned_before(d->c, history_word(d->c->h, channel), begun, now))
            return true;
    }
    return false;
}

/* What comes */

/* An id of a log that no longer has what the reader has: a gap was due before. */
static void check_fork(struct reader *d, size_t fact)
{
    const struct row *row = &d->c->h->rows[fact];
    const struct fork_fact *f = reader_undone(d);
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
    if (d->is_renewed && has_id && row->at > d->reached)
        return; /* it had no id when it came, in the log before */
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

/* Where it was when it came; 0: not known. What has no id may have had another one then. */
static Position position_of(const struct check *c, const struct row *row, const struct known *k)
{
    return row->epoch != EPOCH_INDEX_NONE ? row->at : c->fork_count ? 0 : k->at;
}

/* By one that was asked for, and of which nobody has said yet that it is joined. */
static bool may_come_by_another(const struct reader *d, const struct wanted *bearer,
                                uint32_t channel)
{
    for (size_t i = 0; i < d->ask_count; i++) {
        Str name = history_word(d->c->h, d->asks[i].word);
        if (!str_eq(name, bearer->name) && check_takes_in(d->c, name, channel))
            return true;
    }
    return false;
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
        if (reader_has(d, &d->wants[i], e->channel) && d->wants[i].left >= k->invoked) {
            bearer = &d->wants[i];
            bearers++;
        }
    bool is_known = bearers == 1 && !may_come_by_another(d, bearer, e->channel);
    if (is_known && row->epoch != EPOCH_INDEX_NONE) { /* of several, nobody knows by which */
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
    if (was_said_lost(d, e->channel, position_of(d->c, row, k), row->ns))
        check_broken(d->c, RULE_FALSE_GAP, fact, d->fact, "a gap said that this was lost");
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

/* Where a channel begins that was joined: no more is owed than was asked for, be it that a worker
 * which knew the log no more began it lower. */
static Position joined_from(const struct reader *d, const struct row *row)
{
    if (row->epoch == EPOCH_INDEX_NONE)
        return UINT64_MAX;
    for (size_t i = 0; i < d->ask_count; i++)
        if (d->asks[i].word == row->a && d->asks[i].from > row->at && !reader_undone(d))
            return d->asks[i].from;
    return row->at;
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
        want(d, history_word(d->c->h, row->a), true, row->flags & ROW_FLAG, joined_from(d, row))
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
