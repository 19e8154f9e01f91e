#include "journal_fixture.h"
#include "journal_retention.h"

#include <stdlib.h>
#include <string.h>

static void expect_channel(struct fixture *f, const char *name, Position last, Position floor,
                           uint64_t count)
{
    const struct journal_channel *c = &fixture_channel(f, name)->is;
    assert_int_equal(c->last, last);
    assert_int_equal(c->floor, floor);
    assert_int_equal(c->count, count);
    assert_int_equal(c->bytes > 0, count > 0);
    assert_int_equal(c->oldest > 0, count > 0);
}

static uint64_t size_of_one(const char *channel, const char *data)
{
    struct event e = {.channel = str_of(channel), .data = str_of(data)};
    return event_size(&e);
}

/* As the engine does: what it knows of a channel, now and then. */
static struct note_channel figures(struct fixture *f, const char *name, uint64_t count,
                                   Position last)
{
    uint64_t row = fixture_channel(f, name)->is.row;
    return (struct note_channel){row, count, count * size_of_one(name, "x"), last, 1};
}

static void a_prune_takes_the_oldest(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 10; i++)
        fixture_put(f, i % 2 ? "news" : "chat", "x");
    struct prune p = fixture_prune(f, "news", 2);
    assert_int_equal(p.rows, 2);
    assert_int_equal(p.bytes, 2 * size_of_one("news", "x"));
    assert_int_equal(p.floor, 4);
    assert_true(p.oldest > 0);

    /* By bytes: until so many are gone. */
    struct prune bytes = {.op = {.kind = OP_PRUNE}, .row = p.row, .most = 100};
    bytes.excess_bytes = size_of_one("news", "x") + 1;
    fixture_do(f, &bytes.op);
    assert_int_equal(bytes.rows, 2);
    assert_int_equal(bytes.floor, 8);

    /* Nothing to take: the floor is said all the same. */
    struct prune nothing = {.op = {.kind = OP_PRUNE}, .row = p.row, .most = 100, .before = 1};
    fixture_do(f, &nothing.op);
    assert_int_equal(nothing.rows, 0);
    assert_int_equal(nothing.floor, 8);
    assert_int_equal(nothing.oldest, bytes.oldest);

    /* By age, and no more than is allowed at once. */
    struct prune age = {.op = {.kind = OP_PRUNE}, .before = UINT64_MAX, .most = 3};
    age.row = fixture_channel(f, "chat")->is.row;
    fixture_do(f, &age.op);
    assert_int_equal(age.rows, 3);
    fixture_do(f, &age.op);
    assert_int_equal(age.rows, 2);
    assert_int_equal(age.floor, 9);
    assert_int_equal(age.oldest, 0);

    fixture_reopen(f);
    expect_channel(f, "news", 10, 8, 1);
    expect_channel(f, "chat", 9, 9, 0);
    assert_int_equal(f->state.head, 10);
    assert_int_equal(f->state.oldest, 9);
    assert_int_equal(fixture_put(f, "chat", "x"), 11);
}

static void counts_are_exact_after_a_crash(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 6; i++)
        fixture_put(f, "news", "x");
    struct note_channel channels[] = {figures(f, "news", 6, 6)};
    struct note note = {.op = {.kind = OP_NOTE}, .counted = 6, .channels = channels, .n = 1};
    fixture_do(f, &note.op);
    for (int i = 0; i < 4; i++)
        fixture_put(f, "news", "x");
    fixture_put(f, "chat", "x");
    fixture_prune(f, "news", 8); /* six that are noted, two that are not */
    fixture_crash(f);
    expect_channel(f, "news", 10, 8, 2);
    assert_int_equal(fixture_channel(f, "news")->is.bytes, 2 * size_of_one("news", "x"));
    expect_channel(f, "chat", 11, 0, 1);
    assert_int_equal(f->state.bytes, 2 * size_of_one("news", "x") + size_of_one("chat", "x"));
    fixture_prune(f, "news", 2);
    fixture_crash(f);
    expect_channel(f, "news", 10, 10, 0);
    assert_int_equal(fixture_put(f, "news", "x"), 12);
}

/* The maker of the note has not seen the answer of a prune that comes before it. */
static void a_note_does_not_undo_a_prune(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 6; i++)
        fixture_put(f, "news", "x");
    struct prune p = {.op = {.kind = OP_PRUNE}, .excess_rows = 3, .most = 10};
    p.row = fixture_channel(f, "news")->is.row;
    struct prune q = p;
    q.excess_rows = 1;
    struct note_channel channels[] = {figures(f, "news", 6, 6)};
    struct note note = {.op = {.kind = OP_NOTE}, .counted = 6, .channels = channels, .n = 1};
    fixture_submit(f, &p.op);
    fixture_submit(f, &note.op);
    fixture_submit(f, &q.op);
    f->j->ops->flush(f->j);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fixture_wait(f)->why.code, 0);
    fixture_crash(f);
    expect_channel(f, "news", 6, 4, 2);

    /* Now it has: what it says holds as it is. */
    fixture_prune(f, "news", 1);
    channels[0] = figures(f, "news", 1, 6);
    fixture_do(f, &note.op);
    fixture_crash(f);
    expect_channel(f, "news", 6, 5, 1);
}

static void a_channel_with_events_is_not_forgotten(void **state)
{
    struct fixture *f = *state;
    fixture_put(f, "news", "x");
    fixture_put(f, "chat", "x");
    fixture_prune(f, "chat", 1);
    uint64_t rows[] = {fixture_channel(f, "news")->is.row, fixture_channel(f, "chat")->is.row};
    struct forget forget = {.op = {.kind = OP_FORGET}, .rows = rows, .n = 2};
    fixture_do(f, &forget.op);
    assert_int_equal(forget.highest, 2); /* found by itself */
    fixture_reopen(f);
    assert_int_equal(f->channel_count, 1);
    expect_channel(f, "news", 1, 0, 1);
    assert_int_equal(f->state.forgotten, 2);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

/* Where a transaction fails before its last prune, their maker counts them all. */
static void prunes_that_were_not_tried_have_numbers(void **state)
{
    (void)state;
    struct retained r = {0};
    retained_undo(&r, 0, 3);
    assert_int_equal(retained_next(&r), 3);
    retained_known(&r, 2);
    retained_undo(&r, 3, 0);
    assert_int_equal(retained_next(&r), 3);
    retained_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(a_prune_takes_the_oldest),
        ONE(counts_are_exact_after_a_crash),
        ONE(a_note_does_not_undo_a_prune),
        ONE(a_channel_with_events_is_not_forgotten),
        cmocka_unit_test(prunes_that_were_not_tried_have_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
