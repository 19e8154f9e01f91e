/* What the simulated world found where a log is put back, or a worker is away, as the hub has it.
 */
#include "hub_bench.h"

#include "wire/names.h"

static void hello_with(struct bench *b, Cursor at, Str past, Str clients)
{
    struct buf body;
    buf_init(&body, 10000);
    msg_hello_pack(&body,
                   &(struct msg_hello){
                       .boot = 7, .name = STR("w1"), .at = at, .past = past, .clients = clients});
    say(b, "w1", VERB_HELLO, &body);
}

static void publish_two(struct bench *b)
{
    tool(b, "t", "a", "", "one", NULL);
    tool(b, "t", "a", "", "two", NULL);
    settle(b);
}

/* The worker had come to an epoch that this log has not, by way of one that it has. */
static void a_log_that_was_put_back_is_found_at_its_fork(void **state)
{
    struct bench *b = *state;
    char text[CURSOR_TEXT];
    struct buf past;
    publish_two(b);
    buf_init(&past, 1000);
    list_put(&past, cursor_print(cursor_at(b, 2), text));
    hello_with(b, (Cursor){12345, 9}, buf_str(&past), STR_NONE);
    expect(b, "w1", "WELCOME from=2 reset");
    hello_with(b, (Cursor){12345, 9}, STR_NONE, STR_NONE);
    expect(b, "w1", "WELCOME from=0 reset");
    buf_fini(&past);
}

/* A stream had come further than its worker: it read the log, up to what is no more. */
static void what_a_stream_had_read_beyond_the_fork_is_judged_too(void **state)
{
    struct bench *b = *state;
    char text[CURSOR_TEXT];
    struct buf ahead, body;
    publish_two(b);
    buf_init(&ahead, 1000);
    buf_init(&body, 10000);
    Cursor beyond = cursor_at(b, 2);
    beyond.at = 5;
    list_put(&ahead, cursor_print(beyond, text));
    msg_hello_pack(
        &body, &(struct msg_hello){
                   .boot = 7, .name = STR("w1"), .at = cursor_at(b, 1), .ahead = buf_str(&ahead)});
    say(b, "w1", VERB_HELLO, &body);
    expect(b, "w1", "WELCOME from=1 reset fork=2");
    buf_fini(&ahead);
}

static void change(struct bench *b, const char *peer, const char *channel)
{
    struct buf body;
    buf_init(&body, 10000);
    msg_change_pack(&body, &(struct msg_change){.ref = ++b->ref,
                                                .client = STR("client-of-a-worker"),
                                                .add = names(b, channel)});
    say(b, peer, VERB_CHANGE, &body);
}

/* Its worker has the stream yet, and would not hear of the change. */
static void a_client_whose_worker_is_away_is_not_changed(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    hello(b, "w2", 0, "");
    open_with(b, "w1", (struct msg_open){.client = STR("client-of-a-worker"), .named = 1}, "a");
    settle(b);
    elapse(b, 900);
    heard(b, "w1");
    heard(b, "w2");
    goodbye(b, "w1");
    settle(b);
    change(b, "w2", "c");
    expect(b, "w2", "CHANGED hub_away at=0 ");
}

/* The worker had it from 9 on, of a log that has come to 2 only. */
static void what_a_client_has_begins_at_the_fork_at_most(void **state)
{
    struct bench *b = *state;
    struct buf part, parts, client, clients;
    publish_two(b);
    buf_init(&part, 1000);
    buf_init(&parts, 1000);
    buf_init(&client, 1000);
    buf_init(&clients, 1000);
    msg_part_pack(&part, &(struct msg_part){STR("c"), 9, 1});
    list_put(&parts, buf_str(&part));
    msg_client_pack(&client, &(struct msg_client){.client = STR("client-of-a-worker"),
                                                  .named = 1,
                                                  .parts = buf_str(&parts)});
    list_put(&clients, buf_str(&client));
    hello_with(b, (Cursor){cursor_at(b, 2).epoch, 9}, STR_NONE, buf_str(&clients));
    expect(b, "w1", "WELCOME from=2 reset");
    buf_clear(&parts);
    client_put_parts(client_find(b->hub, STR("client-of-a-worker")), UINT64_MAX, &parts);
    Str list = buf_str(&parts), item;
    struct msg_part m = {0};
    assert_true(list_next(&list, &item) && msg_part_unpack(item, &m));
    assert_int_equal(m.from, 2);
    buf_fini(&part);
    buf_fini(&parts);
    buf_fini(&client);
    buf_fini(&clients);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(a_log_that_was_put_back_is_found_at_its_fork),
        BENCH(a_client_whose_worker_is_away_is_not_changed),
        BENCH(what_a_stream_had_read_beyond_the_fork_is_judged_too),
        BENCH(what_a_client_has_begins_at_the_fork_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
