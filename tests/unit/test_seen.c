/* When users were last seen. */
#include "hub_bench.h"

static void come(struct bench *b, const char *user, bool poll)
{
    char name[32];
    snprintf(name, sizeof name, "client-of-%s-0000", user);
    open_with(
        b, "w1",
        (struct msg_open){.client = str_of(name), .named = 1, .poll = poll, .user = str_of(user)},
        "a");
    elapse(b, 10);
}

static void go(struct bench *b, const char *user, bool poll)
{
    char name[32];
    struct buf body;
    snprintf(name, sizeof name, "client-of-%s-0000", user);
    buf_init(&body, 1000);
    msg_close_pack(&body, &(struct msg_close){str_of(name), poll});
    say(b, "w1", VERB_CLOSE, &body);
    elapse(b, 10);
}

static void write_something(struct bench *b)
{
    publish(b, "w1", "other", "x");
    settle(b);
}

static const char *listed(struct bench *b)
{
    admin(b, "{\"do\":\"users\"}");
    return heard(b, "admin");
}

static void expect_seen(struct bench *b, const char *user, unsigned clients, Msec seen)
{
    char line[200];
    snprintf(line, sizeof line,
             "{\"user\":\"%s\",\"grants\":[],\"tokens\":0,\"added\":0,\"disabled\":false,"
             "\"before\":0,\"clients\":%u,\"seen\":%llu}",
             user, clients, (unsigned long long)seen);
    const char *said = listed(b);
    if (!strstr(said, line))
        fail_msg("%s is not in %s", line, said);
}

static Msec visit(struct bench *b, const char *user)
{
    come(b, user, false);
    Msec at = b->now.wall;
    go(b, user, false);
    return at;
}

static void it_goes_with_the_next_batch_and_outlives_a_crash(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    Msec first = visit(b, "ann");
    expect_seen(b, "ann", 0, first);
    bench_restart(b, false);
    assert_null(strstr(listed(b), "ann")); /* nothing else was written */
    hello(b, "w1", 0, "");
    Msec then = visit(b, "ann");
    write_something(b);
    bench_restart(b, false);
    expect_seen(b, "ann", 0, then);
    assert_null(accounts_of(&b->hub->accounts, STR("ann"), NULL)); /* no worker is told */
}

static void only_the_newest_time_waits(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    for (int i = 0; i < 3; i++)
        visit(b, "ann");
    come(b, "bob", true);
    go(b, "bob", true);
    Msec at = visit(b, "ann");
    write_something(b);
    come(b, "ann", false);
    expect_seen(b, "ann", 1, at);
    bench_restart(b, false);
    expect_seen(b, "ann", 0, at);
    assert_int_equal(b->hub->seen.by_user.len, 2);
}

static void a_second_device_is_still_there(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    come(b, "ann", false);
    come(b, "ann", true);
    go(b, "ann", true);
    assert_null(strstr(listed(b), "ann"));
    go(b, "ann", false);
    assert_non_null(strstr(listed(b), "ann"));
}

static void a_hub_that_stops_saw_who_is_there(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    Msec gone = visit(b, "bob");
    come(b, "ann", false);
    Msec now = b->now.wall;
    bench_restart(b, true);
    expect_seen(b, "bob", 0, gone);
    assert_in_range(seen_at(b->hub, STR("ann")), now, now + 1000);
}

static void the_oldest_of_too_many_are_forgotten(void **state)
{
    struct bench *b = *state;
    char user[16];
    bench_options(b, "--max_accounts=16", "--token_life=1m", NULL);
    hello(b, "w1", 0, "");
    for (int i = 10; i < 30; i++) {
        snprintf(user, sizeof user, "u%d", i);
        visit(b, user);
        write_something(b);
    }
    write_something(b);
    bench_restart(b, false);
    assert_int_equal(b->hub->seen.by_user.len, 16);
    assert_int_equal(seen_at(b->hub, STR("u13")), 0);
    assert_true(seen_at(b->hub, STR("u14")) > 0);
    b->now.wall += 61000;
    bench_restart(b, false);
    assert_int_equal(b->hub->seen.by_user.len, 0);
    hello(b, "w1", 0, "");
    write_something(b);
    b->now.wall -= 61000;
    bench_restart(b, false);
    assert_int_equal(b->hub->seen.by_user.len, 0); /* in the file, too */
}

static void a_user_that_is_deleted_was_never_seen(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    visit(b, "ann");
    write_something(b);
    visit(b, "ann");
    admin(b, "{\"do\":\"user\",\"user\":\"ann\",\"action\":\"del\"}");
    settle(b);
    assert_null(strstr(listed(b), "ann"));
    bench_restart(b, false);
    assert_null(strstr(listed(b), "ann"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(it_goes_with_the_next_batch_and_outlives_a_crash),
        BENCH(only_the_newest_time_waits),
        BENCH(a_second_device_is_still_there),
        BENCH(a_hub_that_stops_saw_who_is_there),
        BENCH(the_oldest_of_too_many_are_forgotten),
        BENCH(a_user_that_is_deleted_was_never_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
