#include "check.h"
#include "check_inside.h"

#include "wire/names.h"

#include <stdarg.h>
#include <stdlib.h>

#define JUST_NOW UINT64_C(2000000000) /* ns */

static const char *const rules[RULES] = {
    [RULE_LOST] = "lost",
    [RULE_SILENT_GAP] = "silent_gap",
    [RULE_FALSE_GAP] = "false_gap",
    [RULE_DOUBLED] = "doubled",
    [RULE_ORDER] = "order",
    [RULE_REALTIME] = "realtime",
    [RULE_CONTENT] = "content",
    [RULE_TWICE_LOGGED] = "twice_logged",
    [RULE_KEY] = "key",
    [RULE_REFUSED] = "refused",
    [RULE_INVENTED] = "invented",
    [RULE_LEAK] = "leak",
    [RULE_RESUMED] = "resumed",
    [RULE_PRESENCE] = "presence",
    [RULE_STREAM_CLOSED] = "stream_closed",
    [RULE_MALFORMED] = "malformed",
};

const char *rule_name(enum rule rule)
{
    return rules[rule];
}

void check_broken(struct check *c, enum rule rule, size_t fact, size_t other, const char *format,
                  ...)
{
    struct report *r = c->r;
    r->broken[rule]++;
    r->total++;
    /* The first ones, but one at least of each rule. */
    if (r->shown_count == CHECK_SHOWN || (r->shown_count >= CHECK_SHOWN / 2 && r->broken[rule] > 1))
        return;
    struct violation *v = &r->shown[r->shown_count++];
    *v = (struct violation){rule, fact, other, ""};
    va_list args;
    va_start(args, format);
    vsnprintf(v->text, sizeof v->text, format, args);
    va_end(args);
}

/* Forks, prunes, grants. */

const struct fork_fact *check_undone(const struct check *c, uint16_t epoch, Position at)
{
    const struct fork_fact *found = NULL;
    for (size_t i = 0; i < c->fork_count; i++) {
        const struct fork_fact *f = &c->forks[i];
        if (f->at <= at && !check_is_after(c, epoch, f) && (!found || f->at < found->at))
            found = f;
    }
    return found;
}

bool check_is_after(const struct check *c, uint16_t epoch, const struct fork_fact *f)
{
    return epoch == f->epoch || (c->births[epoch] != NO_FACT && c->births[epoch] > f->fact);
}

bool check_takes_in(const struct check *c, Str name, uint32_t channel)
{
    Str s = history_word(c->h, channel);
    return is_pattern(name) ? pattern_matches(name, s) : str_eq(name, s);
}

static Position find_pruned(const struct check *c, uint32_t channel)
{
    Position upto = 0;
    for (size_t i = 0; i < c->prune_count; i++)
        if (c->prunes[i].upto > upto &&
            check_takes_in(c, history_word(c->h, c->prunes[i].channel), channel))
            upto = c->prunes[i].upto;
    return upto;
}

static int by_channel(const void *a, const void *b)
{
    const struct shelf *x = a, *y = b;
    return (x->channel > y->channel) - (x->channel < y->channel);
}

const struct shelf *check_shelf(const struct check *c, uint32_t channel)
{
    struct shelf wanted = {.channel = channel};
    return c->shelf_count ? bsearch(&wanted, c->shelves, c->shelf_count, sizeof wanted, by_channel)
                          : NULL;
}

Position check_pruned(const struct check *c, uint32_t channel)
{
    const struct shelf *s = check_shelf(c, channel);
    return s ? s->pruned : find_pruned(c, channel);
}

Position check_pruned_under(const struct check *c, Str name)
{
    Position upto = 0;
    for (size_t i = 0; i < c->prune_count; i++) {
        Str pruned = history_word(c->h, c->prunes[i].channel);
        bool is_under = check_takes_in(c, name, c->prunes[i].channel) ||
                        (is_pattern(pruned) && pattern_matches(pruned, name));
        if (is_under && c->prunes[i].upto > upto)
            upto = c->prunes[i].upto;
    }
    return upto;
}

Position check_pruned_before(const struct check *c, Str name, uint64_t ns, uint64_t now)
{
    Position upto = 0;
    uint64_t since = 0; /* the last time that the log became another one */
    for (size_t i = 0; i < c->fork_count; i++)
        if (c->forks[i].ns <= now && c->forks[i].ns > since)
            since = c->forks[i].ns;
    for (size_t i = 0; i < c->step_count && c->steps[i].ns <= now; i++) {
        const struct prune_fact *p = &c->steps[i];
        if (p->ns < since || !check_takes_in(c, name, p->channel))
            continue;
        if (p->ns + JUST_NOW <= ns || p->upto < upto)
            upto = p->upto;
    }
    return upto;
}

/* Whether one of the grants on the channel is the user's and fits; where none is, all may. */
static bool some_grant(const struct check *c, uint32_t user, uint32_t channel,
                       bool (*fits)(const struct grant_fact *, uint64_t, uint64_t), uint64_t from,
                       uint64_t upto)
{
    bool is_closed = false;
    for (size_t i = 0; i < c->grant_count; i++) {
        const struct grant_fact *g = &c->grants[i];
        if (!check_takes_in(c, history_word(c->h, g->channel), channel))
            continue;
        is_closed = true;
        if (g->user == user && fits(g, from, upto))
            return true;
    }
    return !is_closed;
}

static bool holds_once(const struct grant_fact *g, uint64_t from, uint64_t upto)
{
    return g->from <= upto && g->upto >= from;
}

static bool holds_throughout(const struct grant_fact *g, uint64_t from, uint64_t upto)
{
    return g->sure_from <= from && g->sure_upto >= upto;
}

bool check_may(const struct check *c, uint32_t user, uint32_t channel, uint64_t since,
               uint64_t received)
{
    return some_grant(c, user, channel, holds_once, since, received);
}

bool check_is_granted(const struct check *c, uint32_t user, uint32_t channel, uint64_t from,
                      uint64_t upto)
{
    return some_grant(c, user, channel, holds_throughout, from, upto);
}

static void change_grant(struct check *c, const struct row *row)
{
    for (size_t i = 0; i < c->grant_count; i++) {
        struct grant_fact *g = &c->grants[i];
        if (g->channel != row->a || g->user != row->b || g->upto != UINT64_MAX)
            continue;
        if (row->what == FACT_GRANTED)
            g->sure_from = row->ns < g->sure_from ? row->ns : g->sure_from;
        else
            g->sure_upto = row->ns < g->sure_upto ? row->ns : g->sure_upto;
        if (row->what == FACT_REVOKE)
            g->upto = row->ns;
    }
}

static void note_prune(struct check *c, const struct row *row)
{
    MAKE_ROOM(c->steps, c->step_count, c->steps_cap);
    c->steps[c->step_count++] = (struct prune_fact){row->a, row->at, row->ns};
    for (size_t i = 0; i < c->prune_count; i++)
        if (c->prunes[i].channel == row->a) {
            if (c->prunes[i].upto < row->at)
                c->prunes[i].upto = row->at;
            return;
        }
    MAKE_ROOM(c->prunes, c->prune_count, c->prunes_cap);
    c->prunes[c->prune_count++] = (struct prune_fact){row->a, row->at, row->ns};
}

static void note_world(struct check *c, size_t i)
{
    const struct row *row = &c->h->rows[i];
    if (row->what == FACT_FORK) {
        MAKE_ROOM(c->forks, c->fork_count, c->forks_cap);
        c->forks[c->fork_count++] = (struct fork_fact){row->at, i, row->ns, row->epoch};
    } else if (row->what == FACT_PRUNED) {
        note_prune(c, row);
    } else if (row->what == FACT_GRANT) {
        MAKE_ROOM(c->grants, c->grant_count, c->grants_cap);
        c->grants[c->grant_count++] =
            (struct grant_fact){row->a, row->b, row->ns, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    } else if (row->what >= FACT_REVOKE) {
        change_grant(c, row);
    }
}

/* An epoch begins where its first id was seen. What readers present proves nothing. */
static void find_world(struct check *c)
{
    for (uint32_t i = 0; i < c->h->epoch_count; i++)
        c->births[i] = NO_FACT;
    for (size_t i = 0; i < c->h->len; i++) {
        const struct row *row = &c->h->rows[i];
        bool is_told = row->what != FACT_CONNECT && row->what != FACT_GAP;
        if (is_told && c->births[row->epoch] == NO_FACT)
            c->births[row->epoch] = i;
        note_world(c, i);
    }
}

/* Facts by actor, each actor's in the order of time. */
static void group(struct check *c)
{
    const struct history *h = c->h;
    uint32_t *ends = must_alloc((h->word_count + 1) * sizeof *ends);
    for (size_t i = 0; i < h->len; i++)
        ends[h->rows[i].actor + 1]++;
    for (uint32_t w = 0; w < h->word_count; w++)
        ends[w + 1] += ends[w];
    for (size_t i = 0; i < h->len; i++)
        c->by_actor[ends[h->rows[i].actor]++] = (uint32_t)i;
    free(ends);
}

/* Presence: sets of names, small. */

static bool is_listed(Str list, Str name)
{
    Str item;
    while (str_cut(&list, ',', &item))
        if (str_eq(item, name))
            return true;
    return false;
}

static bool is_online(const struct check *c, uint32_t channel, Str user)
{
    for (size_t i = 0; i < c->h->len; i++) {
        const struct row *row = &c->h->rows[i];
        if (row->what == FACT_ONLINE && row->a == channel &&
            str_eq(history_word(c->h, row->b), user))
            return true;
    }
    return false;
}

static void check_present(struct check *c, size_t fact)
{
    const struct row *said = &c->h->rows[fact];
    Str users = history_word(c->h, said->b), rest = users, user;
    while (str_cut(&rest, ',', &user))
        if (!is_online(c, said->a, user))
            check_broken(c, RULE_PRESENCE, fact, NO_FACT, "%.*s is not there", FMT(user));
    for (size_t i = 0; i < c->h->len; i++) {
        const struct row *row = &c->h->rows[i];
        if (row->what == FACT_ONLINE && row->a == said->a &&
            !is_listed(users, history_word(c->h, row->b)))
            check_broken(c, RULE_PRESENCE, fact, i, "%.*s is there, and not listed",
                         FMT(history_word(c->h, row->b)));
    }
}

/* The last word on each channel counts. */
static void check_presence(struct check *c)
{
    struct map last;
    map_init(&last);
    for (size_t i = 0; i < c->h->len; i++)
        if (c->h->rows[i].what == FACT_PRESENT)
            map_put(&last, history_word(c->h, c->h->rows[i].a), (void *)&c->h->rows[i]);
    size_t at = 0;
    for (const struct row *row; (row = map_next(&last, &at));)
        check_present(c, (size_t)(row - c->h->rows));
    map_fini(&last);
}

static void check_fini(struct check *c)
{
    free(c->by_actor);
    free(c->births);
    free(c->forks);
    free(c->prunes);
    free(c->steps);
    free(c->grants);
    free(c->events);
    free(c->log);
    free(c->shelves);
}

bool check_run(const struct history *h, const struct check_options *o, struct report *r)
{
    struct check c = {.h = h, .o = o, .r = r};
    *r = (struct report){0};
    c.by_actor = must_alloc((h->len + 1) * sizeof *c.by_actor);
    c.births = must_alloc(h->epoch_count * sizeof *c.births);
    find_world(&c);
    group(&c);
    check_log(&c);
    for (size_t i = 0; i < c.shelf_count; i++)
        c.shelves[i].pruned = find_pruned(&c, c.shelves[i].channel);
    check_readers(&c);
    check_presence(&c);
    check_fini(&c);
    return r->total == 0;
}

static void print_line(const struct history *h, size_t i, FILE *to)
{
    if (i >= history_len(h))
        return;
    struct fact f;
    history_get(h, i, &f);
    fputs("    ", to);
    fact_print(&f, to);
}

void report_print(const struct report *r, const struct history *h, FILE *to)
{
    for (size_t i = 0; i < r->shown_count; i++) {
        const struct violation *v = &r->shown[i];
        fprintf(to, "%s: %s\n", rules[v->rule], v->text);
        print_line(h, v->other, to);
        print_line(h, v->fact, to);
    }
    for (unsigned rule = 0; rule < RULES; rule++)
        if (r->broken[rule])
            fprintf(to, "%s=%zu ", rules[rule], r->broken[rule]);
    fprintf(to,
            "events=%zu acknowledged=%zu received=%zu connections=%zu resumed=%zu gaps=%zu "
            "drained=%zu broken=%zu\n",
            r->events, r->acknowledged, r->received, r->connections, r->resumed, r->gaps,
            r->drained, r->total);
}
