#include "base/memory.h"
#include "journal_fixture.h"

#include <stdlib.h>
#include <string.h>

static void expect_text(struct fixture *f, struct reading *r, const char *text)
{
    fixture_read(f, r);
    assert_string_equal(reading_text(r), text);
    reading_fini(r);
}

/* Reads slice by slice; the events' positions must go on where the last slice ended. */
static size_t read_all(struct fixture *f, struct reading *r)
{
    size_t n = 0;
    Position last = r->descending ? UINT64_MAX : 0;
    do {
        fixture_read(f, r);
        for (size_t i = 0; i < r->n; i++) {
            Position at = r->events[i]->id.at;
            assert_true(r->descending ? at < last : at > last);
            last = at;
        }
        n += r->n;
        if (r->descending)
            r->upto = r->next - 1;
        else
            r->after = r->next;
        reading_fini(r);
    } while (r->more);
    return n;
}

static void fill_some(struct fixture *f)
{
    fixture_put(f, "room:1", "a");
    fixture_put(f, "news", "b");
    fixture_put(f, "room:2", "c");
    fixture_put(f, "user:ann", "d");
    fixture_put(f, "room:1", "e");
    fixture_put(f, "$presence:room:1", "f");
}

static void channels_and_patterns_are_read_in_order(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[][2] = {
        {"news", "2:news=b"},
        {"news,news,room:1", "1:room:1=a 2:news=b 5:room:1=e"},
        {"room:*", "1:room:1=a 3:room:2=c 5:room:1=e"},
        {"room:*,news,room:1", "1:room:1=a 2:news=b 3:room:2=c 5:room:1=e"},
        {"*", "1:room:1=a 2:news=b 3:room:2=c 5:room:1=e"},
        {"user:*", "4:user:ann=d"},
        {"$presence:*", "6:$presence:room:1=f"},
        {"us*,$*", "6:$presence:room:1=f"},
        {"nobody,none:*", ""},
    };
    fill_some(f);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct reading r = reading_of(cases[i][0]);
        expect_text(f, &r, cases[i][1]);
        assert_int_equal(r.next, 6);
        assert_false(r.more);
        free(r.channels);
    }
}

static void a_range_and_its_ends(void **state)
{
    struct fixture *f = *state;
    fill_some(f);
    struct reading r = reading_of("room:*");
    r.after = 1;
    r.upto = 4;
    expect_text(f, &r, "3:room:2=c");
    assert_int_equal(r.next, 4);
    r.after = 5;
    r.upto = 5;
    expect_text(f, &r, "");
    r.after = 99; /* beyond the head */
    r.upto = UINT64_MAX;
    expect_text(f, &r, "");
    assert_int_equal(r.next, 99);
    r.after = 0;
    r.descending = true;
    r.limit = 2;
    expect_text(f, &r, "5:room:1=e 3:room:2=c");
    assert_int_equal(r.next, 3);
    assert_true(r.more);
    r.upto = 2;
    expect_text(f, &r, "1:room:1=a");
    assert_int_equal(r.next, 1);
    assert_false(r.more);
    free(r.channels);
}

static void a_slice_has_one_row_at_least(void **state)
{
    struct fixture *f = *state;
    fill_some(f);
    struct reading r = reading_of("room:*,news");
    r.bytes = 1;
    expect_text(f, &r, "1:room:1=a");
    assert_int_equal(r.next, 1);
    assert_true(r.more);
    r.bytes = 1000000;
    r.limit = 2;
    r.after = 1;
    expect_text(f, &r, "2:news=b 3:room:2=c");
    assert_int_equal(r.next, 3);
    assert_true(r.more);
    r.after = 0;
    r.limit = 4;
    expect_text(f, &r, "1:room:1=a 2:news=b 3:room:2=c 5:room:1=e");
    assert_false(r.more);
    free(r.channels);
}

static Position put_expiring(struct fixture *f, const char *channel, Msec expires)
{
    struct append *a = append_new("", "", 0);
    append_send(a, "", 0);
    append_model(f, a,
                 &(struct event){.channel = str_of(channel), .data = STR("x"), .expires = expires});
    fixture_do(f, &a->op);
    Position at = a->sends[0].at;
    append_free(a);
    return at;
}

static void what_has_expired_is_left_out(void **state)
{
    struct fixture *f = *state;
    put_expiring(f, "news", 1000);
    put_expiring(f, "news", 2000);
    put_expiring(f, "news", 0);
    struct reading r = reading_of("news");
    r.now = 1000;
    expect_text(f, &r, "2:news=x 3:news=x");
    r.now = 2000;
    r.limit = 1;
    expect_text(f, &r, "");
    assert_int_equal(r.next, 1);
    assert_true(r.more);
    free(r.channels);
}

/* So that times differ, without waiting: the clock's next millisecond is near. */
static Msec next_millisecond(void)
{
    Msec now = clock_wall();
    while (clock_wall() == now)
        ;
    return clock_wall();
}

static void since_is_a_time_in_the_log(void **state)
{
    struct fixture *f = *state;
    fixture_put(f, "news", "a");
    fixture_put(f, "chat", "b");
    Msec since = next_millisecond();
    fixture_put(f, "news", "c");
    fixture_put(f, "chat", "d");
    struct reading r = reading_of("news");
    r.since = since;
    expect_text(f, &r, "3:news=c");
    free(r.channels);
    assert_int_equal(fixture_find(f, "news,chat", 0, since), 2);
    assert_int_equal(fixture_find(f, "news", 0, 1), 0);
    assert_int_equal(fixture_find(f, "news", 0, since + 1000000), 4);

    /* Something of that time is gone: the reader must be told, so it begins before it. */
    struct prune p = fixture_prune(f, "news", 2);
    assert_int_equal(p.floor, 3);
    assert_int_equal(fixture_find(f, "news", 0, since), 2);
    r = reading_of("news,chat");
    r.since = since;
    fixture_read(f, &r);
    assert_int_equal(r.missing_count, 1);
    assert_string_equal(r.missing[0].channel, "news");
    reading_fini(&r);
    /* What is gone is older: nothing is missing. */
    since = next_millisecond();
    fixture_put(f, "news", "e");
    r.since = since;
    fixture_read(f, &r);
    assert_int_equal(r.missing_count, 0);
    assert_string_equal(reading_text(&r), "5:news=e");
    reading_fini(&r);
    free(r.channels);
}

static void the_newest_are_found(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_find(f, "news", 3, 0), 0);
    fill_some(f);
    put_expiring(f, "news", 1); /* gone at once */
    assert_int_equal(fixture_find(f, "room:1", 1, 0), 4);
    assert_int_equal(fixture_find(f, "room:*", 2, 0), 2);
    assert_int_equal(fixture_find(f, "room:*,news", 100, 0), 0);
    assert_int_equal(fixture_find(f, "news", 1, 0), 1);
    assert_int_equal(fixture_find(f, "nobody", 5, 0), 7);
}

/* ---- what is missing ---- */

static void expect_missing(struct fixture *f, const char *channels, Position after,
                           const char *expected)
{
    char text[200] = "";
    size_t len = 0;
    struct reading r = reading_of(channels);
    r.after = after;
    fixture_read(f, &r);
    for (size_t i = 0; i < r.missing_count; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s=%llu", i ? " " : "",
                                r.missing[i].channel, (unsigned long long)r.missing[i].floor);
    assert_string_equal(text, expected);
    reading_fini(&r);
    free(r.channels);
}

static void floors_are_told(void **state)
{
    struct fixture *f = *state;
    fill_some(f);
    fixture_prune(f, "room:1", 2);
    fixture_prune(f, "news", 1);
    expect_missing(f, "room:1", 0, "room:1=5");
    expect_missing(f, "room:1", 4, "room:1=5");
    expect_missing(f, "room:1", 5, "");
    expect_missing(f, "room:2,room:1,news", 1, "room:1=5 news=2");
    expect_missing(f, "room:*,user:*", 0, "room:*=5");
    expect_missing(f, "room:2*", 0, "");
    expect_missing(f, "nobody", 0, "");
}

static void a_forgotten_channel_is_missing(void **state)
{
    struct fixture *f = *state;
    fill_some(f);
    fixture_prune(f, "room:1", 2);
    uint64_t rows[] = {fixture_channel(f, "room:1")->is.row, fixture_channel(f, "news")->is.row};
    struct forget forget = {.op = {.kind = OP_FORGET}, .rows = rows, .n = 2, .highest = 5};
    fixture_do(f, &forget.op);
    expect_missing(f, "room:1", 4, "room:1=5");
    expect_missing(f, "room:1", 5, "");
    expect_missing(f, "room:*", 4, "room:*=5");
    expect_missing(f, "never:seen", 4, "never:seen=5");
    expect_missing(f, "news", 0, ""); /* still has events */
    fixture_reopen(f);
    assert_int_equal(f->state.forgotten, 5);
    assert_int_equal(f->state.oldest, 5);
    assert_int_equal(f->channel_count, 4);
    /* The name again is another channel, and what was before is still missing. */
    fixture_put(f, "room:1", "g");
    expect_missing(f, "room:1", 4, "room:1=5");
    expect_missing(f, "room:1", 5, "");
}

/* ---- many channels ---- */

static void put_some(struct fixture *f, const char *channel, size_t events)
{
    struct append *a = append_new("", "", 0);
    append_send(a, "", 0);
    for (size_t i = 0; i < events; i++)
        append_event(f, a, channel, "x");
    fixture_do(f, &a->op);
    assert_int_equal(a->op.why.code, 0);
    append_free(a);
}

/* Channels a0000, a0001 and so on. */
static void put_many(struct fixture *f, const char *stem, size_t channels, size_t events)
{
    struct append *a = append_new("", "", 0);
    append_send(a, "", 0);
    for (size_t i = 0; i < events; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s%04zu", stem, i % channels);
        append_event(f, a, name, "x");
    }
    fixture_do(f, &a->op);
    assert_int_equal(a->op.why.code, 0);
    append_free(a);
}

static char *names_of(const char *stem, size_t n)
{
    struct buf list;
    buf_init(&list, 1000000);
    for (size_t i = 0; i < n; i++)
        buf_printf(&list, "%s%s%04zu", i ? "," : "", stem, i);
    buf_putc(&list, '\0');
    return buf_take(&list, &(size_t){0});
}

static void two_hundred_channels_are_merged(void **state)
{
    struct fixture *f = *state;
    put_many(f, "c", 300, 3000);
    put_some(f, "c0007", 1500); /* one is big */
    char *names = names_of("c", 200);
    struct reading r = reading_of(names);
    fixture_read(f, &r);
    assert_int_equal(r.n, 512);
    Position expected = 0;
    for (size_t i = 0; i < r.n; i++) {
        do
            expected++;
        while ((expected - 1) % 300 >= 200);
        assert_int_equal(r.events[i]->id.at, expected);
    }
    assert_int_equal(r.next, expected);
    assert_true(r.more);
    reading_fini(&r);
    assert_int_equal(read_all(f, &r), 2000 + 1500);
    free(r.channels);
    r = reading_of(names);
    r.descending = true;
    r.limit = 100;
    assert_int_equal(read_all(f, &r), 2000 + 1500);
    free(r.channels);
    free(names);
}

static void a_short_range_of_very_many_channels_is_walked_through(void **state)
{
    struct fixture *f = *state;
    put_many(f, "c", 2000, 6000);
    char *names = names_of("c", 1500);
    struct reading r = reading_of(names);
    r.after = 2000;
    assert_int_equal(read_all(f, &r), 2 * 1500);
    r.after = 2000;
    fixture_read(f, &r);
    assert_int_equal(r.n, 512);
    for (size_t i = 0; i < r.n; i++)
        assert_int_equal(r.events[i]->id.at, 2001 + i);
    reading_fini(&r);
    r.after = 0;
    r.descending = true;
    assert_int_equal(read_all(f, &r), 3 * 1500);
    free(r.channels);
    free(names);
}

static void a_pattern_of_too_many_channels_looks_at_all(void **state)
{
    struct fixture *f = *state;
    put_many(f, "a", 2000, 4000);
    put_some(f, "other", 9000); /* more than one slice looks at */
    put_many(f, "a", 10, 20);
    struct reading r = reading_of("a*");
    r.after = 4000;
    fixture_read(f, &r);
    assert_int_equal(r.n, 0);
    assert_true(r.more);
    assert_int_equal(r.next, 4000 + 8192);
    reading_fini(&r);
    r.after = 0;
    assert_int_equal(read_all(f, &r), 4020);
    r.after = 0;
    r.upto = UINT64_MAX;
    r.descending = true;
    assert_int_equal(read_all(f, &r), 4020);
    free(r.channels);
    assert_int_equal(fixture_find(f, "a*", 20, 0), 13000);
    assert_int_equal(fixture_find(f, "a*,other", 21, 0), 12999);
    fixture_prune(f, "a0003", 1);
    expect_missing(f, "a*", 3, "a*=4");
    expect_missing(f, "*", 3, "*=4");
    expect_missing(f, "a*", 4, "");
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(channels_and_patterns_are_read_in_order),
        ONE(a_range_and_its_ends),
        ONE(a_slice_has_one_row_at_least),
        ONE(what_has_expired_is_left_out),
        ONE(since_is_a_time_in_the_log),
        ONE(the_newest_are_found),
        ONE(floors_are_told),
        ONE(a_forgotten_channel_is_missing),
        ONE(two_hundred_channels_are_merged),
        ONE(a_short_range_of_very_many_channels_is_walked_through),
        ONE(a_pattern_of_too_many_channels_looks_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
