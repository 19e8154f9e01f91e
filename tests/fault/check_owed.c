/* What a connection was owed, and whether it came. */
#include "check_owed.h"

#include "wire/names.h"

const struct fork_fact *reader_undone(const struct reader *d)
{
    if (!d->c->fork_count || d->epoch == EPOCH_INDEX_NONE)
        return NULL;
    return check_undone(d->c, d->epoch, d->reached);
}

bool reader_has(const struct reader *d, const struct wanted *w, uint32_t channel)
{
    return w->word == channel || (is_pattern(w->name) && check_takes_in(d->c, w->name, channel));
}

bool reader_list_takes_in(const struct check *c, Str list, uint32_t channel)
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
        if (is_below &&
            (t->is_limit || (is_pruned && reader_list_takes_in(d->c, t->channels, channel))))
            return true;
    }
    return false;
}

/* It was told that nothing is missing after its cursor, and at once of what was pruned long before.
 * What goes later, retention's or the ring's, a later gap tells; and after a fork the positions are
 * others. */
static void check_resumed(struct reader *d, const struct wanted *w, uint32_t channel, Position at)
{
    const struct row *begin = &d->c->h->rows[d->fact];
    if (!d->is_resumed || w->is_joined ||
        at > check_pruned_before(d->c, history_word(d->c->h, channel), begin->ns, d->open_ns))
        return;
    for (size_t i = 0; i < d->gap_count; i++)
        if (d->gaps[i].is_at_once && d->gaps[i].span == d->span && at <= d->gaps[i].oldest &&
            reader_list_takes_in(d->c, d->gaps[i].channels, channel))
            check_broken(d->c, RULE_RESUMED, d->fact, NO_FACT,
                         "resumed, but %.*s of position %llu was pruned, as a gap said at once",
                         FMT(history_word(d->c->h, channel)), (unsigned long long)at);
}

static void missed(struct reader *d, const struct wanted *w, uint32_t event, const struct shelf *s)
{
    struct known *k = &d->c->events[event];
    const struct meant *e = &d->c->h->events[event];
    bool is_pruned = k->at <= s->pruned;
    k->stamp = d->span;
    check_resumed(d, w, s->channel, k->at);
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

/* What a reader heard that it has joined when the fork had been may be in the log after it, and
 * what is owed of it comes when the gap has been told. */
static bool is_of_next_log(const struct wanted *w, const struct fork_fact *f)
{
    return f && w->is_joined && w->told >= f->ns;
}

void reader_check_owed(struct reader *d)
{
    const struct fork_fact *f = reader_undone(d);
    Position upto = d->is_drained ? UINT64_MAX : d->reached;
    if (f && !d->is_drained && upto >= f->at)
        upto = f->at - 1;
    if (f && d->is_drained)
        check_broken(d->c, RULE_SILENT_GAP, d->fact, f->fact,
                     "a fork undid what the reader had, and no gap said so");
    if (d->is_open)
        for (size_t i = 0; i < d->want_count; i++)
            if (!is_of_next_log(&d->wants[i], f))
                check_wanted(d, &d->wants[i], upto);
}
