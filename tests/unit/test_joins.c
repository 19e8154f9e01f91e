/* What the simulated world found where joins, refills and connections meet, each in its shortest
 * form. */
#include "desk.h"

#include "link_request.h"
#include "wire/refusal.h"

static void add(struct desk *d, const char *channel, Cursor from, Position join)
{
    struct buf names;
    buf_init(&names, 1000);
    list_put(&names, str_of(channel));
    struct msg_add m = {.ref = 1, .client = STR("client-of-a-stream"), .add = buf_str(&names)};
    m.start = cursor_is_none(from) ? START_DEFAULT : START_CURSOR;
    m.from = from;
    m.join = at(join);
    struct buf body;
    buf_init(&body, 10000);
    msg_add_pack(&body, &m);
    hub_says(d, VERB_ADD, &body);
    buf_fini(&body);
    buf_fini(&names);
}

static struct browser *open_named(struct desk *d, const char *channels, Position join)
{
    struct stream_request q = want(channels);
    q.client = STR("client-of-a-stream");
    q.named = true;
    struct browser *b = browser_open(d, &q);
    hub_opens(d, join, join);
    turn(d);
    browser_got(b);
    return b;
}

static struct msg_hello next_hello(struct desk *d)
{
    struct msg_hello m = {0};
    const struct said *s = worker_said(d, VERB_HELLO);
    assert_non_null(s);
    assert_true(msg_hello_unpack(buf_str(&s->body), &m));
    return m;
}

static void on_published(void *owner, Str body, const struct fault *why)
{
    (void)body;
    *(int *)owner = why ? why->code : REFUSE_NOT;
}

/* The first copy may have been written all the same. */
static void a_repeated_publish_that_is_refused_is_of_unknown_outcome(void **state)
{
    struct desk *d = *state;
    struct buf body;
    int code = -1;
    buf_init(&body, 1000);
    msg_publish_pack(&body, &(struct msg_publish){.key = STR("k")});
    link_ask(d->link, VERB_PUBLISH, &body, LINK_BRIEF, on_published, &code);
    link_on_disconnected(d->link, d->now);
    link_on_connected(d->link, d->now);
    hub_welcomes(d, at(100), GAP_NONE);
    HUB_SAYS(d, PUBLISHED, published, .ref = 1, .code = REFUSE_OVERLOAD);
    assert_int_equal(code, REFUSE_UNKNOWN_OUTCOME);
}

static void a_welcome_of_an_earlier_connection_is_not_heeded(void **state)
{
    struct desk *d = *state;
    link_on_disconnected(d->link, d->now);
    link_on_connected(d->link, d->now);
    HUB_SAYS(d, WELCOME, welcome, .link = 8, .head = at(300), .from = at(300), .greeting = 1);
    assert_false(link_is_up(d->link));
    assert_int_equal(roster_at(d->roster).at, 100);
    HUB_SAYS(d, WELCOME, welcome, .link = 9, .head = at(100), .from = at(100), .greeting = 2);
    assert_true(link_is_up(d->link));
}

/* The hub took the second HELLO after it had added the channel, and forgot that. */
static void what_was_added_before_a_second_welcome_is_said_again(void **state)
{
    struct desk *d = *state;
    open_named(d, "room:1", 100);
    while (worker_said(d, VERB_HELLO))
        ;
    add(d, "room:2", CURSOR_NONE, 100);
    hub_welcomes(d, at(100), GAP_NONE);
    struct msg_hello m = next_hello(d);
    assert_true(list_has(m.channels, STR("room:2")));
}

/* A HELLO without the channel was still on its way, and the next one says it: what the hub sends on
 * the link of the first, a beat above all, knows nothing of the channel. */
static void a_welcome_of_a_hello_without_the_channels_is_not_heeded(void **state)
{
    struct desk *d = *state;
    open_named(d, "room:1", 100);
    hub_welcomes(d, at(100), GAP_NONE);
    struct msg_hello m = {0};
    const struct said *s;
    while ((s = worker_said(d, VERB_HELLO)))
        assert_true(msg_hello_unpack(buf_str(&s->body), &m));
    assert_true(list_has(m.channels, STR("room:1")));
    HUB_SAYS(d, WELCOME, welcome, .link = 8, .head = at(300), .from = at(100),
             .greeting = m.greeting - 1);
    assert_false(link_is_up(d->link));
    HUB_SAYS(d, WELCOME, welcome, .link = 9, .head = at(300), .from = at(100),
             .greeting = m.greeting);
    assert_true(link_is_up(d->link));
}

static void a_late_channel_brings_nothing_that_a_pattern_has_brought(void **state)
{
    struct desk *d = *state;
    struct browser *b = open_named(d, "room:*", 100);
    hub_publishes(d, "room:1", 101, "a");
    turn(d);
    browser_got(b);
    add(d, "room:1", at(100), 101);
    turn(d);
    const Position again[] = {101, 0};
    hub_rows(d, next_fetch(d).ref, "room:1", again, 101, false);
    turn(d);
    assert_string_equal(browser_got(b), "");
}

/* Our LEAVE was on its way while the hub opened a stream with a channel that it remembered. */
static void a_channel_that_was_left_meanwhile_is_asked_for_again(void **state)
{
    struct desk *d = *state;
    d->options.linger = 300;
    struct browser *b = browser_live(d, "room:2", 100);
    struct stream_request q = want("room:1");
    q.named = true;
    browser_open(d, &q);
    struct msg_open m;
    do
        m = next_open(d);
    while (!list_has(m.channels, STR("room:1")));
    stream_close(b->stream);
    turn(d);
    pass(d, 500);
    assert_non_null(worker_said(d, VERB_LEAVE));
    struct buf parts, item;
    buf_init(&parts, 1000);
    buf_init(&item, 1000);
    msg_part_pack(&item, &(struct msg_part){STR("room:2"), 0, 1});
    list_put(&parts, buf_str(&item));
    hub_welcomes(d, at(100), GAP_NONE); /* without room:2, so it is greeted again */
    hub_welcomes(d, at(100), GAP_NONE);
    while (worker_said(d, VERB_HELLO))
        ;
    HUB_SAYS(d, OPENED, opened, .ref = m.ref, .client = m.client, .channels = buf_str(&parts),
             .join = at(100), .from = at(100));
    assert_true(list_has(next_hello(d).channels, STR("room:2")));
    buf_fini(&parts);
    buf_fini(&item);
}

/* The hub added it before it heard our LEAVE, and our OPEN after that is not answered yet. */
static void a_channel_that_was_left_and_is_back_is_asked_for_again(void **state)
{
    struct desk *d = *state;
    d->options.linger = 300;
    open_named(d, "room:1", 100);
    struct browser *b = browser_live(d, "room:2", 100);
    stream_close(b->stream);
    turn(d);
    pass(d, 500);
    assert_non_null(worker_said(d, VERB_LEAVE));
    struct stream_request q = want("room:2");
    browser_open(d, &q);
    turn(d);
    add(d, "room:2", CURSOR_NONE, 100);
    next_hello(d);
}

/* What lies between comes on the link too, but is passed over there. */
static void what_lies_between_a_join_and_the_link_comes_from_the_log(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    q.start = START_CURSOR;
    q.at = at(90);
    struct browser *b = browser_open(d, &q);
    hub_beats(d, 105);
    hub_opens(d, 100, 90);
    turn(d);
    browser_got(b);
    assert_int_equal(next_fetch(d).upto, 105);
}

/* The stream had nothing to ask for just then. */
static void a_gap_that_meets_a_stream_which_is_behind_is_told(void **state)
{
    struct desk *d = *state;
    struct browser *b = open_named(d, "room:1", 100);
    struct buf names;
    buf_init(&names, 1000);
    list_put(&names, STR("room:1"));
    add(d, "room:2", CURSOR_NONE, 100);
    HUB_SAYS(d, GAP, gap, .reason = GAP_PRUNED, .oldest = at(150), .channels = buf_str(&names));
    turn(d);
    hub_publishes(d, "room:2", 160, "after");
    turn(d);
    pass(d, 200);
    HUB_SAYS(d, ROWS, rows, .ref = next_fetch(d).ref, .next = at(150), .reason = GAP_PRUNED,
             .oldest = at(150), .missing = buf_str(&names));
    turn(d);
    assert_non_null(strstr(browser_got(b), "event: gap"));
    buf_fini(&names);
}

/* The link began below where a refill before had brought the stream. */
static void what_was_gone_before_the_stream_is_not_said(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1", 100),
                   *both = browser_live(d, "room:1,room:2", 100);
    struct buf names, floors;
    buf_init(&names, 1000);
    buf_init(&floors, 1000);
    list_put(&names, STR("room:1"));
    list_put(&names, STR("room:2"));
    list_put(&floors, STR("100"));
    list_put(&floors, STR("110"));
    HUB_SAYS(d, GAP, gap, .reason = GAP_PRUNED, .oldest = at(110), .channels = buf_str(&names),
             .floors = buf_str(&floors));
    hub_publishes(d, "room:1", 111, "e");
    turn(d);
    assert_string_equal(browser_got(b), "id: aaaaaaab-111\ndata: e\n\n");
    assert_non_null(strstr(browser_got(both), "\"channels\":[\"room:2\"]"));
    buf_fini(&floors);
    buf_fini(&names);
}

static void hello_says_where_older_epochs_ended(void **state)
{
    struct desk *d = *state;
    char text[CURSOR_TEXT];
    HUB_SAYS(d, BEAT, beat, .through = (Cursor){2, 120}, .writable = 1);
    link_on_disconnected(d->link, d->now);
    while (worker_said(d, VERB_HELLO))
        ;
    link_on_connected(d->link, d->now);
    struct msg_hello m = next_hello(d);
    assert_int_equal(m.at.epoch, 2);
    assert_true(list_has(m.past, cursor_print(at(100), text)));
}

/* The next HELLO: whether it says of this position that something reaches up to it. */
static bool tells_ahead(struct desk *d, Position p)
{
    char text[CURSOR_TEXT];
    while (worker_said(d, VERB_HELLO))
        ;
    link_on_disconnected(d->link, d->now);
    link_on_connected(d->link, d->now);
    return list_has(next_hello(d).ahead, cursor_print(at(p), text));
}

/* The link was not there yet, so its own place says nothing of a fork between the two. */
static void what_was_gone_in_a_log_before_holds_up_and_hides_nothing(void **state)
{
    struct desk *d = *state;
    struct browser *b = open_named(d, "room:1", 100);
    struct buf names;
    buf_init(&names, 1000);
    list_put(&names, STR("room:1"));
    HUB_SAYS(d, GAP, gap, .reason = GAP_PRUNED, .oldest = at(150), .channels = buf_str(&names));
    turn(d);
    assert_non_null(strstr(browser_got(b), "event: gap"));
    assert_true(tells_ahead(d, 150));
    HUB_SAYS(d, WELCOME, welcome, .link = 8, .head = {2, 120}, .from = at(100), .fork = at(110),
             .reason = GAP_RESET, .greeting = 2);
    HUB_SAYS(d, GAP, gap, .reason = GAP_PRUNED, .oldest = at(114), .channels = buf_str(&names));
    hub_beats(d, 115);
    turn(d);
    HUB_SAYS(d, ROWS, rows, .ref = next_fetch(d).ref, .next = at(115), .reason = GAP_PRUNED,
             .oldest = at(114), .missing = buf_str(&names));
    turn(d);
    turn(d);
    assert_non_null(strstr(browser_got(b), "event: gap"));
    hub_publishes(d, "room:1", 121, "live");
    turn(d);
    assert_non_null(strstr(browser_got(b), "data: live"));
    assert_null(worker_said(d, VERB_FETCH));
    assert_false(tells_ahead(d, 150));
    buf_fini(&names);
}

/* The log was put back between the hub's answer and the first word to the browser. */
static void what_is_rewound_before_it_is_greeted_is_not_resumed(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    q.start = START_CURSOR;
    q.at = at(95);
    struct browser *b = browser_open(d, &q);
    hub_opens(d, 100, 95);
    link_on_disconnected(d->link, d->now);
    link_on_connected(d->link, d->now);
    HUB_SAYS(d, WELCOME, welcome, .link = 8, .head = {2, 60}, .from = at(50), .reason = GAP_RESET,
             .greeting = 2);
    turn(d);
    assert_non_null(strstr(browser_got(b), "\"resumed\":false"));
    assert_non_null(strstr(b->text.p, "\"reason\":\"reset\""));
}

static void hello_says_where_an_addition_begins_above_the_link(void **state)
{
    struct desk *d = *state;
    open_named(d, "room:1", 100);
    add(d, "room:2", at(140), 100);
    turn(d);
    assert_true(tells_ahead(d, 140));
}

/* The hub hears of it with HELLO; a position above the fork would leave out what follows there. */
static void what_is_remembered_begins_at_the_fork(void **state)
{
    struct desk *d = *state;
    struct msg_client client = {0};
    struct msg_part part = {0};
    struct browser *b = open_named(d, "room:1", 100);
    add(d, "room:2", CURSOR_NONE, 100);
    stream_close(b->stream);
    turn(d);
    link_on_disconnected(d->link, d->now);
    link_on_connected(d->link, d->now);
    hub_welcomes(d, at(50), GAP_RESET);
    while (worker_said(d, VERB_HELLO))
        ;
    link_on_disconnected(d->link, d->now);
    link_on_connected(d->link, d->now);
    Str clients = next_hello(d).clients, item;
    assert_true(list_next(&clients, &item) && msg_client_unpack(item, &client));
    assert_true(list_next(&client.parts, &item) && msg_part_unpack(item, &part));
    assert_true(str_eq(part.channel, STR("room:2")));
    assert_int_equal(part.from, 50);
}

static void the_gap_of_an_addition_names_what_lost_something(void **state)
{
    struct desk *d = *state;
    struct buf both, missing, body;
    struct browser *b = open_named(d, "room:1", 100);
    buf_init(&both, 1000);
    buf_init(&missing, 1000);
    buf_init(&body, 10000);
    list_put(&both, STR("room:2"));
    list_put(&both, STR("room:3"));
    list_put(&missing, STR("room:3"));
    struct msg_add m = {.ref = 1,
                        .client = STR("client-of-a-stream"),
                        .add = buf_str(&both),
                        .start = START_CURSOR,
                        .from = at(90),
                        .join = at(100),
                        .reason = GAP_PRUNED,
                        .oldest = at(95),
                        .missing = buf_str(&missing)};
    msg_add_pack(&body, &m);
    hub_says(d, VERB_ADD, &body);
    turn(d);
    assert_non_null(strstr(browser_got(b), "\"channels\":[\"room:3\"]"));
    buf_fini(&both);
    buf_fini(&missing);
    buf_fini(&body);
}

static void a_stream_without_channels_lives(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("");
    struct browser *b = browser_open(d, &q);
    hub_opens(d, 100, 100);
    turn(d);
    assert_non_null(strstr(browser_got(b), "\"channels\":[]"));
    pass(d, 60000);
    assert_false(b->is_finished);
}

#define T(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_repeated_publish_that_is_refused_is_of_unknown_outcome),
        T(a_welcome_of_an_earlier_connection_is_not_heeded),
        T(what_was_added_before_a_second_welcome_is_said_again),
        T(a_welcome_of_a_hello_without_the_channels_is_not_heeded),
        T(a_late_channel_brings_nothing_that_a_pattern_has_brought),
        T(a_channel_that_was_left_meanwhile_is_asked_for_again),
        T(a_channel_that_was_left_and_is_back_is_asked_for_again),
        T(what_lies_between_a_join_and_the_link_comes_from_the_log),
        T(a_gap_that_meets_a_stream_which_is_behind_is_told),
        T(what_was_gone_before_the_stream_is_not_said),
        T(hello_says_where_older_epochs_ended),
        T(what_was_gone_in_a_log_before_holds_up_and_hides_nothing),
        T(what_is_rewound_before_it_is_greeted_is_not_resumed),
        T(hello_says_where_an_addition_begins_above_the_link),
        T(what_is_remembered_begins_at_the_fork),
        T(the_gap_of_an_addition_names_what_lost_something),
        T(a_stream_without_channels_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
