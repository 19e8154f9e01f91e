/* Streams as browsers see them: opening, replay, live, gaps, heartbeats, goodbyes. */
#include "desk.h"

#include "wire/refusal.h"

#include <stdio.h>

#define ID(n) "id: aaaaaaab-" #n "\n"

static void a_fresh_stream_is_connected_and_gets_what_comes(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    struct browser *b = browser_open(d, &q);
    turn(d);
    assert_string_equal(browser_got(b), "");
    hub_opens(d, 100, 100);
    turn(d);
    char expected[512];
    snprintf(expected, sizeof expected,
             ID(100) "event: connected\ndata: {\"clientId\":\"%.*s\",\"user\":null,\"channels\":"
                     "[\"room:1\"],\"cursor\":\"aaaaaaab-100\",\"resumed\":false,\"ping\":15}\n\n",
             FMT(q.client));
    assert_string_equal(browser_got(b), expected);
    hub_publishes(d, "room:1", 101, "hello");
    turn(d);
    assert_string_equal(browser_got(b), ID(101) "data: hello\n\n");
    hub_publishes(d, "room:2", 102, "not for it");
    hub_publishes(d, "room:1", 103, "x");
    hub_publishes(d, "room:1", 104, "y");
    size_t chunks = b->chunks;
    turn(d);
    assert_string_equal(browser_got(b), ID(103) "data: x\n\n" ID(104) "data: y\n\n");
    assert_int_equal(b->chunks, chunks + 1);
}

static void head_and_retry_leave_in_one_small_chunk(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    struct browser *b = browser_open(d, &q);
    assert_int_equal(b->chunks, 1);
    b->read = 0;
    unsigned retry = 0;
    assert_int_equal(sscanf(browser_got(b), "Status: 200 OK\r\n\r\nretry: %u\n", &retry), 1);
    assert_in_range(retry, 1000, 5000);
    assert_true(b->text.len < 512);
}

static void a_position_is_never_sent_twice(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1", 100);
    hub_publishes(d, "room:1", 101, "a");
    hub_publishes(d, "room:1", 101, "a");
    hub_publishes(d, "room:1", 99, "old");
    turn(d);
    hub_comes_back(d, at(101), GAP_NONE);
    hub_publishes(d, "room:1", 101, "a");
    turn(d);
    assert_string_equal(browser_got(b), ID(101) "data: a\n\n");
}

static void one_that_returns_is_served_from_the_shelf(void **state)
{
    struct desk *d = *state;
    browser_live(d, "room:1", 100);
    for (Position p = 101; p <= 105; p++)
        hub_publishes(d, p % 2 ? "room:1" : "room:2", p, "e");
    struct stream_request q = want("room:1");
    q.start = START_CURSOR;
    q.at = at(102);
    struct browser *b = browser_open(d, &q);
    hub_opens(d, 105, 102);
    turn(d);
    assert_non_null(strstr(browser_got(b), "\"resumed\":true"));
    assert_non_null(strstr(b->text.p, "\n\n" ID(103) "data: e\n\n" ID(105) "data: e\n\n"));
    assert_null(worker_said(d, VERB_FETCH));
    hub_publishes(d, "room:1", 106, "live");
    turn(d);
    assert_string_equal(browser_got(b), ID(106) "data: live\n\n");
}

static void what_the_shelf_does_not_cover_is_fetched(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    q.start = START_CURSOR;
    q.at = at(50);
    struct browser *b = browser_open(d, &q);
    hub_opens(d, 100, 50);
    hub_publishes(d, "room:1", 101, "waits");
    turn(d);
    browser_got(b);
    struct msg_fetch f = next_fetch(d);
    assert_int_equal(f.after.at, 50);
    assert_int_equal(f.upto, 100);
    assert_true(f.descending);
    hub_rows(d, f.ref, "room:1", (Position[]){80, 60, 0}, 50, false);
    hub_publishes(d, "room:1", 102, "too");
    turn(d);
    assert_string_equal(browser_got(b), ID(60) "data: row\n\n" ID(80) "data: row\n\n" ID(
                                            101) "data: waits\n\n" ID(102) "data: too\n\n");
}

static void a_long_replay_is_measured_then_fetched_in_slices(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    q.start = START_CURSOR;
    q.at = at(10);
    struct browser *b = browser_open(d, &q);
    hub_opens(d, 100, 10);
    turn(d);
    browser_got(b);
    struct msg_fetch f = next_fetch(d);
    hub_rows(d, f.ref, "room:1", (Position[]){90, 60, 0}, 60, true);
    turn(d);
    f = next_fetch(d);
    assert_true(f.descending);
    assert_int_equal(f.upto, 59);
    hub_rows(d, f.ref, "room:1", (Position[]){20, 0}, 11, false);
    turn(d);
    f = next_fetch(d);
    assert_false(f.descending);
    assert_int_equal(f.after.at, 10);
    hub_rows(d, f.ref, "room:1", (Position[]){20, 60, 0}, 60, true);
    turn(d);
    assert_string_equal(browser_got(b), ID(20) "data: row\n\n" ID(60) "data: row\n\n");
    f = next_fetch(d);
    assert_int_equal(f.after.at, 60);
    hub_rows(d, f.ref, "room:1", (Position[]){90, 0}, 100, false);
    turn(d);
    assert_string_equal(browser_got(b), ID(90) "data: row\n\n");
}

static void beyond_max_replay_the_newest_that_fit_follow_a_gap(void **state)
{
    struct desk *d = *state;
    d->options.max_replay = 3;
    struct stream_request q = want("room:1");
    q.start = START_CURSOR;
    q.at = at(10);
    q.requested = STR("aaaaaaab-10");
    struct browser *b = browser_open(d, &q);
    hub_opens(d, 100, 10);
    hub_publishes(d, "room:1", 101, "new");
    turn(d);
    browser_got(b);
    struct msg_fetch f = next_fetch(d);
    hub_rows(d, f.ref, "room:1", (Position[]){90, 80, 70, 60, 0}, 60, true);
    turn(d);
    assert_string_equal(browser_got(b),
                        "event: gap\ndata: {\"requested\":\"aaaaaaab-10\",\"oldest\":\"aaaaaaab-70"
                        "\",\"reason\":\"limit\",\"channels\":[\"room:1\"]}\n\n");
    f = next_fetch(d);
    assert_int_equal(f.after.at, 70);
    hub_rows(d, f.ref, "room:1", (Position[]){80, 90, 0}, 100, false);
    turn(d);
    assert_string_equal(browser_got(b),
                        ID(80) "data: row\n\n" ID(90) "data: row\n\n" ID(101) "data: new\n\n");
}

static void a_floor_that_rose_is_said_once_in_the_middle(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    q.start = START_CURSOR;
    q.at = at(10);
    struct browser *b = browser_open(d, &q);
    struct msg_open m = next_open(d);
    struct buf missing;
    buf_init(&missing, 1000);
    list_put(&missing, STR("room:1"));
    HUB_SAYS(d, OPENED, opened, .ref = m.ref, .client = m.client, .join = at(100), .from = at(10),
             .reason = GAP_PRUNED, .oldest = at(40), .missing = buf_str(&missing));
    turn(d);
    assert_non_null(strstr(browser_got(b), "\"reason\":\"pruned\""));
    assert_non_null(strstr(b->text.p, "\"resumed\":false"));
    struct msg_fetch f = next_fetch(d);
    HUB_SAYS(d, ROWS, rows, .ref = f.ref, .next = at(11), .more = 0, .reason = GAP_PRUNED,
             .oldest = at(40), .missing = buf_str(&missing));
    turn(d);
    assert_string_equal(browser_got(b), "");
    buf_fini(&missing);
}

/* Opened at 101 of room:1, of which the log has nothing at or below 104. */
static struct browser *open_past_the_floor(struct desk *d, Position join)
{
    struct stream_request q = want("room:1");
    q.start = START_CURSOR;
    q.at = at(101);
    struct browser *b = browser_open(d, &q);
    struct msg_open m = next_open(d);
    struct buf missing;
    buf_init(&missing, 1000);
    list_put(&missing, STR("room:1"));
    HUB_SAYS(d, OPENED, opened, .ref = m.ref, .client = m.client, .join = at(join), .from = at(101),
             .reason = GAP_PRUNED, .oldest = at(104), .missing = buf_str(&missing));
    buf_fini(&missing);
    turn(d);
    return b;
}

static void what_is_pruned_and_on_the_shelf_is_no_gap(void **state)
{
    struct desk *d = *state;
    browser_live(d, "room:1", 100);
    for (Position p = 101; p <= 105; p++)
        hub_publishes(d, "room:1", p, "x");
    turn(d);
    struct browser *b = open_past_the_floor(d, 105);
    assert_null(strstr(browser_got(b), "event: gap"));
    assert_non_null(strstr(b->text.p, "\"resumed\":true"));
    assert_non_null(strstr(b->text.p, ID(102) "data: x\n\n" ID(103) "data: x\n\n" ID(
                                          104) "data: x\n\n" ID(105) "data: x\n\n"));
    assert_null(worker_said(d, VERB_FETCH));
}

static void a_gap_ends_where_the_shelf_begins(void **state)
{
    struct desk *d = *state;
    browser_live(d, "room:1", 102);
    for (Position p = 103; p <= 105; p++)
        hub_publishes(d, "room:1", p, "x");
    turn(d);
    struct browser *b = open_past_the_floor(d, 105);
    assert_non_null(strstr(browser_got(b), "\"resumed\":false"));
    assert_non_null(strstr(b->text.p, "\"oldest\":\"aaaaaaab-102\",\"reason\":\"pruned\""));
    struct msg_fetch f = next_fetch(d);
    assert_int_equal(f.upto, 102);
    struct buf missing;
    buf_init(&missing, 1000);
    list_put(&missing, STR("room:1"));
    HUB_SAYS(d, ROWS, rows, .ref = f.ref, .next = at(102), .reason = GAP_PRUNED, .oldest = at(104),
             .missing = buf_str(&missing));
    buf_fini(&missing);
    turn(d);
    assert_string_equal(browser_got(b),
                        ID(103) "data: x\n\n" ID(104) "data: x\n\n" ID(105) "data: x\n\n");
}

/* The log has nothing up to 104, and the link is at 102: so the shelf will not have it. */
static void what_is_pruned_before_the_link_is_there_is_a_gap(void **state)
{
    struct desk *d = *state;
    browser_live(d, "room:1", 100);
    for (Position p = 101; p <= 102; p++)
        hub_publishes(d, "room:1", p, "x");
    turn(d);
    struct browser *b = open_past_the_floor(d, 102);
    assert_non_null(strstr(browser_got(b), "\"resumed\":false"));
    assert_non_null(strstr(b->text.p, "\"oldest\":\"aaaaaaab-104\",\"reason\":\"pruned\""));
}

static void equal_streams_share_a_slice(void **state)
{
    struct desk *d = *state;
    struct browser *b[3];
    for (size_t i = 0; i < 3; i++) {
        struct stream_request q = want("room:1");
        q.start = START_CURSOR;
        q.at = at(50);
        b[i] = browser_open(d, &q);
        hub_opens(d, 100, 50);
    }
    turn(d);
    struct msg_fetch f = next_fetch(d);
    assert_null(worker_said(d, VERB_FETCH));
    for (size_t i = 0; i < 3; i++)
        browser_got(b[i]);
    hub_rows(d, f.ref, "room:1", (Position[]){60, 0}, 50, false);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(browser_got(b[i]), ID(60) "data: row\n\n");
    }
}

static void a_full_stream_holds_its_position_only(void **state)
{
    struct desk *d = *state;
    struct browser *slow = browser_live(d, "room:1", 100), *quick = browser_live(d, "room:1", 100);
    slow->is_full = true;
    for (Position p = 101; p <= 103; p++) {
        hub_publishes(d, "room:1", p, "e");
        turn(d);
    }
    assert_string_equal(browser_got(slow), ID(101) "data: e\n\n");
    assert_string_equal(browser_got(quick),
                        ID(101) "data: e\n\n" ID(102) "data: e\n\n" ID(103) "data: e\n\n");
    browser_unblock(slow);
    turn(d);
    assert_string_equal(browser_got(slow), ID(102) "data: e\n\n" ID(103) "data: e\n\n");
    hub_publishes(d, "room:1", 104, "e");
    turn(d);
    assert_string_equal(browser_got(slow), ID(104) "data: e\n\n");
}

static void a_slow_stream_is_told_bye_and_then_cut(void **state)
{
    struct desk *d = *state;
    struct browser *patient = browser_live(d, "room:1", 100);
    struct browser *dead = browser_live(d, "room:1", 100);
    patient->is_full = dead->is_full = true;
    hub_publishes(d, "room:1", 101, "e");
    turn(d);
    browser_got(patient);
    pass(d, d->options.slow_timeout + 1000);
    assert_false(patient->is_finished);
    browser_unblock(patient);
    turn(d);
    assert_string_equal(browser_got(patient), "event: bye\ndata: {\"reason\":\"slow\"}\n\n");
    assert_true(patient->is_finished);
    pass(d, d->options.slow_timeout + 1000);
    assert_true(dead->is_aborted);
    assert_int_equal(roster_streams(d->roster), 0);
}

static void one_that_lags_too_far_is_let_go(void **state)
{
    struct desk *d = *state;
    d->options.max_lag = 65536;
    d->options.max_event = 1024;
    struct browser *b = browser_live(d, "room:1", 100);
    char data[1001];
    memset(data, 'x', 1000);
    data[1000] = '\0';
    b->is_full = true;
    for (Position p = 101; p <= 200; p++) {
        hub_publishes(d, "room:1", p, data);
        turn(d);
    }
    pass(d, 300);
    browser_got(b);
    browser_unblock(b);
    turn(d);
    assert_string_equal(browser_got(b), "event: bye\ndata: {\"reason\":\"slow\"}\n\n");
}

static void heartbeats_carry_an_id_only_when_all_is_written(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    struct browser *b = browser_open(d, &q);
    pass(d, 15000);
    assert_string_equal(browser_got(b), ":\n");
    while (worker_said(d, VERB_OPEN))
        d->said_read = d->said_len;
    struct msg_open m = {0};
    for (size_t i = 0; i < d->said_len; i++)
        if (d->said[i].verb == VERB_OPEN)
            assert_true(msg_open_unpack(buf_str(&d->said[i].body), &m));
    hub_comes_back(d, at(100), GAP_NONE);
    HUB_SAYS(d, OPENED, opened, .ref = m.ref, .client = m.client, .join = at(100), .from = at(100));
    turn(d);
    browser_got(b);
    for (Position p = 101; p <= 115; p++) {
        hub_beats(d, p);
        pass(d, 1000);
    }
    assert_string_equal(browser_got(b), ID(115) "\n");
}

static void the_excluded_client_does_not_get_its_own(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    struct browser *a = browser_open(d, &q), *b = NULL;
    char name[32];
    snprintf(name, sizeof name, "%.*s", FMT(q.client));
    hub_opens(d, 100, 100);
    b = browser_live(d, "room:1", 100);
    turn(d);
    browser_got(a);
    struct event e = {
        .id = at(101), .channel = STR("room:1"), .data = STR("mine"), .exclude = str_of(name)};
    hub_event(d, &e);
    hub_publishes(d, "room:1", 102, "all");
    turn(d);
    assert_string_equal(browser_got(a), ID(102) "data: all\n\n");
    assert_string_equal(browser_got(b), ID(101) "data: mine\n\n" ID(102) "data: all\n\n");
    struct event to = {
        .flags = EVENT_EPHEMERAL, .channel = STR(""), .data = STR("psst"), .to = str_of(name)};
    hub_event(d, &to);
    turn(d);
    assert_string_equal(browser_got(a), "data: psst\n\n");
    assert_string_equal(browser_got(b), "");
}

static void ephemeral_and_expired_events(void **state)
{
    struct desk *d = *state;
    struct browser *live = browser_live(d, "room:1", 100), *full = browser_live(d, "room:1", 100);
    full->is_full = true;
    hub_publishes(d, "room:1", 101, "a");
    turn(d);
    struct event typing = {.flags = EVENT_EPHEMERAL | EVENT_JSON,
                           .channel = STR("room:1"),
                           .name = STR("typing"),
                           .data = STR("{}")};
    hub_event(d, &typing);
    struct event old = {.id = at(102),
                        .channel = STR("room:1"),
                        .data = STR("late"),
                        .expires = link_wall(d->link)};
    hub_event(d, &old);
    turn(d);
    browser_unblock(full);
    turn(d);
    assert_string_equal(browser_got(live), ID(101) "data: a\n\nevent: typing\ndata: {}\n\n");
    assert_string_equal(browser_got(full), ID(101) "data: a\n\n");
}

static void a_pattern_shows_only_what_may_be_read(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "*", 100);
    struct browser *user = browser_live(d, "user:*", 100);
    hub_publishes(d, "room:1", 101, "a");
    hub_publishes(d, "user:alice", 102, "secret");
    hub_publishes(d, "room:2", 103, "b");
    turn(d);
    assert_string_equal(browser_got(b), ID(101) "data: a\n\n" ID(103) "data: b\n\n");
    assert_string_equal(browser_got(user), "");
}

static void a_fork_is_said_and_the_position_goes_down(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1", 100);
    hub_publishes(d, "room:1", 101, "kept");
    hub_publishes(d, "room:1", 105, "lost");
    turn(d);
    browser_got(b);
    hub_comes_back(d, at(102), GAP_RESET);
    struct event e = {.id = {2, 103}, .channel = STR("room:1"), .data = STR("other")};
    hub_event(d, &e);
    turn(d);
    assert_string_equal(browser_got(b),
                        "event: gap\ndata: {\"requested\":\"aaaaaaab-105\",\"oldest\":\"aaaaaaab-"
                        "102\",\"reason\":\"reset\",\"channels\":[\"room:1\"]}\n\nid: aaaaaaac-103"
                        "\ndata: other\n\n");
}

/* What was gone above the fork is of a log that is no more. */
static void a_fork_says_where_it_goes_on_though_a_gap_was_owed(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    q.start = START_CURSOR;
    q.at = at(10);
    struct browser *b = browser_open(d, &q);
    struct msg_open m = next_open(d);
    struct buf missing;
    buf_init(&missing, 1000);
    list_put(&missing, STR("room:1"));
    HUB_SAYS(d, OPENED, opened, .ref = m.ref, .client = m.client, .join = at(100), .from = at(10),
             .reason = GAP_PRUNED, .oldest = at(40), .missing = buf_str(&missing));
    hub_comes_back(d, at(5), GAP_RESET);
    turn(d);
    assert_non_null(strstr(browser_got(b), "\"oldest\":\"aaaaaaab-5\",\"reason\":\"reset\""));
    buf_fini(&missing);
}

static void a_gap_on_the_link_is_said_to_whom_it_concerns(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1", 100), *other = browser_live(d, "room:2", 100);
    struct buf names;
    buf_init(&names, 1000);
    list_put(&names, STR("room:1"));
    hub_comes_back(d, at(100), GAP_NONE);
    HUB_SAYS(d, GAP, gap, .reason = GAP_PRUNED, .oldest = at(110), .channels = buf_str(&names));
    hub_publishes(d, "room:1", 111, "e");
    turn(d);
    assert_string_equal(browser_got(b),
                        "event: gap\ndata: {\"requested\":\"aaaaaaab-100\",\"oldest\":\"aaaaaaab-"
                        "110\",\"reason\":\"pruned\",\"channels\":[\"room:1\"]}\n\n");
    struct msg_fetch f = next_fetch(d); /* what the log has left below the floor is not known */
    assert_int_equal(f.after.at, 100);
    assert_int_equal(f.upto, 110);
    HUB_SAYS(d, ROWS, rows, .ref = f.ref, .next = at(110), .reason = GAP_PRUNED, .oldest = at(110),
             .missing = buf_str(&names));
    turn(d);
    assert_string_equal(browser_got(b), ID(111) "data: e\n\n");
    assert_string_equal(browser_got(other), "");
    buf_fini(&names);
}

static void a_refused_stream_is_told_bye(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    struct browser *b = browser_open(d, &q);
    struct msg_open m = next_open(d);
    HUB_SAYS(d, OPENED, opened, .ref = m.ref, .code = REFUSE_LIMIT, .detail = STR("max_clients"));
    turn(d);
    unsigned retry = 0;
    assert_int_equal(
        sscanf(browser_got(b), "retry: %u\nevent: bye\ndata: {\"reason\":\"limit\"}\n\n", &retry),
        1);
    assert_in_range(retry, 10000, 60000);
    assert_true(b->is_finished);
    assert_int_equal(roster_streams(d->roster), 0);
}

static void one_that_leaves_while_it_is_opened_is_closed_at_the_hub(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    struct browser *b = browser_open(d, &q);
    b->outlet.owner_ops->on_gone(b->outlet.owner);
    turn(d);
    assert_int_equal(roster_streams(d->roster), 0);
    struct msg_open m = next_open(d);
    HUB_SAYS(d, OPENED, opened, .ref = m.ref, .client = STR("another-name-for-it"), .join = at(100),
             .from = at(100));
    const struct said *s = worker_said(d, VERB_CLOSE);
    assert_non_null(s);
    struct msg_close c;
    assert_true(msg_close_unpack(buf_str(&s->body), &c));
    assert_true(str_eq(c.client, STR("another-name-for-it")));
}

static void a_drain_spreads_goodbyes(void **state)
{
    struct desk *d = *state;
    struct browser *b[20];
    for (size_t i = 0; i < 20; i++)
        b[i] = browser_live(d, "room:1", 100);
    bool is_done = false;
    size_t steps = 0, least = 20;
    for (Msec left = 2000; !is_done && steps < 30; left -= left < 100 ? left : 100) {
        is_done = roster_drain(d->roster, d->now, left);
        turn(d);
        d->now += 100;
        size_t n = roster_streams(d->roster);
        least = n < least ? n : least;
        steps++;
    }
    assert_true(is_done);
    assert_in_range(steps, 8, 25);
    for (size_t i = 0; i < 20; i++) {
        const char *got = browser_got(b[i]);
        unsigned retry = 0;
        assert_int_equal(sscanf(got, "retry: %u\n", &retry), 1);
        assert_in_range(retry, 1000, 5000);
        assert_string_equal(strchr(got, '\n') + 1, "event: bye\ndata: {\"reason\":\"drain\"}\n\n");
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_fresh_stream_is_connected_and_gets_what_comes),
        T(head_and_retry_leave_in_one_small_chunk),
        T(a_position_is_never_sent_twice),
        T(one_that_returns_is_served_from_the_shelf),
        T(what_the_shelf_does_not_cover_is_fetched),
        T(a_long_replay_is_measured_then_fetched_in_slices),
        T(beyond_max_replay_the_newest_that_fit_follow_a_gap),
        T(a_floor_that_rose_is_said_once_in_the_middle),
        T(what_is_pruned_and_on_the_shelf_is_no_gap),
        T(a_gap_ends_where_the_shelf_begins),
        T(what_is_pruned_before_the_link_is_there_is_a_gap),
        T(equal_streams_share_a_slice),
        T(a_full_stream_holds_its_position_only),
        T(a_slow_stream_is_told_bye_and_then_cut),
        T(one_that_lags_too_far_is_let_go),
        T(heartbeats_carry_an_id_only_when_all_is_written),
        T(the_excluded_client_does_not_get_its_own),
        T(ephemeral_and_expired_events),
        T(a_pattern_shows_only_what_may_be_read),
        T(a_fork_is_said_and_the_position_goes_down),
        T(a_fork_says_where_it_goes_on_though_a_gap_was_owed),
        T(a_gap_on_the_link_is_said_to_whom_it_concerns),
        T(a_refused_stream_is_told_bye),
        T(one_that_leaves_while_it_is_opened_is_closed_at_the_hub),
        T(a_drain_spreads_goodbyes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
