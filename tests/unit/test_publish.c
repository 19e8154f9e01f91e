#include "hub_bench.h"

static void what_is_committed_is_fanned_out_and_acknowledged(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "news");
    hello(b, "w2", 0, "other");
    publish(b, "w2", "news", "hi");
    expect(b, "w1", "WELCOME from=0 | EVENT 1:news=hi");
    expect(b, "w2", "WELCOME from=0 | PUBLISHED 1+1");
    expect(b, "tap", "1:news=hi");
}

static void a_link_gets_an_event_once_however_often_it_listens(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "room:1,room:*,*,r*,user:*");
    publish(b, "w1", "room:1", "a");
    publish(b, "w1", "user:ann", "b");
    publish(b, "w1", "elsewhere", "c");
    expect(b, "w1",
           "WELCOME from=0 | EVENT 1:room:1=a | PUBLISHED 1+1 | EVENT 2:user:ann=b | "
           "PUBLISHED 2+1 | EVENT 3:elsewhere=c | PUBLISHED 3+1");
}

static void one_send_to_several_channels_has_ids_that_follow_each_other(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "c");
    publish(b, "w1", "a,b,c", "x");
    expect(b, "w1", "WELCOME from=0 | EVENT 3:c=x | PUBLISHED 1+3");
}

static void what_is_refused_of_a_batch_is_refused_alone(void **state)
{
    struct bench *b = *state;
    struct msg_send sends[] = {
        {.channels = names(b, "a"), .data = STR("1")},
        {.channels = names(b, "b*"), .data = STR("2")},
        {.channels = names(b, ""), .data = STR("3")},
        {.channels = names(b, "a"), .data = STR("\xff")},
        {.channels = names(b, "a"), .data = STR("{\"a\" :"), .flags = EVENT_JSON},
        {.channels = names(b, "a"), .data = STR("4"), .event = STR("gap")},
        {.to = STR("nobody-nobody-nobody"), .data = STR("5")},
        {.channels = names(b, "a"), .data = STR("[1 ,  2]"), .flags = EVENT_JSON},
    };
    hello(b, "w1", 0, "a");
    publish_sends(b, "w1", "", "", sends, COUNT_OF(sends));
    expect(b, "w1",
           "WELCOME from=0 | EVENT 1:a=1 | EVENT 2:a=[1,2] | PUBLISHED 1+1 wrong_field "
           "wrong_field wrong_field malformed wrong_field not_found 2+1");
}

static void a_key_gives_one_event(void **state)
{
    struct bench *b = *state;
    struct msg_send send = {.channels = names(b, "a"), .data = STR("1"), .key = STR("k")};
    hello(b, "w1", 0, "a");
    publish_sends(b, "w1", "ann", "", &send, 1);
    publish_sends(b, "w1", "ann", "", &send, 1);
    send.data = STR("2");
    publish_sends(b, "w1", "ann", "", &send, 1);
    publish_sends(b, "w1", "bob", "", &send, 1);
    expect(b, "w1",
           "WELCOME from=0 | EVENT 1:a=1 | PUBLISHED 1+1 | PUBLISHED 1+1 again | "
           "PUBLISHED conflict | EVENT 2:a=2 | PUBLISHED 2+1");
    bench_restart(b, false);
    hello(b, "w1", 0, "a");
    publish_sends(b, "w1", "bob", "", &send, 1);
    expect(b, "w1", "WELCOME from=2 | PUBLISHED 2+1 again");
}

static void the_key_of_a_batch_answers_for_the_whole(void **state)
{
    struct bench *b = *state;
    struct msg_send sends[] = {
        {.channels = names(b, "a,b"), .data = STR("1")},
        {.channels = names(b, "x,"), .data = STR("\xff")},
        {.channels = names(b, "a"), .data = STR("2")},
    };
    hello(b, "w1", 0, "a");
    publish_sends(b, "w1", "", "whole", sends, 3);
    publish_sends(b, "w1", "", "whole", sends, 3);
    publish_sends(b, "w1", "", "whole", sends, 2);
    expect(b, "w1",
           "WELCOME from=0 | EVENT 1:a=1 | EVENT 3:a=2 | PUBLISHED 1+2 wrong_field 3+1 | "
           "PUBLISHED 1+2 again wrong_field 3+1 again | "
           "PUBLISHED conflict conflict");
}

static void ephemeral_events_are_not_logged_and_keep_their_place(void **state)
{
    struct bench *b = *state;
    struct msg_send typing = {.channels = names(b, "a"),
                              .event = STR("wave"),
                              .data = STR("t"),
                              .flags = EVENT_EPHEMERAL};
    hello(b, "w1", 0, "a");
    publish(b, "w1", "a", "1");
    publish_sends(b, "w1", "", "", &typing, 1);
    publish(b, "w1", "a", "2");
    expect(b, "w1",
           "WELCOME from=0 | EVENT 1:a=1 | PUBLISHED 1+1 | EVENT 0:a=t | PUBLISHED 0+1 | "
           "EVENT 2:a=2 | PUBLISHED 2+1");
    expect(b, "tap", "1:a=1 | 2:a=2");
}

static void what_is_for_a_client_goes_to_the_links_that_carry_it(void **state)
{
    struct bench *b = *state;
    struct msg_send send = {.to = STR("client-of-ann-00"), .data = STR("psst")};
    hello(b, "w1", 0, "");
    hello(b, "w2", 0, "");
    open_with(b, "w1", (struct msg_open){.client = send.to, .user = STR("ann")}, "");
    publish_sends(b, "w2", "ann", "", &send, 1);
    publish_sends(b, "w2", "bob", "", &send, 1);
    expect(b, "w1", "WELCOME from=0 | OPENED join=0 from=0 | EVENT 0:=psst@client-of-ann-00");
    expect(b, "w2", "WELCOME from=0 | PUBLISHED 0+1 | PUBLISHED not_found");
}

static void limits_are_named(void **state)
{
    struct bench *b = *state;
    bench_options(b, "--max_channels=2", "--max_event=1024", NULL);
    char big[1026];
    memset(big, 'x', sizeof big);
    big[1025] = 0;
    hello(b, "w1", 0, "");
    publish(b, "w1", "a,b", "1");
    publish(b, "w1", "a,c", "2");
    publish(b, "w1", "a", big);
    publish(b, "w1", "a", "3");
    expect(b, "w1",
           "WELCOME from=0 | PUBLISHED 1+2 | PUBLISHED limit | PUBLISHED too_large | "
           "PUBLISHED 3+1");
}

static void more_than_the_queue_holds_is_refused_in_its_place(void **state)
{
    struct bench *b = *state;
    bench_options(b, "--max_queue=16", NULL);
    for (int i = 0; i < 20; i++)
        tool(b, "t", "a", "", "x", NULL);
    char text[2000] = "";
    for (int i = 0; i < 20; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 i < 16 ? "%sok #%d" : "%serror overload max_queue is 16", i ? " | " : "", i + 1);
    expect(b, "t", text);
}

static void one_send_to_very_many_channels_is_not_made(void **state)
{
    struct bench *b = *state;
    char data[100001], channels[20000] = "a";
    memset(data, 'x', sizeof data);
    data[100000] = 0;
    for (size_t at = 1; at + 8 < sizeof channels; at = strlen(channels))
        snprintf(channels + at, sizeof channels - at, ",c%zu", at);
    hello(b, "w1", 0, "");
    publish(b, "w1", channels, data); /* some 300 MB */
    publish(b, "w1", "a", "1");
    expect(b, "w1", "WELCOME from=0 | PUBLISHED overload | PUBLISHED 1+1");
    assert_int_equal(b->hub->queue_bytes, 0);
    assert_int_equal(b->hub->channels.by_name.len, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(what_is_committed_is_fanned_out_and_acknowledged),
        BENCH(a_link_gets_an_event_once_however_often_it_listens),
        BENCH(one_send_to_several_channels_has_ids_that_follow_each_other),
        BENCH(what_is_refused_of_a_batch_is_refused_alone),
        BENCH(a_key_gives_one_event),
        BENCH(the_key_of_a_batch_answers_for_the_whole),
        BENCH(ephemeral_events_are_not_logged_and_keep_their_place),
        BENCH(what_is_for_a_client_goes_to_the_links_that_carry_it),
        BENCH(limits_are_named),
        BENCH(more_than_the_queue_holds_is_refused_in_its_place),
        BENCH(one_send_to_very_many_channels_is_not_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
