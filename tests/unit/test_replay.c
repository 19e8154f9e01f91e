/* Where streams begin, what they are given from the log, and links that lag. */
#include "hub_bench.h"

#include <stdlib.h>

#define ANN "client-of-ann-00"

static void fill(struct bench *b, const char *channel, int n)
{
    for (int i = 0; i < n; i++)
        tool(b, "filler", channel, "", "x", NULL);
    settle(b);
}

static void begin(struct bench *b, uint8_t start, Cursor from, uint64_t value, const char *channels)
{
    open_with(b, "w1",
              (struct msg_open){.client = STR(ANN), .start = start, .at = from, .value = value},
              channels);
}

static void a_stream_begins_where_it_is_asked_to(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    fill(b, "a", 3);
    fill(b, "b", 3);
    begin(b, START_DEFAULT, CURSOR_NONE, 0, "a");
    begin(b, START_EARLIEST, CURSOR_NONE, 0, "a");
    begin(b, START_CURSOR, cursor_at(b, 2), 0, "a,b");
    begin(b, START_LAST, CURSOR_NONE, 2, "a");
    begin(b, START_LAST, CURSOR_NONE, 4, "a,b");
    begin(b, START_SINCE, CURSOR_NONE, 1, "a");
    begin(b, START_SINCE, CURSOR_NONE, b->now.wall + 1000000, "a");
    expect(b, "w1",
           "WELCOME from=0 | OPENED join=6 from=6 | OPENED join=6 from=0 | "
           "OPENED join=6 from=2 | OPENED join=6 from=1 | "
           "OPENED join=6 from=2 | OPENED join=6 from=0 | "
           "OPENED join=6 from=6");
}

static void a_cursor_is_judged(void **state)
{
    struct bench *b = *state;
    bench_options(b, "--keep=2", NULL);
    hello(b, "w1", 0, "");
    fill(b, "a", 3);
    fill(b, "quiet", 1);
    begin(b, START_CURSOR, cursor_at(b, 0), 0, "a,quiet,none");
    begin(b, START_CURSOR, cursor_at(b, 1), 0, "a,quiet");
    begin(b, START_CURSOR, cursor_at(b, 0), 0, "quiet,none,q*");
    begin(b, START_CURSOR, cursor_at(b, 0), 0, "*");
    begin(b, START_CURSOR, (Cursor){cursor_at(b, 0).epoch, 99}, 0, "a");
    begin(b, START_CURSOR, CURSOR_NONE, 0, "a");
    begin(b, START_CURSOR, (Cursor){77, 1}, 0, "a,quiet");
    begin(b, START_CURSOR, (Cursor){77, 1}, 0, "a");
    expect(b, "w1",
           "WELCOME from=0 | OPENED join=4 from=0 gap=pruned oldest=1 missing=a | "
           "OPENED join=4 from=1 | OPENED join=4 from=0 | "
           "OPENED join=4 from=0 gap=pruned oldest=1 missing=* | "
           "OPENED join=4 from=4 gap=reset oldest=4 missing=a | "
           "OPENED join=4 from=1 gap=unknown oldest=1 missing=a | "
           "OPENED join=4 from=0 gap=unknown oldest=0 missing=a,quiet | "
           "OPENED join=4 from=1 gap=unknown oldest=1 missing=a");
}

static void every_event_after_join_comes_on_the_link(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    fill(b, "a", 2);
    tool(b, "t", "a", "", "under way", NULL); /* committed after the join */
    begin(b, START_DEFAULT, CURSOR_NONE, 0, "a");
    fill(b, "a", 1);
    expect(b, "w1", "WELCOME from=0 | OPENED join=2 from=2 | EVENT 3:a=under way | EVENT 4:a=x");
}

static void slices_are_fetched(void **state)
{
    struct bench *b = *state;
    bench_options(b, "--keep=3", NULL);
    hello(b, "w1", 0, "");
    fill(b, "a", 4);
    fill(b, "b", 2);
    fetch(b, "w1", 0, 5, "a,b");
    fetch(b, "w1", 3, 6, "b");
    fetch(b, "w1", 6, 6, "b");
    fetch(b, "w1", 0, 0, "x,,");
    fetch(b, "w1", 0, 0, "");
    expect(b, "w1",
           "WELCOME from=0 | ROWS wrong_field next=0 | ROWS wrong_field next=0 | "
           "ROWS 2:a=x 3:a=x 4:a=x 5:b=x next=5 gap=pruned oldest=1 missing=a | "
           "ROWS 5:b=x 6:b=x next=6 | ROWS next=6");
}

static void history_judges_its_cursors(void **state)
{
    struct bench *b = *state;
    struct buf body;
    hello(b, "w1", 0, "");
    fill(b, "a", 5);
    buf_init(&body, 1000);
    msg_fetch_pack(&body, &(struct msg_fetch){.after = {99, 1},
                                              .before = cursor_at(b, 4),
                                              .limit = 2,
                                              .descending = 1,
                                              .channels = names(b, "a")});
    say(b, "w1", VERB_FETCH, &body);
    expect(b, "w1", "WELCOME from=0 | ROWS 3:a=x 2:a=x next=2 more gap=unknown oldest=0 missing=a");
}

/* Else the totals of a PULSE would be above what the hub sent. */
static void a_refused_fetch_is_counted_as_the_worker_counts_it(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "a");
    fetch(b, "w1", 0, 5, "");
    (void)heard(b, "w1");
    const struct peer *p = peer_by_id(b->hub, STR("w1"));
    assert_int_equal(p->sent_messages, 1);
    assert_true(p->sent_bytes > 0);
    pulse(b, "w1");
    assert_int_equal(p->done_messages, 1);
    assert_int_equal(p->done_bytes, p->sent_bytes);
}

static void totals_above_what_was_sent_give_back_what_was_sent(void **state)
{
    struct bench *b = *state;
    struct buf body;
    hello(b, "w1", 0, "a");
    fetch(b, "w1", 0, 5, "");
    (void)heard(b, "w1");
    buf_init(&body, 1 << 20);
    msg_pulse_pack(&body, &(struct msg_pulse){.bytes = UINT64_MAX, .messages = UINT64_MAX});
    say(b, "w1", VERB_PULSE, &body);
    const struct peer *p = peer_by_id(b->hub, STR("w1"));
    assert_int_equal(p->done_messages, 1);
    assert_int_equal(p->done_bytes, p->sent_bytes);
}

/* 16,384 messages are the credit; 70,000 events are more than the ring holds. */
static void a_link_without_credit_is_caught_up_from_the_log(void **state)
{
    struct bench *b = *state;
    enum { EVENTS = 40000 };
    bench_options(b, "--ring_events=1000", "--keep=100000", NULL);
    hello(b, "w1", 0, "a");
    expect(b, "w1", "WELCOME from=0");
    unsigned next = 1;
    for (int round = 0; round < EVENTS / 4000; round++) {
        for (int i = 0; i < 4000; i++)
            tool(b, "t", i % 2 ? "a" : "b", "", "x", NULL);
        settle(b);
    }
    for (int round = 0; round < 4; round++) {
        char *text = strdup(heard(b, "w1")), *rest = text;
        for (char *word; (word = strstr(rest, "EVENT "));) {
            next += 1; /* odd positions are b's */
            assert_int_equal(strtoul(word + 6, &rest, 10), next);
            next += 1;
        }
        free(text);
        pulse(b, "w1");
        settle(b);
    }
    assert_int_equal(next, EVENTS + 1);
    assert_true(peer_by_id(b->hub, STR("w1"))->is_live);
    assert_true(b->hub->counters[COUNT_LAGGED] >= 1);
    tool(b, "t", "a", "", "live", NULL);
    expect(b, "w1", "EVENT 40001:a=live");
}

/* A channel that joins while the link lags is not missed, nor what is in flight of the others. */
static void a_link_that_lags_can_subscribe(void **state)
{
    struct bench *b = *state;
    bench_options(b, "--ring_events=16", NULL);
    hello(b, "w1", 0, "a");
    fill(b, "a", 3);
    fill(b, "b", 40);
    expect(b, "w1", "WELCOME from=0 | EVENT 1:a=x | EVENT 2:a=x | EVENT 3:a=x");
    goodbye(b, "w1");
    settle(b);
    struct buf body;
    buf_init(&body, 1000);
    msg_hello_pack(
        &body, &(struct msg_hello){.boot = 1, .at = cursor_at(b, 2), .channels = names(b, "a")});
    say(b, "w1", VERB_HELLO, &body);
    (void)hub_turn(b->hub, b->now); /* the slice is under way */
    begin(b, START_DEFAULT, CURSOR_NONE, 0, "b");
    char text[2000] = "WELCOME from=2 | OPENED join=2 from=2 | EVENT 3:a=x";
    for (int i = 4; i <= 43; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " | EVENT %d:b=x", i);
    expect(b, "w1", text);
}

static void a_refill_says_what_was_pruned(void **state)
{
    struct bench *b = *state;
    bench_options(b, "--ring_events=16", "--keep=2", NULL);
    hello(b, "w2", 0, "");
    fill(b, "a", 1);
    fill(b, "a", 40);
    elapse(b, 1000);
    hello(b, "w1", 1, "a,b");
    expect(b, "w1",
           "WELCOME from=1 | GAP gap=pruned oldest=39 missing=a floors=39 | EVENT 40:a=x | EVENT "
           "41:a=x");
}

static void rows_wait_for_credit(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    fill(b, "a", 1);
    struct peer *p = peer_by_id(b->hub, STR("w1"));
    p->sent_messages += CREDIT_MESSAGES;
    fetch(b, "w1", 0, 0, "a");
    expect(b, "w1", "WELCOME from=0");
    assert_true(p->asked_bytes > 0);
    pulse(b, "w1");
    expect(b, "w1", "ROWS 1:a=x next=1");
    assert_int_equal(p->asked_bytes, 0);
}

static void only_so_many_slices_are_under_way(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    for (int i = 0; i < 65; i++)
        fetch(b, "w1", 0, 0, "a");
    expect(b, "w1",
           "WELCOME from=0 | ROWS overload next=0" /* and 64 that are empty */
           " | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0"
           " | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0"
           " | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0"
           " | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0"
           " | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0"
           " | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0"
           " | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0"
           " | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0"
           " | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0"
           " | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0"
           " | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0"
           " | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0"
           " | ROWS next=0 | ROWS next=0 | ROWS next=0 | ROWS next=0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(a_stream_begins_where_it_is_asked_to),
        BENCH(a_cursor_is_judged),
        BENCH(every_event_after_join_comes_on_the_link),
        BENCH(slices_are_fetched),
        BENCH(history_judges_its_cursors),
        BENCH(a_refused_fetch_is_counted_as_the_worker_counts_it),
        BENCH(totals_above_what_was_sent_give_back_what_was_sent),
        BENCH(a_link_without_credit_is_caught_up_from_the_log),
        BENCH(a_link_that_lags_can_subscribe),
        BENCH(a_refill_says_what_was_pruned),
        BENCH(rows_wait_for_credit),
        BENCH(only_so_many_slices_are_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
