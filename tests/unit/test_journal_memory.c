/* The journal in memory, on which the simulated world stands, against the one on SQLite: whatever
 * is asked of both, both answer the same. */
#include "base/clock.h"
#include "journal_fixture.h"
#include "tests/sim/dice.h"
#include "tests/sim/journal_memory.h"
#include "wire/message.h"

#include <stdlib.h>

enum { CHANNELS = 5, ROUNDS = 600, SEEDS = 4, KEYS_MOST = 30 };

static const char *const channels[CHANNELS] = {"a", "ab", "room:1", "room:2", "user:u"};
static const char *const scopes[] = {"a",      "a,ab", "a*",         "*",        "room:*,a",
                                     "room:1", "zzz",  "zzz,room:2", "user:u,*", "a,a*,ab"};

struct pair {
    struct fixture *f;
    struct journal_memory *j;
    struct memory_log *log;
    struct journal_state state;
    Msec wall;
    struct dice dice;
    struct fixture_channel told[CHANNELS];
    size_t told_count;
};

static void on_channel(void *ctx, const struct journal_channel *c)
{
    struct pair *p = ctx;
    assert_true(p->told_count < CHANNELS);
    struct fixture_channel *t = &p->told[p->told_count++];
    snprintf(t->name, sizeof t->name, "%.*s", FMT(c->name));
    t->is = *c;
}

static void open_memory(struct pair *p)
{
    const struct memory_keys keys = {p->f->options.idempotency_age, p->f->options.idempotency_keys};
    p->told_count = 0;
    p->wall = clock_wall();
    p->j = journal_memory_open(p->log, keys, &p->wall, &p->state, on_channel, p);
}

static void close_memory(struct pair *p)
{
    journal_memory_free(p->j);
    free(p->state.epochs);
    free(p->state.accounts);
}

static void do_memory(struct pair *p, struct op *op)
{
    struct journal *j = journal_memory_base(p->j);
    j->ops->submit(j, op);
    j->ops->flush(j);
    while (journal_memory_transact(p->j, 100, MEMORY_COMMITS) || journal_memory_read(p->j))
        ;
    journal_memory_answer(p->j);
    assert_ptr_equal(j->ops->take(j), op);
    assert_int_equal(op->why.code, 0);
}

/* The same one each time from the same dice. */
static struct append *some_append(struct pair *p, struct dice d)
{
    char key[16] = "";
    static char keys[4][16];
    bool has_whole = dice_luck(&d, 15);
    if (has_whole)
        snprintf(key, sizeof key, "w%d", (int)dice_roll(&d, 6));
    uint64_t print = d.state; /* another content has another one */
    struct append *a = append_new("", "", print);
    static char whole[16];
    snprintf(whole, sizeof whole, "%s", key);
    a->key = str_of(whole);
    for (uint64_t sends = 1 + dice_roll(&d, 4); sends; sends--) {
        keys[sends - 1][0] = '\0';
        if (dice_luck(&d, 30))
            snprintf(keys[sends - 1], 16, "k%d", (int)dice_roll(&d, 40));
        append_send(a, keys[sends - 1], print + sends);
        for (uint64_t n = dice_roll(&d, 3); n; n--) {
            struct event e = {.channel = str_of(channels[dice_roll(&d, CHANNELS)]),
                              .data = str_make("some text of some length", 1 + dice_roll(&d, 23)),
                              .expires = dice_luck(&d, 10) ? 5 : 0};
            append_model(p->f, a, &e);
        }
    }
    return a;
}

static void compare_events(const struct event *x, const struct event *y)
{
    assert_int_equal(x->id.at, y->id.at);
    assert_int_equal(x->time, y->time);
    assert_int_equal(x->expires, y->expires);
    assert_true(str_eq(x->channel, y->channel));
    assert_true(str_eq(x->data, y->data));
}

static void try_append(struct pair *p)
{
    struct dice d = {dice_roll(&p->dice, 100)}; /* some come again */
    struct append *a = some_append(p, d), *b = some_append(p, d);
    fixture_do(p->f, &a->op);
    assert_int_equal(a->op.why.code, 0);
    p->wall = clock_wall();
    for (size_t i = 0; i < a->event_count; i++)
        if (a->events[i]->time)
            p->wall = a->events[i]->time;
    do_memory(p, &b->op);
    assert_int_equal(a->code, b->code);
    for (size_t i = 0; i < a->send_count; i++) {
        assert_int_equal(a->sends[i].code, b->sends[i].code);
        assert_int_equal(a->sends[i].again, b->sends[i].again);
        assert_int_equal(a->sends[i].at, b->sends[i].at);
        assert_int_equal(a->sends[i].time, b->sends[i].time);
    }
    for (size_t i = 0; i < a->event_count; i++)
        compare_events(a->events[i], b->events[i]);
    append_free(a);
    append_free(b);
}

static void try_prune(struct pair *p)
{
    struct dice *d = &p->dice;
    struct prune a = {.op = {.kind = OP_PRUNE}, .most = 1 + (uint32_t)dice_roll(d, 20)};
    a.row = fixture_channel(p->f, channels[dice_roll(d, CHANNELS)])->is.row;
    a.excess_rows = dice_roll(d, 8);
    a.excess_bytes = dice_luck(d, 30) ? dice_roll(d, 300) : 0;
    a.before = dice_luck(d, 10) ? UINT64_MAX : 0;
    struct prune b = a;
    fixture_do(p->f, &a.op);
    do_memory(p, &b.op);
    assert_int_equal(a.rows, b.rows);
    assert_int_equal(a.bytes, b.bytes);
    assert_int_equal(a.floor, b.floor);
    assert_int_equal(a.oldest, b.oldest);
}

static void try_forget(struct pair *p)
{
    uint64_t rows[CHANNELS];
    struct forget a = {.op = {.kind = OP_FORGET}, .rows = rows};
    for (size_t i = 0; i < CHANNELS; i++)
        if (dice_luck(&p->dice, 50))
            rows[a.n++] = fixture_channel(p->f, channels[i])->is.row;
    struct forget b = a;
    fixture_do(p->f, &a.op);
    do_memory(p, &b.op);
    assert_int_equal(a.highest, b.highest);
}

static struct reading some_reading(struct pair *p, struct dice d)
{
    struct reading r = reading_of(scopes[dice_roll(&d, COUNT_OF(scopes))]);
    r.after = dice_roll(&d, p->state.head + ROUNDS);
    r.upto = dice_luck(&d, 50) ? UINT64_MAX : dice_roll(&d, p->state.head + ROUNDS);
    r.limit = 1 + (uint32_t)dice_roll(&d, 12);
    r.bytes = dice_luck(&d, 30) ? 300 : 1000 * 1000;
    r.descending = dice_luck(&d, 40);
    r.now = dice_luck(&d, 50) ? 10 : 1;
    r.since = dice_luck(&d, 20) ? p->wall - dice_roll(&d, 300) : 0;
    return r;
}

static void try_read(struct pair *p)
{
    struct dice d = {dice_draw(&p->dice)};
    struct reading a = some_reading(p, d), b = some_reading(p, d);
    fixture_read(p->f, &a);
    do_memory(p, &b.op);
    assert_int_equal(a.n, b.n);
    assert_int_equal(a.more, b.more);
    assert_int_equal(a.next, b.next);
    assert_int_equal(a.missing_count, b.missing_count);
    for (size_t i = 0; i < a.n; i++)
        compare_events(a.events[i], b.events[i]);
    for (size_t i = 0; i < a.missing_count; i++) {
        assert_string_equal(a.missing[i].channel, b.missing[i].channel);
        assert_int_equal(a.missing[i].floor, b.missing[i].floor);
    }
    reading_fini(&a);
    reading_fini(&b);
    free(a.channels);
    free(b.channels);
}

static void try_find(struct pair *p)
{
    struct finding a = {.op = {.kind = OP_FIND}, .now = 1};
    if (dice_luck(&p->dice, 50))
        a.last = 1 + dice_roll(&p->dice, 20);
    else
        a.since = p->wall - dice_roll(&p->dice, 300);
    a.channels = packed_list(scopes[dice_roll(&p->dice, COUNT_OF(scopes))], &a.channels_len);
    struct finding b = a;
    fixture_do(p->f, &a.op);
    do_memory(p, &b.op);
    assert_int_equal(a.after, b.after);
    free(a.channels);
}

static const struct journal_channel *told(const struct pair *p, const char *name)
{
    for (size_t i = 0; i < p->told_count; i++)
        if (strcmp(p->told[i].name, name) == 0)
            return &p->told[i].is;
    return NULL;
}

/* What both say of themselves when they are opened again. */
static void try_restart(struct pair *p)
{
    fixture_reopen(p->f);
    close_memory(p);
    open_memory(p);
    const struct journal_state *a = &p->f->state, *b = &p->state;
    assert_int_equal(a->head, b->head);
    assert_int_equal(a->oldest, b->oldest);
    assert_int_equal(a->forgotten, b->forgotten);
    assert_int_equal(a->bytes, b->bytes);
    assert_int_equal(a->epoch_count, b->epoch_count);
    for (size_t i = 0; i < a->epoch_count; i++)
        assert_int_equal(a->epochs[i].first, b->epochs[i].first);
    assert_int_equal(p->f->channel_count, p->told_count);
    for (size_t i = 0; i < p->f->channel_count; i++) {
        const struct journal_channel *x = &p->f->channels[i].is;
        const struct journal_channel *y = told(p, p->f->channels[i].name);
        assert_non_null(y);
        if (!y)
            return;
        assert_int_equal(x->row, y->row);
        assert_int_equal(x->last, y->last);
        assert_int_equal(x->floor, y->floor);
        assert_int_equal(x->count, y->count);
        assert_int_equal(x->bytes, y->bytes);
        assert_true(x->oldest <= y->oldest);
    }
}

static void run(struct pair *p)
{
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t what = dice_roll(&p->dice, 100);
        if (what < 40)
            try_append(p);
        else if (what < 50)
            try_prune(p);
        else if (what < 53)
            try_forget(p);
        else if (what < 85)
            try_read(p);
        else if (what < 98)
            try_find(p);
        else
            try_restart(p);
    }
    try_restart(p);
}

static void both_answer_the_same(void **state)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct fixture *f;
        assert_int_equal(fixture_setup(state), 0);
        f = *state;
        f->options.idempotency_keys = KEYS_MOST;
        fixture_reopen(f);
        struct pair p = {.f = f, .log = memory_log_new(), .dice = {seed}};
        open_memory(&p);
        close_memory(&p);
        open_memory(&p); /* as often as the other */
        run(&p);
        close_memory(&p);
        memory_log_free(p.log);
        fixture_teardown(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_answer_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
