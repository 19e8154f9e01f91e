/* Long-polls: one cursor, one answer. */
#include "desk.h"

#include "wire/refusal.h"

#define EVENT_JSON_TEXT(n, data)                                                                   \
    "{\"id\":\"aaaaaaab-" #n "\",\"channel\":\"room:1\",\"event\":null,\"data\":" data             \
    ",\"user\":null,\"time\":1700000000000}"

static struct browser *poll_from(struct desk *d, Position cursor, uint32_t limit)
{
    struct stream_request q = want("room:1");
    q.start = cursor ? START_CURSOR : START_DEFAULT;
    q.at = at(cursor);
    q.limit = limit;
    q.client = STR("client-of-the-poll");
    struct browser *b = browser_poll(d, q);
    return b;
}

static void what_is_there_is_answered_at_once(void **state)
{
    struct desk *d = *state;
    browser_live(d, "room:1", 100);
    hub_publishes(d, "room:1", 101, "a\"b");
    hub_publishes(d, "room:1", 102, "c");
    struct browser *b = poll_from(d, 100, 10);
    hub_opens(d, 102, 100);
    turn(d);
    assert_string_equal(
        browser_got(b),
        "{\"cursor\":\"aaaaaaab-102\",\"clientId\":\"client-of-the-poll\",\"gap\":null,\"more\":"
        "false,\"events\":[" EVENT_JSON_TEXT(101, "\"a\\\"b\"") "," EVENT_JSON_TEXT(102,
                                                                                    "\"c\"") "]}");
    assert_true(b->is_finished);
    assert_int_equal(roster_streams(d->roster), 1);
    struct msg_close c;
    const struct said *s = worker_said(d, VERB_CLOSE);
    assert_non_null(s);
    assert_true(msg_close_unpack(buf_str(&s->body), &c));
    assert_true(c.poll);
}

static void else_it_waits_for_what_comes(void **state)
{
    struct desk *d = *state;
    struct browser *b = poll_from(d, 100, 10);
    hub_opens(d, 100, 100);
    turn(d);
    pass(d, 2000);
    assert_string_equal(browser_got(b), "");
    hub_publishes(d, "room:1", 150, "now");
    turn(d);
    assert_string_equal(
        browser_got(b),
        "{\"cursor\":\"aaaaaaab-150\",\"clientId\":\"client-of-the-poll\",\"gap\":null,\"more\":"
        "false,\"events\":[" EVENT_JSON_TEXT(150, "\"now\"") "]}");
}

static void a_time_out_has_a_fresh_cursor(void **state)
{
    struct desk *d = *state;
    struct browser *b = poll_from(d, 0, 10);
    hub_opens(d, 100, 100);
    hub_beats(d, 120);
    turn(d);
    stream_answer_now(b->stream);
    turn(d);
    assert_string_equal(browser_got(b),
                        "{\"cursor\":\"aaaaaaab-120\",\"clientId\":\"client-of-the-poll\",\"gap\":"
                        "null,\"more\":false,\"events\":[]}");
    assert_true(b->is_finished);
}

static void without_a_hub_it_is_told_to_come_back(void **state)
{
    struct desk *d = *state;
    struct browser *b = poll_from(d, 77, 10);
    stream_answer_now(b->stream);
    turn(d);
    assert_string_equal(browser_got(b), "503");
}

static void one_that_is_not_opened_is_told_to_come_back(void **state)
{
    struct desk *d = *state;
    struct browser *b = poll_from(d, 77, 10);
    HUB_SAYS(d, OPENED, opened, .ref = next_open(d).ref, .code = REFUSE_OVERLOAD);
    turn(d);
    assert_string_equal(browser_got(b), "503");
}

static void one_beyond_a_limit_is_told_so(void **state)
{
    struct desk *d = *state;
    struct browser *b = poll_from(d, 77, 10);
    HUB_SAYS(d, OPENED, opened, .ref = next_open(d).ref, .code = REFUSE_LIMIT);
    turn(d);
    assert_string_equal(browser_got(b), "429");
}

static void one_that_is_told_to_go_says_where_it_is(void **state)
{
    struct desk *d = *state;
    struct browser *b = poll_from(d, 77, 10);
    hub_opens(d, 105, 77);
    turn(d);
    hub_rows(d, next_fetch(d).ref, "room:1", (const Position[]){78, 80, 0}, 80, true);
    stream_bye(b->stream, BYE_DRAIN);
    turn(d);
    assert_non_null(strstr(browser_got(b), "{\"cursor\":\"aaaaaaab-80\""));
}

static void a_second_gap_takes_the_first_one_in(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1,room:2");
    q.poll = true;
    q.start = START_CURSOR;
    q.at = at(50);
    q.limit = 10;
    struct browser *b = browser_poll(d, q);
    struct msg_open m = next_open(d);
    struct buf missing;
    buf_init(&missing, 1000);
    list_put(&missing, STR("room:1"));
    HUB_SAYS(d, OPENED, opened, .ref = m.ref, .client = m.client, .join = at(105), .from = at(50),
             .reason = GAP_PRUNED, .oldest = at(60), .missing = buf_str(&missing));
    turn(d);
    buf_clear(&missing);
    list_put(&missing, STR("room:2"));
    HUB_SAYS(d, ROWS, rows, .ref = next_fetch(d).ref, .next = at(105), .reason = GAP_PRUNED,
             .oldest = at(70), .missing = buf_str(&missing));
    turn(d);
    const char *got = browser_got(b);
    assert_non_null(strstr(got, "\"oldest\":\"aaaaaaab-70\""));
    assert_non_null(strstr(got, "room:1"));
    assert_non_null(strstr(got, "room:2"));
    buf_fini(&missing);
}

static void a_limit_leaves_more(void **state)
{
    struct desk *d = *state;
    browser_live(d, "room:1", 100);
    hub_publishes(d, "room:1", 101, "a");
    hub_publishes(d, "room:1", 102, "b");
    struct browser *b = poll_from(d, 100, 1);
    hub_opens(d, 102, 100);
    turn(d);
    assert_string_equal(
        browser_got(b),
        "{\"cursor\":\"aaaaaaab-101\",\"clientId\":\"client-of-the-poll\",\"gap\":null,\"more\":"
        "true,\"events\":[" EVENT_JSON_TEXT(101, "\"a\"") "]}");
    b = poll_from(d, 102, 1);
    hub_opens(d, 102, 102);
    turn(d);
    hub_publishes(d, "room:1", 103, "c");
    hub_publishes(d, "room:1", 104, "d");
    turn(d);
    assert_string_equal(
        browser_got(b),
        "{\"cursor\":\"aaaaaaab-103\",\"clientId\":\"client-of-the-poll\",\"gap\":null,\"more\":"
        "true,\"events\":[" EVENT_JSON_TEXT(103, "\"c\"") "]}");
}

static void empty_data_does_not_pass_the_limit(void **state)
{
    struct desk *d = *state;
    browser_live(d, "room:1", 100);
    hub_publishes(d, "room:1", 101, "");
    hub_publishes(d, "room:1", 102, "");
    struct browser *b = poll_from(d, 100, 1);
    hub_opens(d, 102, 100);
    turn(d);
    assert_non_null(
        strstr(browser_got(b), "\"more\":true,\"events\":[" EVENT_JSON_TEXT(101, "\"\"") "]"));
}

static void an_answer_ends_at_a_mebibyte(void **state)
{
    struct desk *d = *state;
    static char data[300001];
    memset(data, 'x', sizeof data - 1);
    browser_live(d, "room:1", 100);
    for (Position p = 101; p <= 110; p++)
        hub_publishes(d, "room:1", p, data);
    struct browser *b = poll_from(d, 100, 100);
    hub_opens(d, 110, 100);
    turn(d);
    assert_true(b->is_finished);
    assert_in_range(b->text.len, 900000, 1048576 + 300000);
    assert_true(str_starts(buf_str(&b->text), STR("{\"cursor\":\"aaaaaaab-103\"")));
}

static void rows_of_the_log_end_at_the_limit_too(void **state)
{
    struct desk *d = *state;
    struct browser *b = poll_from(d, 50, 2);
    hub_opens(d, 100, 50);
    turn(d);
    struct msg_fetch f = next_fetch(d);
    assert_false(f.descending);
    assert_int_equal(f.limit, 2);
    hub_rows(d, f.ref, "room:1", (Position[]){60, 70, 0}, 70, true);
    turn(d);
    assert_true(str_starts(str_of(browser_got(b)),
                           STR("{\"cursor\":\"aaaaaaab-70\",\"clientId\":\"client-of-the-poll\","
                               "\"gap\":null,\"more\":true")));
}

static void a_full_answer_does_not_wait_for_more_rows(void **state)
{
    struct desk *d = *state;
    struct browser *b = poll_from(d, 50, 2);
    struct buf names;
    buf_init(&names, 1000);
    list_put(&names, STR("room:1"));
    hub_opens(d, 100, 50);
    turn(d);
    hub_publishes(d, "room:1", 101, "x");
    hub_rows(d, next_fetch(d).ref, "room:1", (Position[]){60, 70, 0}, 100, false);
    HUB_SAYS(d, GAP, gap, .oldest = at(101), .reason = GAP_PRUNED, .channels = buf_str(&names));
    buf_fini(&names);
    turn(d);
    assert_null(worker_said(d, VERB_FETCH));
    assert_true(str_starts(str_of(browser_got(b)),
                           STR("{\"cursor\":\"aaaaaaab-100\",\"clientId\":\"client-of-the-poll\","
                               "\"gap\":null,\"more\":true")));
}

static void a_gap_alone_is_an_answer(void **state)
{
    struct desk *d = *state;
    struct browser *b = poll_from(d, 50, 10);
    struct msg_open m = next_open(d);
    HUB_SAYS(d, OPENED, opened, .ref = m.ref, .client = m.client, .join = at(100), .from = at(100),
             .reason = GAP_UNKNOWN, .oldest = at(100));
    turn(d);
    assert_string_equal(
        browser_got(b),
        "{\"cursor\":\"aaaaaaab-100\",\"clientId\":\"client-of-the-poll\",\"gap\":{\"requested\":"
        "null,\"oldest\":\"aaaaaaab-100\",\"reason\":\"unknown\",\"channels\":[\"room:1\"]},"
        "\"more\":false,\"events\":[]}");
}

/* What the hub says after OPENED. */
static struct event missed(const char *channel, const char *data)
{
    return (struct event){.flags = EVENT_EPHEMERAL | EVENT_MISSED,
                          .channel = str_of(channel),
                          .data = str_of(data),
                          .to = STR("client-of-the-poll")};
}

static void what_passed_between_two_polls_is_answered(void **state)
{
    struct desk *d = *state;
    struct browser *b = poll_from(d, 100, 10);
    hub_opens(d, 100, 100);
    struct event e = missed("room:1", "{}");
    e.flags |= EVENT_JSON;
    e.name = STR("typing");
    hub_event(d, &e);
    turn(d);
    assert_non_null(strstr(browser_got(b),
                           "[{\"id\":null,\"channel\":\"room:1\",\"event\":\"typing\","
                           "\"data\":{},\"user\":null,\"time\":0}]"));
}

/* An OPEN that was said again after a HELLO is answered twice. */
static void what_passed_between_two_polls_comes_once(void **state)
{
    struct desk *d = *state;
    struct browser *b = poll_from(d, 100, 10);
    struct msg_open m = next_open(d);
    const struct event e = missed("room:1", "x");
    for (int i = 0; i < 2; i++) {
        HUB_SAYS(d, OPENED, opened, .ref = m.ref, .client = m.client, .join = at(100),
                 .from = at(100));
        hub_event(d, &e);
    }
    turn(d);
    const char *first = strstr(browser_got(b), "\"data\":\"x\"");
    assert_non_null(first);
    assert_null(strstr(first + 1, "\"data\":\"x\""));
}

static void what_passed_between_two_polls_is_for_the_one_that_came(void **state)
{
    struct desk *d = *state;
    struct browser *first = poll_from(d, 100, 10);
    hub_opens(d, 100, 100);
    turn(d);
    struct browser *second = poll_from(d, 100, 10);
    hub_opens(d, 100, 100);
    const struct event e = missed("room:1", "x");
    hub_event(d, &e);
    turn(d);
    assert_string_equal(browser_got(first), "");
    assert_non_null(strstr(browser_got(second), "\"data\":\"x\""));
}

/* The stream beside the poll had it when it was sent. */
static void what_was_sent_to_the_client_between_two_polls_is_for_the_poll(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    q.client = STR("client-of-the-poll");
    struct browser *stream = browser_open(d, &q);
    hub_opens(d, 100, 100);
    turn(d);
    browser_got(stream);
    struct browser *poll = poll_from(d, 100, 10);
    hub_opens(d, 100, 100);
    const struct event e = missed("", "x");
    hub_event(d, &e);
    turn(d);
    assert_string_equal(browser_got(stream), "");
    assert_non_null(strstr(browser_got(poll), "\"data\":\"x\""));
}

/* It comes by the client's name, so the pattern's rights are asked for apart. */
static void what_passed_between_two_polls_and_is_not_allowed_is_left_out(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:*");
    static const struct channel_rule rules[] = {
        {{"room:vip", 8}, {[MAY_SUBSCRIBE] = ACCESS_GRANTED}, false},
    };
    q.rights.rules = rules;
    q.rights.rule_count = COUNT_OF(rules);
    q.client = STR("client-of-the-poll");
    q.limit = 10;
    struct browser *b = browser_poll(d, q);
    hub_opens(d, 100, 100);
    struct event e = missed("room:vip", "secret");
    hub_event(d, &e);
    turn(d);
    assert_string_equal(browser_got(b), "");
    e.channel = STR("room:1");
    e.data = STR("news");
    hub_event(d, &e);
    turn(d);
    assert_non_null(strstr(browser_got(b), "news"));
}

static void one_that_goes_leaves_nothing(void **state)
{
    struct desk *d = *state;
    struct browser *b = poll_from(d, 100, 10);
    hub_opens(d, 100, 100);
    turn(d);
    b->outlet.owner_ops->on_gone(b->outlet.owner);
    hub_publishes(d, "room:1", 101, "x");
    turn(d);
    assert_int_equal(b->text.len, 0);
    assert_int_equal(roster_streams(d->roster), 0);
}

/* The hub keeps them for who comes back, and says to each of them whom they leave out. */
static void what_excludes_a_client_stays_so_between_its_polls(void **state)
{
    struct desk *d = *state;
    struct browser *b = poll_from(d, 100, 10);
    struct event e = missed("room:1", "typing");
    e.exclude = STR("client-of-the-poll");
    hub_opens(d, 100, 100);
    hub_event(d, &e);
    turn(d);
    assert_string_equal(browser_got(b), "");
    e.exclude = STR_NONE;
    hub_event(d, &e);
    turn(d);
    assert_non_null(strstr(browser_got(b), "typing"));
}

/* Of what it had gathered nothing has left yet: neither that nor where it had come to is undone. */
static void a_poll_that_meets_a_fork_begins_again(void **state)
{
    struct desk *d = *state;
    const Position all[] = {91, 92, 0};
    struct browser *b = poll_from(d, 90, 10);
    hub_opens(d, 100, 90);
    turn(d);
    hub_rows(d, next_fetch(d).ref, "room:1", all, 92, true);
    turn(d);
    link_on_disconnected(d->link, d->now);
    link_on_connected(d->link, d->now);
    hub_welcomes(d, at(91), GAP_RESET);
    turn(d);
    struct msg_fetch m;
    do
        m = next_fetch(d);
    while (m.after.at != 90);
    const Position first[] = {91, 0};
    hub_rows(d, m.ref, "room:1", first, 91, false);
    turn(d);
    assert_string_equal(
        browser_got(b),
        "{\"cursor\":\"aaaaaaab-91\",\"clientId\":\"client-of-the-poll\",\"gap\":null,\"more\":"
        "false,\"events\":[" EVENT_JSON_TEXT(91, "\"row\"") "]}");
}

#define T(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_there_is_answered_at_once),
        T(else_it_waits_for_what_comes),
        T(a_time_out_has_a_fresh_cursor),
        T(without_a_hub_it_is_told_to_come_back),
        T(one_that_is_not_opened_is_told_to_come_back),
        T(one_beyond_a_limit_is_told_so),
        T(one_that_is_told_to_go_says_where_it_is),
        T(a_second_gap_takes_the_first_one_in),
        T(a_limit_leaves_more),
        T(empty_data_does_not_pass_the_limit),
        T(an_answer_ends_at_a_mebibyte),
        T(rows_of_the_log_end_at_the_limit_too),
        T(a_full_answer_does_not_wait_for_more_rows),
        T(a_gap_alone_is_an_answer),
        T(what_passed_between_two_polls_is_answered),
        T(what_passed_between_two_polls_comes_once),
        T(what_passed_between_two_polls_is_for_the_one_that_came),
        T(what_was_sent_to_the_client_between_two_polls_is_for_the_poll),
        T(what_passed_between_two_polls_and_is_not_allowed_is_left_out),
        T(one_that_goes_leaves_nothing),
        T(what_excludes_a_client_stays_so_between_its_polls),
        T(a_poll_that_meets_a_fork_begins_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
