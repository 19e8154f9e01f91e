/* Who is on a channel: told at most once a second, and no departure that is none. */
#include "hub_bench.h"

#include "wire/people.h"

#include <stdlib.h>

static void watch(struct bench *b, const char *peer, const char *channels)
{
    struct buf body;
    buf_init(&body, 1000);
    msg_watch_pack(&body, &(struct msg_watch){names(b, channels)});
    say(b, peer, VERB_WATCH, &body);
}

static void enter(struct bench *b, const char *peer, const char *client, const char *user,
                  const char *channels)
{
    char name[40];
    snprintf(name, sizeof name, "client-of-%s-000000", client);
    open_with(b, peer, (struct msg_open){.client = str_of(name), .user = str_of(user)}, channels);
}

static void open_as(struct bench *b, const char *peer, const char *client, const char *user,
                    const char *channels)
{
    enter(b, peer, client, user, channels);
    heard(b, peer);
}

static void close_as(struct bench *b, const char *peer, const char *client)
{
    char name[40];
    struct buf body;
    buf_init(&body, 1000);
    snprintf(name, sizeof name, "client-of-%s-000000", client);
    msg_close_pack(&body, &(struct msg_close){str_of(name), 0});
    say(b, peer, VERB_CLOSE, &body);
}

static void here(struct bench *b, const char *peer, const char *client, const char *channels)
{
    char name[40];
    struct buf body;
    buf_init(&body, 1000);
    snprintf(name, sizeof name, "client-of-%s-000000", client);
    msg_here_pack(&body, &(struct msg_here){str_of(name), names(b, channels)});
    say(b, peer, VERB_HERE, &body);
}

/* A worker's HELLO with one client of that user, on channel a. */
static void hello_with(struct bench *b, const char *peer, const char *user)
{
    struct buf list, item;
    char name[40];
    buf_init(&list, 1000);
    buf_init(&item, 1000);
    snprintf(name, sizeof name, "client-of-%s-000000", user);
    msg_client_pack(&item, &(struct msg_client){.client = str_of(name),
                                                .user = str_of(user),
                                                .streams = 1,
                                                .channels = names(b, "a"),
                                                .since = 5000});
    list_put(&list, buf_str(&item));
    hello_at(b, peer, CURSOR_NONE, "a", buf_str(&list));
    buf_fini(&item);
    buf_fini(&list);
    heard(b, peer);
}

/* Users as "alice*2 bob +3" (devices, anonymous clients), what was told of the channel last. */
static const char *who(struct bench *b, const char *channel)
{
    static char text[400];
    struct buf json, out;
    struct fault why;
    settle(b);
    buf_init(&json, 1 << 20);
    buf_init(&out, sizeof text);
    presence_put(b->hub, str_of(channel), PEOPLE_SHOWN, &json);
    Json *whole = json_parse(buf_str(&json), &why);
    const Json *state = json_get(whole, "state"), *users = json_get(state, "users");
    for (size_t i = 0; i < json_len(users); i++) {
        const Json *u = json_at(users, i);
        buf_printf(&out, "%.*s", FMT(json_str(json_get(u, "user"))));
        if (!json_is_true(json_get(u, "verified")))
            buf_putc(&out, '?');
        if (json_num(json_get(u, "devices")) > 1)
            buf_printf(&out, "*%.0f", json_num(json_get(u, "devices")));
        buf_putc(&out, ' ');
    }
    buf_printf(&out, "+%.0f", json_num(json_get(state, "anonymous")));
    snprintf(text, sizeof text, "%.*s", FMT(buf_str(&out)));
    json_free(whole);
    buf_fini(&json);
    buf_fini(&out);
    return text;
}

static uint64_t version_of(struct bench *b, const char *channel)
{
    struct buf json;
    struct fault why;
    settle(b);
    buf_init(&json, 1 << 20);
    presence_put(b->hub, str_of(channel), PEOPLE_SHOWN, &json);
    Json *whole = json_parse(buf_str(&json), &why);
    uint64_t version = (uint64_t)json_num(json_get(whole, "version"));
    json_free(whole);
    buf_fini(&json);
    return version;
}

static void alive(struct bench *b, Msec ms)
{
    for (; ms > 0; ms -= 500) {
        elapse(b, 500);
        pulse(b, "w1");
        if (peer_by_id(b->hub, STR("w2")))
            pulse(b, "w2");
    }
    heard(b, "w1");
}

static void users_are_counted_by_device(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    hello(b, "w2", 0, "");
    open_as(b, "w1", "ann1", "ann", "a,b,r*");
    open_as(b, "w2", "ann2", "ann", "a");
    open_as(b, "w2", "who1", "", "a");
    open_as(b, "w2", "who2", "", "a");
    elapse(b, 1000);
    assert_string_equal(who(b, "a"), "ann*2 +2");
    assert_string_equal(who(b, "b"), "ann +0");
    assert_string_equal(who(b, "r*"), "+0");
    close_as(b, "w2", "ann2");
    close_as(b, "w2", "who2");
    elapse(b, 1000);
    assert_string_equal(who(b, "a"), "ann*2 +1"); /* in its grace */
    alive(b, 10000);
    assert_string_equal(who(b, "a"), "ann +1");
    here(b, "w1", "ann1", "b,c");
    alive(b, 11000);
    assert_string_equal(who(b, "c"), "ann +0");
    assert_string_equal(who(b, "a"), "+1");
}

static void a_reload_is_no_departure(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    open_as(b, "w1", "ann1", "ann", "a");
    alive(b, 2000);
    watch(b, "w1", "a");
    heard(b, "w1");
    uint64_t version = version_of(b, "a");
    close_as(b, "w1", "ann1");
    alive(b, 9000);
    assert_string_equal(who(b, "a"), "ann +0");
    open_as(b, "w1", "ann2", "ann", "a");
    alive(b, 15000);
    assert_int_equal(version_of(b, "a"), version);
    close_as(b, "w1", "ann2");
    alive(b, 10500);
    assert_string_equal(who(b, "a"), "+0");
    assert_int_equal(version_of(b, "a"), version + 1);
}

static void who_left_while_the_hub_was_stopped_has_one_grace(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    open_as(b, "w1", "ann1", "ann", "a");
    open_as(b, "w1", "bob1", "bob", "a");
    close_as(b, "w1", "bob1");
    alive(b, 2000);
    b->now.mono += 60000;
    close_as(b, "w1", "ann1");
    alive(b, 7000);
    assert_string_equal(who(b, "a"), "ann bob +0"); /* of its 10 s two were over */
    alive(b, 4500);
    assert_string_equal(who(b, "a"), "+0");
}

static void changes_are_told_once_a_second_to_those_who_watch(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    hello(b, "w2", 0, "");
    open_as(b, "w1", "ann1", "ann", "a");
    expect(b, "w1", "");
    watch(b, "w1", "a,never-opened");
    expect(b, "w1", "PRESENCE a whole +uann =1");
    expect(b, "w2", "WELCOME from=0");
    open_as(b, "w2", "bob1", "bob", "a");
    open_as(b, "w2", "cid1", "cid", "a");
    expect(b, "w1", "");
    elapse(b, 1000);
    expect(b, "w1", "PRESENCE a +ubob +ucid =3");
    expect(b, "w2", "");
    open_as(b, "w2", "cid2", "cid", "a");
    elapse(b, 1000);
    expect(b, "w1", "PRESENCE a ~ucid =3");
    close_as(b, "w2", "bob1");
    alive(b, 9500);
    elapse(b, 600);
    expect(b, "w1", "PRESENCE a -ubob =2");
}

static void a_dead_worker_takes_its_clients_with_it_but_not_at_once(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    hello(b, "w2", 0, "");
    open_as(b, "w1", "ann1", "ann", "a");
    open_as(b, "w2", "bob1", "bob", "a");
    open_as(b, "w2", "bob2", "", "a");
    for (unsigned i = 0; i < 24; i++) {
        elapse(b, 500);
        pulse(b, "w1");
    }
    assert_string_equal(who(b, "a"), "ann bob +0");
    for (unsigned i = 0; i < 4; i++) {
        elapse(b, 500);
        pulse(b, "w1");
    }
    assert_string_equal(who(b, "a"), "ann +0");
}

static void a_hub_that_comes_back_asks_before_it_tells(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    open_as(b, "w1", "ann1", "ann", "a");
    elapse(b, 1000);
    uint64_t version = version_of(b, "a");
    bench_restart(b, false);
    assert_false(presence_is_known(b->hub));
    hello_with(b, "w1", "ann");
    watch(b, "w1", "a");
    alive(b, 8000);
    expect(b, "w1", "");
    hello_with(b, "w2", "bob");
    for (unsigned i = 0; i < 5; i++) {
        elapse(b, 500);
        pulse(b, "w2");
        if (i < 4)
            pulse(b, "w1");
    }
    expect(b, "w1", "PRESENCE a whole +uann +ubob =2");
    assert_true(version_of(b, "a") > version);
}

static void a_worker_that_is_replaced_changes_nothing(void **state)
{
    struct bench *b = *state;
    struct buf body;
    hello(b, "w2", 0, "");
    open_as(b, "w2", "ann1", "ann", "a");
    elapse(b, 1000);
    uint64_t version = version_of(b, "a"), boot = peer_by_id(b->hub, STR("w2"))->boot;
    hello_with(b, "w1", "ann");
    elapse(b, 1000);
    buf_init(&body, 100);
    msg_moved_pack(&body, &(struct msg_moved){boot});
    say(b, "w1", VERB_MOVED, &body);
    for (unsigned i = 0; i < 30; i++) {
        elapse(b, 500);
        pulse(b, "w1");
    }
    assert_string_equal(who(b, "a"), "ann +0");
    /* The name is another one, so for a moment there were two devices. */
    assert_in_range(version_of(b, "a"), version, version + 2);
}

static void beyond_two_hundred_they_are_counted(void **state)
{
    struct bench *b = *state;
    char user[16];
    hello(b, "w1", 0, "");
    for (unsigned i = 0; i <= PEOPLE_SHOWN; i++) {
        snprintf(user, sizeof user, "u%03u", i);
        enter(b, "w1", user, user, "a");
    }
    alive(b, 1000);
    watch(b, "w1", "a");
    expect(b, "w1", "PRESENCE a whole crowd =201");
    close_as(b, "w1", "u000");
    close_as(b, "w1", "u001");
    for (unsigned i = 0; i < 21; i++) {
        elapse(b, 500);
        pulse(b, "w1");
    }
    assert_non_null(strstr(heard(b, "w1"), "PRESENCE a whole +uu002"));
}

static void names_of_their_own_are_shown_where_they_may(void **state)
{
    struct bench *b = *state;
    const struct channel_rule rule = {.pattern = STR("r*"), .takes_names = true};
    struct channel_rule *rules = must_copy(&rule, sizeof rule);
    b->o.rules = rules;
    b->o.section_count = 1;
    hello(b, "w1", 0, "");
    open_with(b, "w1", (struct msg_open){.client = STR("client-of-some-00"), .label = STR("zoe")},
              "r1,a");
    open_with(b, "w1",
              (struct msg_open){.client = STR("client-of-ann-000"),
                                .user = STR("ann"),
                                .label = STR("zoe"),
                                .public = STR("{\"n\":1}")},
              "r1");
    elapse(b, 1000);
    assert_string_equal(who(b, "r1"), "zoe? ann +0");
    assert_string_equal(who(b, "a"), "+1");
    b->o.rules = NULL;
    b->o.section_count = 0;
    free(rules);
}

static void typing_is_limited_and_ends_by_itself(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "a");
    struct msg_send typing = {.channels = names(b, "a"),
                              .event = STR("typing"),
                              .flags = EVENT_EPHEMERAL,
                              .data = STR("x")};
    struct msg_send over = typing;
    over.data = STR("false");
    heard(b, "w1");
    publish_sends(b, "w1", "ann", "", &over, 1);
    expect(b, "w1", "PUBLISHED 0+1");
    publish_sends(b, "w1", "ann", "", &typing, 1);
    publish_sends(b, "w1", "ann", "", &typing, 1);
    publish_sends(b, "w1", "bob", "", &typing, 1);
    expect(b, "w1",
           "EVENT 0:a={\"channel\":\"a\",\"user\":\"ann\",\"typing\":true} | PUBLISHED 0+1 | "
           "PUBLISHED 0+1 | EVENT 0:a={\"channel\":\"a\",\"user\":\"bob\",\"typing\":true} | "
           "PUBLISHED 0+1");
    publish_sends(b, "w1", "bob", "", &over, 1);
    publish_sends(b, "w1", "bob", "", &typing, 1);
    expect(b, "w1",
           "EVENT 0:a={\"channel\":\"a\",\"user\":\"bob\",\"typing\":false} | "
           "PUBLISHED 0+1 | PUBLISHED 0+1");
    alive(b, 5500);
    expect(b, "w1", "");
    elapse(b, 1000);
    expect(b, "w1", "EVENT 0:a={\"channel\":\"a\",\"user\":\"ann\",\"typing\":false}");
}

static void a_channel_has_room_for_so_many(void **state)
{
    struct bench *b = *state;
    struct buf body;
    bench_options(b, "--max_streams_channel=2", "--channels_for_all=all", NULL);
    hello(b, "w1", 0, "");
    hello(b, "w2", 0, "");
    open_as(b, "w1", "ann", "ann", "a,all,user:ann");
    open_as(b, "w2", "bob", "bob", "a,all,user:ann");
    enter(b, "w2", "eve", "eve", "b,a");
    enter(b, "w2", "eve", "eve", "b,all,*,user:ann");
    enter(b, "w2", "eve", "eve", "b,all,user:eve");
    enter(b, "w1", "bob", "bob", "a,all"); /* is there already */
    expect(b, "w2", "OPENED limit | OPENED limit | OPENED join=0 from=0");
    expect(b, "w1", "OPENED join=0 from=0");
    assert_int_equal(b->hub->counters[COUNT_LIMITED_CHANNEL], 2);
    buf_init(&body, 1000);
    msg_change_pack(&body, &(struct msg_change){.ref = 7,
                                                .client = STR("client-of-eve-000000"),
                                                .user = STR("eve"),
                                                .add = names(b, "c,a")});
    say(b, "w1", VERB_CHANGE, &body);
    expect(b, "w1", "CHANGED limit at=0 ");
    close_as(b, "w1", "ann");
    enter(b, "w2", "eve", "eve", "a");
    expect(b, "w2", "OPENED join=0 from=0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(users_are_counted_by_device),
        BENCH(a_reload_is_no_departure),
        BENCH(who_left_while_the_hub_was_stopped_has_one_grace),
        BENCH(changes_are_told_once_a_second_to_those_who_watch),
        BENCH(a_dead_worker_takes_its_clients_with_it_but_not_at_once),
        BENCH(a_hub_that_comes_back_asks_before_it_tells),
        BENCH(a_worker_that_is_replaced_changes_nothing),
        BENCH(beyond_two_hundred_they_are_counted),
        BENCH(a_channel_has_room_for_so_many),
        BENCH(names_of_their_own_are_shown_where_they_may),
        BENCH(typing_is_limited_and_ends_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
