/* Clients, and channels that are added to them from elsewhere. */
#include "hub_bench.h"

#define ANN "client-of-ann-00"

static void open_named(struct bench *b, const char *peer, const char *user, bool poll,
                       const char *channels)
{
    open_with(b, peer,
              (struct msg_open){.client = STR(ANN), .named = 1, .poll = poll, .user = str_of(user)},
              channels);
}

static void close_one(struct bench *b, const char *peer, bool poll)
{
    struct buf body;
    buf_init(&body, 1000);
    msg_close_pack(&body, &(struct msg_close){STR(ANN), poll});
    say(b, peer, VERB_CLOSE, &body);
}

static void change(struct bench *b, const char *peer, const char *user, const char *add,
                   const char *remove)
{
    struct buf body;
    buf_init(&body, 1000);
    msg_change_pack(&body, &(struct msg_change){.ref = ++b->ref,
                                                .client = STR(ANN),
                                                .user = str_of(user),
                                                .add = names(b, add),
                                                .remove = names(b, remove)});
    say(b, peer, VERB_CHANGE, &body);
}

static void added(struct bench *b, const char *peer, int code, const char *channels)
{
    struct buf body;
    buf_init(&body, 1000);
    msg_added_pack(&body, &(struct msg_added){.ref = b->hub->next_ref,
                                              .code = (uint8_t)code,
                                              .channels = names(b, channels),
                                              .at = cursor_at(b, 0)});
    say(b, peer, VERB_ADDED, &body);
}

static void a_change_goes_to_the_worker_that_has_the_stream(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    hello(b, "w2", 0, "");
    open_named(b, "w1", "ann", false, "a");
    change(b, "w2", "ann", "b,c", "a");
    expect(b, "w1",
           "WELCOME from=0 | OPENED join=0 from=0 | ADD client-of-ann-00 join=0 from=0 +b,c -a");
    publish(b, "w2", "c", "x");
    added(b, "w1", 0, "b,c");
    expect(b, "w1", "EVENT 1:c=x");
    expect(b, "w2", "WELCOME from=0 | CHANGED at=0 b,c | PUBLISHED 1+1");
}

static void what_was_added_is_remembered_until_it_expires(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    open_named(b, "w1", "", false, "a");
    change(b, "w1", "", "b,c", "");
    added(b, "w1", 0, "a,b,c");
    change(b, "w1", "", "", "c");
    added(b, "w1", 0, "a,b");
    close_one(b, "w1", false);
    elapse(b, 50000);
    hello(b, "w1", 0, "");
    open_named(b, "w1", "", false, "a");
    expect(b, "w1",
           "WELCOME from=0 | OPENED join=0 from=0 | ADD client-of-ann-00 join=0 from=0 +b,c - | "
           "CHANGED at=0 a,b,c | ADD client-of-ann-00 join=0 from=0 + -c | CHANGED at=0 a,b | "
           "WELCOME from=0 | OPENED join=0 from=0 known=a;b+;");
    close_one(b, "w1", false);
    elapse(b, 60000);
    open_named(b, "w1", "", false, "a");
    expect(b, "w1", "OPENED join=0 from=0");
}

/* Added again, after its rights had gone, the stream is told of an earlier beginning. */
static void what_is_added_twice_is_remembered_from_the_earlier(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    open_named(b, "w1", "", false, "a");
    struct client *c = client_find(b->hub, STR(ANN));
    const Position from[] = {9, 5, 7};
    for (size_t i = 0; i < COUNT_OF(from); i++)
        client_add_part(b->hub, c, STR("b"), from[i], false);
    assert_int_equal(c->part_count, 1);
    assert_int_equal(CONTAINER_OF(c->parts.next, struct part, list)->from, 5);
}

static Position begin_of_only_part(const struct client *c, Position at)
{
    struct buf parts;
    struct msg_part m = {0};
    Str item;
    buf_init(&parts, 1000);
    client_put_parts(c, at, &parts);
    Str list = buf_str(&parts);
    assert_true(list_next(&list, &item) && msg_part_unpack(item, &m));
    buf_fini(&parts);
    return m.from;
}

/* The worker that told it of an earlier beginning is gone, and so is the hub that knew. */
static void what_a_worker_remembers_yields_to_the_cursor(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    open_named(b, "w1", "", false, "a");
    struct client *c = client_find(b->hub, STR(ANN));
    client_add_part(b->hub, c, STR("b"), 9, true);
    assert_int_equal(begin_of_only_part(c, 4), 4);
    assert_int_equal(begin_of_only_part(c, 20), 9);
    client_remove_part(c, STR("b"));
    client_add_part(b->hub, c, STR("b"), 9, false);
    assert_int_equal(begin_of_only_part(c, 4), 9);
}

/* So its start is held, as the first time: the worker may be asking again, for an answer that was
 * lost on its way. */
static void a_client_without_channels_is_not_said_to_be_known(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    open_named(b, "w1", "", false, "a");
    open_named(b, "w1", "", false, "a");
    expect(b, "w1", "WELCOME from=0 | OPENED join=0 from=0 | OPENED join=0 from=0");
    change(b, "w1", "", "b", "");
    added(b, "w1", 0, "a,b");
    open_named(b, "w1", "", false, "a");
    expect(b, "w1",
           "ADD client-of-ann-00 join=0 from=0 +b - | CHANGED at=0 a,b | "
           "OPENED join=0 from=0 known=a;b+;");
}

static void a_change_is_for_the_same_user_alone(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    change(b, "w1", "ann", "b", "");
    open_named(b, "w1", "ann", false, "");
    change(b, "w1", "bob", "b", "");
    change(b, "w1", "", "b", "");
    change(b, "w1", "ann", "b*c", "");
    expect(b, "w1",
           "WELCOME from=0 | CHANGED not_found at=0  | OPENED join=0 from=0 | "
           "CHANGED forbidden at=0  | CHANGED forbidden at=0  | CHANGED wrong_field at=0 ");
}

static void a_worker_that_leaves_or_is_mute_answers_nothing(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    hello(b, "w2", 0, "");
    open_named(b, "w1", "", false, "");
    change(b, "w2", "", "b", "");
    goodbye(b, "w1");
    expect(b, "w2", "WELCOME from=0 | CHANGED hub_away at=0 ");
    hello(b, "w1", 0, "");
    open_named(b, "w1", "", false, "");
    change(b, "w2", "", "b", "");
    for (int i = 0; i < 6; i++) {
        elapse(b, 900);
        pulse(b, "w1");
        pulse(b, "w2");
    }
    expect(b, "w2", "CHANGED hub_away at=0 ");
}

static void hello_with_ann(struct bench *b, const char *peer)
{
    struct buf item, clients;
    buf_init(&item, 1000);
    buf_init(&clients, 1000);
    msg_client_pack(&item, &(struct msg_client){.client = STR(ANN), .streams = 1});
    list_put(&clients, buf_str(&item));
    hello_at(b, peer, CURSOR_NONE, "a", buf_str(&clients));
    buf_fini(&item);
    buf_fini(&clients);
}

/* As when a worker is replaced: the next one says HELLO with the clients, then MOVED. */
static void what_was_asked_of_one_that_moved_is_asked_of_the_next(void **state)
{
    struct bench *b = *state;
    struct buf body;
    buf_init(&body, 10);
    hello(b, "w1", 0, "");
    hello(b, "w2", 0, "");
    open_stream(b, "w1", ANN, "a");
    change(b, "w2", "", "b", "");
    expect(b, "w1",
           "WELCOME from=0 | OPENED join=0 from=0 | ADD client-of-ann-00 join=0 from=0 +b -");
    hello_with_ann(b, "w3");
    msg_moved_pack(&body, &(struct msg_moved){'1'}); /* the bench's boot of w1 */
    say(b, "w3", VERB_MOVED, &body);
    publish(b, "w2", "a", "x");
    expect(b, "w3", "WELCOME from=0 | ADD client-of-ann-00 join=0 from=0 +b - | EVENT 1:a=x");
    expect(b, "w1", "");
    added(b, "w1", 0, "a,b");
    expect(b, "w2", "WELCOME from=0 | PUBLISHED 1+1");
    added(b, "w3", 0, "a,b");
    expect(b, "w2", "CHANGED at=0 a,b");
    goodbye(b, "w1");
    change(b, "w2", "", "c", "");
    expect(b, "w3", "ADD client-of-ann-00 join=1 from=1 +c -");
}

static void one_that_dies_before_it_was_given_anything_leaves_it_to_the_old_one(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    open_stream(b, "w1", ANN, "a");
    hello_with_ann(b, "w3");
    change(b, "w1", "", "b", "");
    expect(b, "w3", "WELCOME from=0 | ADD client-of-ann-00 join=0 from=0 +b -");
    goodbye(b, "w3");
    expect(b, "w1",
           "WELCOME from=0 | OPENED join=0 from=0 | ADD client-of-ann-00 join=0 from=0 +b -");
}

static void a_name_in_use_by_another_user_is_answered_with_a_fresh_one(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    open_named(b, "w1", "ann", false, "");
    open_named(b, "w1", "bob", false, "");
    settle(b);
    assert_int_equal(b->hub->clients.by_name.len, 2);
    assert_string_equal(client_find(b->hub, STR(ANN))->user, "ann");
}

static void between_two_polls_the_hub_changes_the_client_itself(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    open_named(b, "w1", "", true, "a");
    close_one(b, "w1", true);
    change(b, "w1", "", "b,c", "");
    change(b, "w1", "", "", "c");
    open_named(b, "w1", "", true, "a");
    expect(b, "w1",
           "WELCOME from=0 | OPENED join=0 from=0 | CHANGED at=0 b,c | CHANGED at=0 b | "
           "OPENED join=0 from=0 known=a;b+;");
}

static void a_poll_gets_the_ephemeral_events_since_the_last(void **state)
{
    struct bench *b = *state;
    struct msg_send typing = {.channels = names(b, "a"), .flags = EVENT_EPHEMERAL};
    hello(b, "w1", 0, "");
    typing.data = STR("before");
    publish_sends(b, "w1", "", "", &typing, 1);
    settle(b);
    open_named(b, "w1", "", true, "a");
    settle(b);
    elapse(b, 10);
    close_one(b, "w1", true);
    elapse(b, 10);
    typing.data = STR("between");
    publish_sends(b, "w1", "", "", &typing, 1);
    typing.channels = names(b, "b");
    publish_sends(b, "w1", "", "", &typing, 1);
    settle(b);
    heard(b, "w1");
    open_named(b, "w1", "", true, "a");
    expect(b, "w1", "OPENED join=0 from=0 | EVENT 0:a=between missed@client-of-ann-00");
    close_one(b, "w1", true);
    elapse(b, 10);
    open_named(b, "w1", "", true, "a");
    expect(b, "w1", "OPENED join=0 from=0");
}

static void a_hub_that_starts_learns_the_clients_from_the_workers(void **state)
{
    struct bench *b = *state;
    struct buf part, parts, item, clients;
    buf_init(&part, 1000);
    buf_init(&parts, 1000);
    buf_init(&item, 1000);
    buf_init(&clients, 1000);
    msg_part_pack(&part, &(struct msg_part){STR("b"), 7, 1});
    list_put(&parts, buf_str(&part));
    msg_client_pack(&item, &(struct msg_client){.client = STR(ANN),
                                                .named = 1,
                                                .user = STR("ann"),
                                                .gone = 55000,
                                                .parts = buf_str(&parts)});
    list_put(&clients, buf_str(&item));
    list_put(&clients, STR("\1"));
    hello_at(b, "w1", CURSOR_NONE, "", buf_str(&clients));
    open_named(b, "w1", "ann", false, "a");
    close_one(b, "w1", false);
    expect(b, "w1", "WELCOME from=0 | OPENED join=0 from=0 known=a;b+;");
    buf_fini(&part);
    buf_fini(&parts);
    buf_fini(&item);
    buf_fini(&clients);
}

static void there_are_so_many_clients(void **state)
{
    struct bench *b = *state;
    bench_options(b, "--max_clients=2", NULL);
    hello(b, "w1", 0, "");
    open_stream(b, "w1", "client-number-0001", "");
    open_stream(b, "w1", "client-number-0002", "");
    open_stream(b, "w1", "client-number-0003", "");
    open_stream(b, "w1", "short", "");
    expect(b, "w1",
           "WELCOME from=0 | OPENED join=0 from=0 | OPENED join=0 from=0 | OPENED limit | "
           "OPENED wrong_field");
    goodbye(b, "w1");
    settle(b);
    assert_int_equal(b->hub->clients.by_name.len, 0); /* none was named */
}

static void open_nameless(struct bench *b, const char *peer, const char *client, const char *user)
{
    open_with(b, peer, (struct msg_open){.client = str_of(client), .user = str_of(user)}, "");
}

static void a_user_has_so_many_streams_on_all_links(void **state)
{
    struct bench *b = *state;
    bench_options(b, "--max_streams_user=2", NULL);
    hello(b, "w1", 0, "");
    hello(b, "w2", 0, "");
    open_named(b, "w1", "ann", false, "");
    open_named(b, "w2", "ann", true, "");
    open_nameless(b, "w2", "client-number-0003", "ann");
    open_nameless(b, "w2", "client-number-0004", "bob");
    open_nameless(b, "w2", "client-number-0005", "");
    expect(b, "w2",
           "WELCOME from=0 | OPENED join=0 from=0 | OPENED limit | OPENED join=0 from=0 | "
           "OPENED join=0 from=0");
    close_one(b, "w2", true);
    close_one(b, "w2", true); /* once too often */
    open_nameless(b, "w2", "client-number-0003", "ann");
    open_nameless(b, "w2", "client-number-0006", "ann");
    expect(b, "w2", "OPENED join=0 from=0 | OPENED limit");
    goodbye(b, "w1");
    settle(b);
    open_nameless(b, "w2", "client-number-0006", "ann");
    expect(b, "w2", "OPENED join=0 from=0");
    assert_int_equal(b->hub->counters[COUNT_LIMITED_STREAMS], 2);
    goodbye(b, "w2");
    settle(b);
    assert_int_equal(b->hub->clients.users.by_key.len, 0);
}

static void publish_as(struct bench *b, const char *user, size_t n)
{
    const struct msg_send sends[] = {{.channels = names(b, "a"), .data = STR("x")},
                                     {.channels = names(b, "a"), .data = STR("y")},
                                     {.channels = names(b, "a"), .data = STR("z")}};
    publish_sends(b, "w1", user, "", sends, n);
    settle(b);
}

static void a_user_asks_so_often(void **state)
{
    struct bench *b = *state;
    bench_options(b, "--rate_publishes=1", "--rate_connects=1", "--rate_burst=2s", NULL);
    hello(b, "w1", 0, "");
    publish_as(b, "ann", 1);
    publish_as(b, "ann", 3); /* let in, and made up for */
    publish_as(b, "ann", 1);
    publish_as(b, "bob", 1);
    publish_as(b, "", 1);
    expect(b, "w1",
           "WELCOME from=0 | PUBLISHED 1+1 | PUBLISHED 2+1 3+1 4+1 | PUBLISHED limit | "
           "PUBLISHED 5+1 | PUBLISHED 6+1");
    elapse(b, 1000);
    publish_as(b, "ann", 1);
    expect(b, "w1", "PUBLISHED limit");
    elapse(b, 1001);
    publish_as(b, "ann", 1);
    expect(b, "w1", "PUBLISHED 7+1");
    for (int i = 0; i < 3; i++)
        open_nameless(b, "w1", "client-number-0003", "ann");
    expect(b, "w1", "OPENED join=7 from=7 | OPENED join=7 from=7 | OPENED limit");
    assert_int_equal(b->hub->counters[COUNT_LIMITED_PUBLISHES], 2);
    assert_int_equal(b->hub->counters[COUNT_LIMITED_CONNECTS], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(a_change_goes_to_the_worker_that_has_the_stream),
        BENCH(what_was_added_is_remembered_until_it_expires),
        BENCH(what_is_added_twice_is_remembered_from_the_earlier),
        BENCH(what_a_worker_remembers_yields_to_the_cursor),
        BENCH(a_client_without_channels_is_not_said_to_be_known),
        BENCH(a_change_is_for_the_same_user_alone),
        BENCH(a_worker_that_leaves_or_is_mute_answers_nothing),
        BENCH(what_was_asked_of_one_that_moved_is_asked_of_the_next),
        BENCH(one_that_dies_before_it_was_given_anything_leaves_it_to_the_old_one),
        BENCH(a_name_in_use_by_another_user_is_answered_with_a_fresh_one),
        BENCH(between_two_polls_the_hub_changes_the_client_itself),
        BENCH(a_poll_gets_the_ephemeral_events_since_the_last),
        BENCH(a_hub_that_starts_learns_the_clients_from_the_workers),
        BENCH(there_are_so_many_clients),
        BENCH(a_user_has_so_many_streams_on_all_links),
        BENCH(a_user_asks_so_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
