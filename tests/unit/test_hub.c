#include "hub_bench.h"

#include <stdlib.h>

static void say_bytes(struct bench *b, const char *peer, Str header, Str body)
{
    hub_on_message(b->hub, str_of(peer), header, body, b->now);
}

static void whoever_is_not_known_is_asked_who_it_is(void **state)
{
    struct bench *b = *state;
    publish(b, "w1", "a", "x");
    expect(b, "w1", "WHO");
    say_bytes(b, "w1", STR("nonsense"), STR_NONE);
    say_bytes(b, "w1", STR_NONE, STR_NONE);
    expect(b, "w1", "WHO | WHO");
}

static void another_version_is_rejected(void **state)
{
    struct bench *b = *state;
    char header[MESSAGE_HEADER];
    header_pack(header, (struct header){PROTOCOL_VERSION + 2, VERB_HELLO, 0});
    say_bytes(b, "w1", str_make(header, sizeof header), STR_NONE);
    expect(b, "w1", "REJECT version");
    header_pack(header, (struct header){PROTOCOL_VERSION, VERB_HELLO, 0});
    say_bytes(b, "w1", str_make(header, sizeof header), STR("abc"));
    expect(b, "w1", "REJECT malformed");
}

static void garbage_on_a_link_ends_nothing(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "a");
    for (int verb = VERB_NONE; verb < VERB_COUNT + 3; verb++) {
        if (verb == VERB_GOODBYE || verb == VERB_HELLO)
            continue;
        char header[MESSAGE_HEADER];
        header_pack(header, (struct header){PROTOCOL_VERSION, (uint8_t)verb, 0});
        say_bytes(b, "w1", str_make(header, sizeof header), STR("\1\2\3"));
    }
    publish(b, "w1", "a", "x");
    expect(b, "w1", "WELCOME from=0 | EVENT 1:a=x | PUBLISHED 1+1");
    assert_true(b->hub->counters[COUNT_GARBAGE] > 10);
}

/* Three publishes come in one message, and what is said of them leaves in one. */
static void what_is_said_in_a_turn_is_one_message(void **state)
{
    struct bench *b = *state;
    struct bundle bundle;
    struct header header;
    struct buf body, item;
    b->bundles = true;
    hello(b, "w1", 0, "a");
    expect(b, "w1", "WELCOME from=0");
    bundle_init(&bundle);
    for (uint64_t i = 1; i <= 3; i++) {
        buf_init(&item, 1 << 20);
        msg_pulse_pack(&item, &(struct msg_pulse){.seq = i});
        header = (struct header){PROTOCOL_VERSION, VERB_PULSE, 0};
        assert_true(bundle_put(&bundle, header, buf_str(&item)));
        buf_clear(&item);
        msg_query_pack(&item, &(struct msg_query){.ref = i, .what = STR("nothing")});
        header.verb = VERB_QUERY;
        assert_true(bundle_put(&bundle, header, buf_str(&item)));
        buf_fini(&item);
    }
    assert_true(bundle_take(&bundle, &header, &body));
    size_t before = b->sends;
    say(b, "w1", (enum verb)header.verb, &body);
    assert_int_equal(b->sends, before);
    expect(b, "w1", "ANSWER | ANSWER | ANSWER");
    assert_int_equal(b->sends, before + 1);
    assert_int_equal(b->hub->counters[COUNT_GARBAGE], 0);
}

static void a_bundle_in_a_bundle_is_garbage(void **state)
{
    struct bench *b = *state;
    struct bundle bundle;
    struct header header;
    struct buf body;
    hello(b, "w1", 0, "a");
    bundle_init(&bundle);
    header = (struct header){PROTOCOL_VERSION, VERB_BUNDLE, 0};
    bundle_put(&bundle, header, STR_NONE);
    bundle_put(&bundle, header, STR_NONE);
    assert_true(bundle_take(&bundle, &header, &body));
    say(b, "w1", (enum verb)header.verb, &body);
    assert_int_equal(b->hub->counters[COUNT_GARBAGE], 2);
}

/* It is as gone as one whose message could not be sent at once. */
static void who_cannot_be_sent_a_bundle_is_gone(void **state)
{
    struct bench *b = *state;
    b->bundles = true;
    hello(b, "w1", 0, "a");
    b->is_cut = true;
    tool(b, "t", "a", "", "x", NULL);
    settle(b);
    assert_int_equal(b->hub->peers.by_id.len, 0);
    b->is_cut = false;
}

static void a_link_is_refilled_from_where_it_was(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    for (int i = 0; i < 5; i++)
        publish(b, "w1", i % 2 ? "b" : "a", "x");
    hello(b, "w2", 2, "a");
    expect(b, "w2", "WELCOME from=2 | EVENT 3:a=x | EVENT 5:a=x");
    bench_restart(b, false);
    hello(b, "w2", 2, "a");
    publish(b, "w2", "a", "y");
    expect(b, "w2", "WELCOME from=2 | EVENT 3:a=x | EVENT 5:a=x | EVENT 6:a=y | PUBLISHED 6+1");
}

static void a_hello_replaces_the_link_of_the_same_worker(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "a");
    hello(b, "w1", 0, "b");
    publish(b, "w1", "a", "x");
    publish(b, "w1", "b", "y");
    expect(b, "w1",
           "WELCOME from=0 | WELCOME from=0 | PUBLISHED 1+1 | EVENT 2:b=y | PUBLISHED 2+1");
    hello(b, "x1", 0, "a"); /* the same boot behind another connection */
    publish(b, "w1", "a", "x");
    expect(b, "w1", "WHO");
    expect(b, "x1", "WELCOME from=2");
    assert_int_equal(b->hub->peers.by_id.len, 1);
}

static void a_hello_comes_in_pieces(void **state)
{
    struct bench *b = *state;
    struct buf body;
    hello(b, "w2", 0, "");
    for (int more = 1; more >= 0; more--) {
        buf_init(&body, 1000);
        msg_hello_pack(&body, &(struct msg_hello){.boot = 9,
                                                  .name = STR("w9"),
                                                  .more = (uint8_t)more,
                                                  .channels = names(b, more ? "a" : "b")});
        say(b, "w9", VERB_HELLO, &body);
        settle(b);
    }
    publish(b, "w2", "a,b", "x");
    expect(b, "w9", "WELCOME from=0 | EVENT 1:a=x | EVENT 2:b=x");
}

static void say_numbered(struct bench *b, uint64_t seq, enum verb verb, struct buf *body)
{
    char header[MESSAGE_HEADER];
    header_pack(header, (struct header){PROTOCOL_VERSION, (uint8_t)verb, seq});
    say_bytes(b, "w9", str_make(header, sizeof header), buf_str(body));
    buf_fini(body);
    settle(b);
}

static void say_hello(struct bench *b, uint64_t seq, bool goes_on, bool more, const char *channels)
{
    struct buf body;
    buf_init(&body, 1000);
    msg_hello_pack(&body, &(struct msg_hello){.boot = 9,
                                              .name = STR("w9"),
                                              .more = more,
                                              .goes_on = goes_on,
                                              .channels = names(b, channels)});
    say_numbered(b, seq, VERB_HELLO, &body);
}

static void say_query(struct bench *b, uint64_t seq)
{
    struct buf body;
    buf_init(&body, 1000);
    msg_query_pack(&body, &(struct msg_query){.ref = seq, .what = STR("nothing")});
    say_numbered(b, seq, VERB_QUERY, &body);
}

static void what_comes_twice_or_leaves_a_hole_is_noticed(void **state)
{
    struct bench *b = *state;
    say_hello(b, 5, false, false, "a");
    say_query(b, 6);
    say_query(b, 6);
    expect(b, "w9", "WELCOME from=0 | ANSWER");
    say_query(b, 8);
    say_query(b, 5);
    expect(b, "w9", "WHO");
    say_hello(b, 5, false, false, "a");
    expect(b, "w9", "");
    say_hello(b, 9, false, false, "a");
    say_query(b, 10);
    expect(b, "w9", "WELCOME from=0 | ANSWER");
}

static void a_hello_of_which_a_piece_is_lost_is_none(void **state)
{
    struct bench *b = *state;
    say_hello(b, 2, true, false, "b");
    say_hello(b, 3, false, true, "a");
    say_hello(b, 5, true, false, "c");
    expect(b, "w9", "");
    say_hello(b, 6, false, true, "a");
    say_hello(b, 6, false, true, "a");
    say_hello(b, 7, true, false, "b");
    expect(b, "w9", "WELCOME from=0");
    assert_int_equal(peer_by_id(b->hub, STR("w9"))->subs.len, 2);
}

static void a_position_beyond_a_fork_goes_back_to_it(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "a");
    publish(b, "w1", "a", "x");
    Cursor beyond = cursor_at(b, 1);
    beyond.at = 17;
    bench_restart(b, false);
    hello(b, "w2", 0, "");
    publish(b, "w2", "a", "y");
    hello_at(b, "w1", beyond, "a", STR_NONE);
    expect(b, "w1", "WELCOME from=1 reset | EVENT 2:a=y");
    hello_at(b, "w1", (Cursor){12345, 1}, "a", STR_NONE);
    expect(b, "w1", "WELCOME from=0 reset | EVENT 1:a=x | EVENT 2:a=y");
}

static void a_link_that_is_silent_is_gone(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "a");
    hello(b, "w2", 0, "a");
    for (int i = 0; i < 4; i++) {
        elapse(b, 900);
        pulse(b, "w2");
    }
    publish(b, "w1", "a", "x");
    publish(b, "w2", "a", "x");
    expect(b, "w1", "WELCOME from=0 | WHO");
    expect(b, "w2", "WELCOME from=0 | EVENT 1:a=x | PUBLISHED 1+1");
}

static void a_hub_that_was_stopped_itself_extends_the_leases(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "a");
    elapse(b, 60000);
    publish(b, "w1", "a", "x");
    expect(b, "w1", "WELCOME from=0 | EVENT 1:a=x | PUBLISHED 1+1");
}

static void a_lease_that_began_after_a_stop_is_not_extended(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "a");
    hello(b, "w2", 0, "a");
    settle(b);
    b->now.mono += 60000;
    pulse(b, "w1");
    pulse(b, "w2");
    for (int i = 0; i < 5; i++) {
        elapse(b, 900);
        pulse(b, "w2");
    }
    assert_null(peer_by_id(b->hub, STR("w1")));
    assert_non_null(peer_by_id(b->hub, STR("w2")));
}

static void a_beat_tells_through_each_second(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "a");
    tool(b, "t", "elsewhere", "", "x", NULL);
    settle(b);
    const struct list *before = b->said.prev;
    elapse(b, 1000);
    assert_ptr_not_equal(before, b->said.prev);
    assert_int_equal(peer_through(b->hub, peer_by_id(b->hub, STR("w1"))), 1);
    expect(b, "w1", "WELCOME from=0");
}

static void who_cannot_be_reached_is_gone(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "a");
    expect(b, "w1", "WELCOME from=0");
    b->is_cut = true;
    tool(b, "t", "a", "", "x", NULL);
    settle(b);
    b->is_cut = false;
    assert_int_equal(b->hub->peers.by_id.len, 0);
    assert_int_equal(b->hub->topics.exact.len, 0);
    hello(b, "w1", 0, "a");
    goodbye(b, "w1");
    settle(b);
    assert_int_equal(b->hub->peers.by_id.len, 0);
}

static void a_stop_is_told_and_refuses(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "a");
    publish(b, "w1", "a", "x");
    hub_stop(b->hub, b->now);
    publish(b, "w1", "a", "y");
    expect(b, "w1", "WELCOME from=0 | STOPPING | EVENT 1:a=x | PUBLISHED 1+1 | PUBLISHED stopping");
    assert_true(hub_is_stopped(b->hub));
}

static void metrics_sum_the_workers(void **state)
{
    struct bench *b = *state;
    struct buf list, body;
    hello(b, "w1", 0, "a");
    hello(b, "w2", 0, "a");
    for (int i = 0; i < 2; i++) {
        buf_init(&list, 1000);
        buf_init(&body, 1000);
        list_put(&list, STR("streams 3"));
        list_put(&list, STR("requests_total 10"));
        list_put(&list, STR("Bad{} 1"));
        list_put(&list, STR("worse x"));
        msg_pulse_pack(&body, &(struct msg_pulse){.counters = buf_str(&list)});
        buf_fini(&list);
        say(b, i ? "w2" : "w1", VERB_PULSE, &body);
    }
    goodbye(b, "w2");
    settle(b);
    buf_init(&body, 1 << 20);
    assert_true(metrics_print(b->hub, &body));
    buf_putc(&body, 0);
    assert_non_null(strstr(body.p, "\nbelfry_requests_total 20\n"));
    assert_non_null(strstr(body.p, "\nbelfry_streams 3\n"));
    assert_non_null(strstr(body.p, "\nbelfry_hub_hellos_total 2\n"));
    assert_null(strstr(body.p, "Bad"));
    assert_null(strstr(body.p, "worse"));
    buf_fini(&body);
}

static void a_long_gap_is_said_in_pieces(void **state)
{
    struct bench *b = *state;
    enum { CHANNELS = 3000 };
    struct buf list;
    char name[128];
    bench_options(b, "--keep=1", NULL);
    buf_init(&list, BODY_MAX);
    for (int i = 0; i < 2 * CHANNELS; i++) {
        snprintf(name, sizeof name, "%0120d", i % CHANNELS);
        tool(b, "filler", name, "", "x", NULL);
        if (i < CHANNELS)
            buf_printf(&list, "%s%s", i ? "," : "", name);
        if (i % 500 == 0)
            settle(b);
    }
    settle(b);
    bench_restart(b, false);
    hello(b, "w1", 1, list.p);
    Str rest = str_of(heard(b, "w1")), word;
    size_t gaps = 0;
    while (str_cut(&rest, '|', &word)) {
        bool is_gap = str_starts(word, STR(" GAP"));
        gaps += is_gap;
        assert_true(!is_gap || word.len < LIST_PIECE);
    }
    assert_int_equal(gaps, 2);
    buf_fini(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(whoever_is_not_known_is_asked_who_it_is),
        BENCH(another_version_is_rejected),
        BENCH(garbage_on_a_link_ends_nothing),
        BENCH(what_is_said_in_a_turn_is_one_message),
        BENCH(a_bundle_in_a_bundle_is_garbage),
        BENCH(who_cannot_be_sent_a_bundle_is_gone),
        BENCH(a_link_is_refilled_from_where_it_was),
        BENCH(a_hello_replaces_the_link_of_the_same_worker),
        BENCH(a_hello_comes_in_pieces),
        BENCH(what_comes_twice_or_leaves_a_hole_is_noticed),
        BENCH(a_hello_of_which_a_piece_is_lost_is_none),
        BENCH(a_position_beyond_a_fork_goes_back_to_it),
        BENCH(a_link_that_is_silent_is_gone),
        BENCH(a_hub_that_was_stopped_itself_extends_the_leases),
        BENCH(a_lease_that_began_after_a_stop_is_not_extended),
        BENCH(a_beat_tells_through_each_second),
        BENCH(who_cannot_be_reached_is_gone),
        BENCH(a_stop_is_told_and_refuses),
        BENCH(metrics_sum_the_workers),
        BENCH(a_long_gap_is_said_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
