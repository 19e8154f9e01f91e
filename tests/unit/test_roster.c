/* The roster: subscriptions that linger, channels added and taken off, held starts, clients. */
#include "desk.h"

#include "link_request.h"

#include "inside.h"
#include "wire/refusal.h"

#define ID(n) "id: aaaaaaab-" #n "\n"

static Str names_of(struct buf *list, const char *names)
{
    buf_init(list, 1 << 20);
    Str rest = str_of(names);
    for (Str each; str_cut(&rest, ',', &each);)
        list_put(list, each);
    return buf_str(list);
}

/* ADD to a client, and the answer. */
static struct msg_added add(struct desk *d, Str client, const char *names, const char *without,
                            struct msg_add m)
{
    static uint64_t ref;
    struct buf added, removed;
    struct msg_added answer;
    m.ref = ++ref;
    m.client = client;
    m.add = names_of(&added, names);
    m.remove = names_of(&removed, without);
    if (cursor_is_none(m.join))
        m.join = roster_at(d->roster);
    struct buf body;
    buf_init(&body, 1 << 20);
    msg_add_pack(&body, &m);
    hub_says(d, VERB_ADD, &body);
    buf_fini(&body);
    buf_fini(&added);
    buf_fini(&removed);
    const struct said *s = worker_said(d, VERB_ADDED);
    assert_non_null(s);
    assert_true(msg_added_unpack(buf_str(&s->body), &answer));
    assert_int_equal(answer.ref, m.ref);
    return answer;
}

static Str client_of(const struct browser *b)
{
    return page_name(b->stream->page);
}

static struct browser *opened_at(struct desk *d, struct stream_request q, Position join,
                                 Position from)
{
    q.start = START_CURSOR;
    q.at = at(from);
    struct browser *b = browser_open(d, &q);
    hub_opens(d, join, from);
    turn(d);
    return b;
}

static void a_subscription_lingers_and_is_left(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1", 100);
    stream_close(b->stream);
    turn(d);
    for (Msec t = 0; t < d->options.linger - 1000; t += 1000) {
        hub_beats(d, 100);
        pass(d, 1000);
    }
    assert_null(worker_said(d, VERB_LEAVE));
    hub_beats(d, 100);
    pass(d, 1500);
    const struct said *s = worker_said(d, VERB_LEAVE);
    assert_non_null(s);
    struct msg_leave m;
    assert_true(msg_leave_unpack(buf_str(&s->body), &m));
    assert_true(list_has(m.channels, STR("room:1")));
}

static void a_channel_that_is_being_asked_for_is_not_left(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1", 100);
    stream_close(b->stream);
    turn(d);
    struct stream_request q = want("room:1");
    browser_open(d, &q);
    for (int i = 0; i < 40; i++) {
        hub_beats(d, 100);
        pass(d, 1000);
    }
    assert_null(worker_said(d, VERB_LEAVE));
}

static void one_that_ended_and_began_again_is_covered_from_its_new_join(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1", 100);
    hub_publishes(d, "room:1", 101, "x");
    stream_close(b->stream);
    for (int i = 0; i < 32; i++) {
        hub_beats(d, 101);
        pass(d, 1000);
    }
    assert_non_null(worker_said(d, VERB_LEAVE));
    (void)opened_at(d, want("room:1"), 110, 101);
    struct msg_fetch f = next_fetch(d);
    assert_int_equal(f.after.at, 101);
    assert_int_equal(f.upto, 110);
}

static void an_add_that_crossed_a_leave_is_noticed(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1", 100), *other = browser_live(d, "room:2", 100);
    stream_close(other->stream);
    for (int i = 0; i < 31; i++) {
        hub_beats(d, 100);
        pass(d, 1000);
    }
    assert_non_null(worker_said(d, VERB_LEAVE));
    add(d, client_of(b), "room:2", "", (struct msg_add){0});
    assert_non_null(worker_said(d, VERB_HELLO));
}

static void an_added_channel_begins_at_the_present(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1", 100);
    hub_publishes(d, "room:1", 101, "a");
    turn(d);
    browser_got(b);
    struct msg_added m = add(d, client_of(b), "room:2", "", (struct msg_add){.join = at(105)});
    assert_int_equal(m.code, REFUSE_NOT);
    assert_int_equal(m.at.at, 105);
    assert_int_equal(list_count(m.channels), 2);
    hub_publishes(d, "room:2", 106, "two");
    hub_publishes(d, "room:1", 107, "one");
    turn(d);
    assert_string_equal(browser_got(b), ID(106) "data: two\n\n" ID(107) "data: one\n\n");
    m = add(d, client_of(b), "", "room:1", (struct msg_add){0});
    assert_int_equal(list_count(m.channels), 1);
    hub_publishes(d, "room:1", 108, "no more");
    hub_publishes(d, "room:2", 109, "still");
    turn(d);
    assert_string_equal(browser_got(b), ID(109) "data: still\n\n");
}

static void one_that_begins_below_is_caught_up_without_ids(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1", 100);
    hub_publishes(d, "room:1", 120, "a");
    turn(d);
    browser_got(b);
    add(d, client_of(b), "room:2", "", (struct msg_add){.start = START_CURSOR, .from = at(90)});
    hub_publishes(d, "room:1", 121, "waits");
    turn(d);
    assert_string_equal(browser_got(b), "");
    struct msg_fetch f = next_fetch(d);
    assert_int_equal(f.after.at, 90);
    assert_int_equal(f.upto, 120);
    assert_int_equal(list_count(f.channels), 1);
    hub_rows(d, f.ref, "room:2", (Position[]){110, 95, 0}, 91, false);
    turn(d);
    assert_string_equal(browser_got(b), "data: row\n\ndata: row\n\n" ID(121) "data: waits\n\n");
    hub_publishes(d, "room:2", 122, "live");
    turn(d);
    assert_string_equal(browser_got(b), ID(122) "data: live\n\n");
}

static void what_is_not_granted_changes_nothing(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1", 100);
    struct msg_added m = add(d, client_of(b), "room:2,user:alice", "room:1", (struct msg_add){0});
    assert_int_equal(m.code, REFUSE_FORBIDDEN);
    hub_publishes(d, "room:1", 101, "still there");
    hub_publishes(d, "room:2", 102, "not there");
    turn(d);
    assert_string_equal(browser_got(b), ID(101) "data: still there\n\n");
    assert_int_equal(add(d, STR("nobody-here-at-all"), "room:2", "", (struct msg_add){0}).code,
                     REFUSE_NOT_FOUND);
    d->options.max_channels_stream = 1;
    assert_int_equal(add(d, client_of(b), "room:2", "", (struct msg_add){0}).code, REFUSE_LIMIT);
    struct msg_add other = {.user = STR("mallory")};
    assert_int_equal(add(d, client_of(b), "room:2", "", other).code, REFUSE_FORBIDDEN);
}

static void an_added_channel_without_a_name_is_refused(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1", 100);
    struct buf list, body;
    struct msg_added answer = {0};
    buf_init(&list, 100);
    buf_init(&body, 1000);
    list_put(&list, STR_NONE);
    msg_add_pack(&body, &(struct msg_add){.client = client_of(b), .add = buf_str(&list)});
    hub_says(d, VERB_ADD, &body);
    const struct said *s = worker_said(d, VERB_ADDED);
    assert_true(s && msg_added_unpack(buf_str(&s->body), &answer));
    assert_int_equal(answer.code, REFUSE_WRONG_FIELD);
    buf_fini(&list);
    buf_fini(&body);
}

static void an_opening_without_a_client_ends_the_stream(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    struct browser *b = browser_open(d, &q);
    HUB_SAYS(d, OPENED, opened, .ref = next_open(d).ref, .join = at(100), .from = at(100));
    turn(d);
    assert_true(b->is_finished);
}

static void a_channel_that_is_there_costs_nothing(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1,room:2", 100);
    d->options.max_channels_stream = 2;
    assert_int_equal(add(d, client_of(b), "room:2,room:1", "", (struct msg_add){0}).code,
                     REFUSE_NOT);
    assert_int_equal(add(d, client_of(b), "room:1,room:3", "", (struct msg_add){0}).code,
                     REFUSE_LIMIT);
}

static void a_stream_that_ends_may_still_be_changed(void **state)
{
    struct desk *d = *state;
    struct browser *left = browser_live(d, "room:1", 100), *parts = browser_live(d, "room:2", 100);
    left->outlet.owner_ops->on_gone(left->outlet.owner);
    assert_int_equal(add(d, client_of(left), "room:3", "", (struct msg_add){0}).code, REFUSE_NOT);
    stream_bye(parts->stream, BYE_DRAIN);
    assert_int_equal(add(d, client_of(parts), "room:3", "", (struct msg_add){0}).code, REFUSE_NOT);
    turn(d);
    assert_true(parts->is_finished);
    assert_int_equal(roster_streams(d->roster), 0);
}

/* It is where it was in a log that is no more: what is added begins in the one there is. */
static void what_is_added_to_one_that_ends_begins_in_the_log_as_it_is(void **state)
{
    struct desk *d = *state;
    struct browser *late = opened_at(d, want("room:1"), 100, 100), *b = NULL;
    b = browser_live(d, "room:2", 100);
    struct browser *left = browser_live(d, "room:2", 100);
    struct browser *late_left = opened_at(d, want("room:1"), 100, 100);
    stream_bye(late->stream, BYE_DRAIN);
    stream_bye(b->stream, BYE_DRAIN);
    left->outlet.owner_ops->on_gone(left->outlet.owner);
    late_left->outlet.owner_ops->on_gone(late_left->outlet.owner);
    hub_comes_back(d, (Cursor){EPOCH + 1, 0}, GAP_RESET);
    struct msg_add now = {.join = {EPOCH + 1, 0}};
    assert_int_equal(add(d, client_of(b), "room:3", "", now).at.at, 0);
    assert_int_equal(add(d, client_of(late), "room:3", "", now).at.at, 0);
    assert_int_equal(add(d, client_of(left), "room:3", "", now).at.at, 0);
    assert_int_equal(add(d, client_of(late_left), "room:3", "", now).at.at, 0);
    turn(d);
}

static void one_that_went_before_it_was_opened_is_on_nothing(void **state)
{
    struct desk *d = *state;
    struct stream_request more = want("room:1,room:2"), fewer = want("room:1");
    more.client = fewer.client = STR("client-that-comes-again");
    more.named = fewer.named = true;
    struct browser *b = browser_open(d, &more);
    turn(d);
    stream_bye(b->stream, BYE_KICKED);
    turn(d);
    browser_open(d, &fewer);
    hub_opens(d, 100, 100);
    turn(d);
    assert_null(worker_said(d, VERB_HERE));
    d->said_read = 0;
    next_open(d);
    hub_opens(d, 100, 100);
    turn(d);
    assert_non_null(worker_said(d, VERB_HERE));
}

static void a_held_start_waits_for_its_channels(void **state)
{
    struct desk *d = *state;
    browser_live(d, "room:1,room:2,all", 100);
    hub_publishes(d, "room:1", 101, "one");
    hub_publishes(d, "all", 102, "all");
    hub_publishes(d, "room:2", 103, "two");
    struct stream_request q = want("all");
    q.listed = false;
    struct browser *b = opened_at(d, q, 103, 100);
    const char *got = browser_got(b);
    assert_non_null(strstr(got, ID(100) "event: connected"));
    assert_null(strstr(got, "data: all"));
    struct msg_added m = add(d, client_of(b), "room:1", "", (struct msg_add){0});
    assert_int_equal(m.at.at, 100);
    pass(d, 100);
    add(d, client_of(b), "room:2", "", (struct msg_add){0});
    pass(d, 100);
    assert_string_equal(browser_got(b), "");
    pass(d, 200);
    assert_string_equal(browser_got(b),
                        ID(101) "data: one\n\n" ID(102) "data: all\n\n" ID(103) "data: two\n\n");
}

static void a_held_start_ends_by_itself(void **state)
{
    struct desk *d = *state;
    browser_live(d, "all", 100);
    hub_publishes(d, "all", 101, "x");
    struct stream_request q = want("all");
    q.listed = false;
    struct browser *b = opened_at(d, q, 101, 100);
    browser_got(b);
    pass(d, 1900);
    assert_string_equal(browser_got(b), "");
    assert_in_range(roster_next_flush(d->roster, d->now), d->now + 1, d->now + 100);
    pass(d, 200);
    assert_string_equal(browser_got(b), ID(101) "data: x\n\n");
}

static void an_addition_within_a_minute_begins_at_the_cursor(void **state)
{
    struct desk *d = *state;
    browser_live(d, "room:1,room:2", 100);
    hub_publishes(d, "room:2", 101, "missed");
    hub_publishes(d, "room:1", 102, "x");
    struct browser *b = opened_at(d, want("room:1"), 102, 100);
    turn(d);
    browser_got(b);
    struct msg_added m = add(d, client_of(b), "room:2", "", (struct msg_add){0});
    assert_int_equal(m.at.at, 100);
    turn(d);
    assert_string_equal(browser_got(b), "data: missed\n\n");
    hub_publishes(d, "room:2", 103, "y");
    turn(d);
    assert_string_equal(browser_got(b), ID(103) "data: y\n\n");
}

static void two_late_additions_are_each_given_once(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1", 100);
    hub_publishes(d, "room:1", 200, "a");
    turn(d);
    browser_got(b);
    add(d, client_of(b), "room:2", "", (struct msg_add){.start = START_CURSOR, .from = at(90)});
    turn(d);
    struct msg_fetch f = next_fetch(d);
    hub_rows(d, f.ref, "room:2", (Position[]){150, 0}, 120, true);
    turn(d);
    f = next_fetch(d);
    hub_rows(d, f.ref, "room:2", (Position[]){110, 0}, 91, false);
    turn(d);
    f = next_fetch(d);
    assert_false(f.descending);
    hub_rows(d, f.ref, "room:2", (Position[]){110, 0}, 120, true);
    assert_string_equal(browser_got(b), "data: row\n\n");
    add(d, client_of(b), "room:3", "", (struct msg_add){.start = START_CURSOR, .from = at(80)});
    turn(d);
    do
        f = next_fetch(d);
    while (f.after.at != 80);
    hub_rows(d, f.ref, "room:2", (Position[]){150, 110, 0}, 81, false);
    assert_string_equal(browser_got(b), "data: row\n\n");
    assert_int_equal(remembered_from(d, "room:2"), 90);
}

static void what_one_that_parts_had_added_begins_at_a_fork_at_most(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1", 100);
    add(d, client_of(b), "room:2", "", (struct msg_add){.start = START_CURSOR, .from = at(100)});
    turn(d);
    stream_bye(b->stream, BYE_DRAIN);
    hub_comes_back(d, at(50), GAP_RESET);
    assert_int_equal(remembered_from(d, "room:2"), 50);
}

static void remembered_channels_begin_where_they_were_added(void **state)
{
    struct desk *d = *state;
    browser_live(d, "room:1,room:2", 100);
    hub_publishes(d, "room:2", 101, "before it was added");
    hub_publishes(d, "room:1", 102, "x");
    hub_publishes(d, "room:2", 103, "y");
    struct stream_request q = want("room:1");
    q.start = START_CURSOR;
    q.at = at(100);
    q.named = true;
    struct browser *b = browser_open(d, &q);
    struct msg_open m = next_open(d);
    struct buf parts, item;
    buf_init(&parts, 1000);
    buf_init(&item, 1000);
    msg_part_pack(&item, &(struct msg_part){STR("room:2"), 102, 1});
    list_put(&parts, buf_str(&item));
    HUB_SAYS(d, OPENED, opened, .ref = m.ref, .client = m.client, .known = 1,
             .channels = buf_str(&parts), .join = at(103), .from = at(100));
    turn(d);
    assert_non_null(strstr(browser_got(b), "\n\n" ID(102) "data: x\n\n" ID(103) "data: y\n\n"));
    stream_close(b->stream);
    turn(d);
    pass(d, 1000);
    struct buf clients;
    buf_init(&clients, 1 << 20);
    roster_put_clients(d->roster, &clients, d->now);
    Str rest = buf_str(&clients), each;
    struct msg_client c = {0};
    while (list_next(&rest, &each))
        assert_true(msg_client_unpack(each, &c));
    assert_int_equal(c.streams, 0);
    assert_int_equal(c.gone, 1000);
    assert_int_equal(list_count(c.parts), 1);
    pass(d, d->options.client_keep);
    buf_clear(&clients);
    roster_put_clients(d->roster, &clients, d->now);
    assert_int_equal(list_count(buf_str(&clients)), 1);
    buf_fini(&clients);
    buf_fini(&parts);
    buf_fini(&item);
}

static void streams_that_may_read_differently_do_not_share(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("user:*");
    q.user = STR("alice");
    q.rights.user = q.user;
    struct browser *alice = browser_open(d, &q);
    hub_opens(d, 100, 100);
    struct browser *nobody = browser_live(d, "user:*", 100);
    turn(d);
    browser_got(alice);
    hub_publishes(d, "user:alice", 101, "for alice");
    turn(d);
    assert_string_equal(browser_got(alice), ID(101) "data: for alice\n\n");
    assert_string_equal(browser_got(nobody), "");
}

static void all_streams_of_a_busy_turn_are_paced(void **state)
{
    struct desk *d = *state;
    assert_int_equal(roster_next_flush(d->roster, d->now), 0);
    for (int i = 0; i < 300; i++)
        browser_live(d, "room:1", 100);
    hub_publishes(d, "room:1", 101, "x");
    assert_int_equal(roster_next_flush(d->roster, d->now), d->now);
    turn(d);
    hub_publishes(d, "room:1", 102, "x");
    assert_true(roster_next_flush(d->roster, d->now) > d->now);
    d->now += 10;
    assert_int_equal(roster_next_flush(d->roster, d->now), d->now);
}

/* So many turns with so many events each, so far apart; how long then the pause is. */
static Msec pause_at(struct desk *d, Position *at, int turns, int events, Msec apart)
{
    for (int i = 0; i < turns; i++, d->now += apart) {
        for (int k = 0; k < events; k++)
            hub_publishes(d, "room:1", ++*at, "x");
        turn(d);
    }
    d->now -= apart;
    hub_publishes(d, "room:1", ++*at, "x");
    Msec pause = roster_next_flush(d->roster, d->now) - d->now;
    d->now += apart;
    return pause;
}

/* Ten events of 1,000 streams each 5 ms are more than is usual, a thousand many; one each 20 ms is
 * neither. */
static void pauses_grow_with_what_is_delivered(void **state)
{
    struct desk *d = *state;
    Position at = 100;
    for (int i = 0; i < 1000; i++)
        browser_live(d, "room:1", 100);
    assert_in_range(pause_at(d, &at, 10, 10, 5), 10, 15);
    assert_in_range(pause_at(d, &at, 10, 1000, 5), 40, 50);
    assert_in_range(pause_at(d, &at, 40, 1, 20), 1, 5);
}

static void on_answer(void *owner, Str body, const struct fault *why)
{
    (void)owner, (void)body, (void)why;
}

static void publish_begins(struct desk *d)
{
    struct buf body;
    buf_init(&body, 1 << 20);
    msg_publish_pack(&body, &(struct msg_publish){.user = STR("alice")});
    buf_drop(&body, REQUEST_REF);
    link_ask(d->link, VERB_PUBLISH, &body, LINK_ALWAYS, on_answer, NULL);
}

/* Among many it is a little longer; and where none of the few gets a second event in. */
static void pauses_grow_with_publishes_under_way(void **state)
{
    struct desk *d = *state;
    Position at = 100;
    for (int i = 0; i < 1000; i++)
        browser_live(d, "room:1", 100);
    assert_in_range(pause_at(d, &at, 10, 10, 5), 10, 15);
    for (int i = 0; i < 8; i++)
        publish_begins(d);
    assert_in_range(pause_at(d, &at, 10, 40, 5), 10, 15);
    assert_in_range(pause_at(d, &at, 10, 10, 5), 40, 50);
    assert_in_range(pause_at(d, &at, 10, 40, 5), 10, 15);
    for (int i = 0; i < 50; i++)
        publish_begins(d);
    assert_in_range(pause_at(d, &at, 10, 200, 5), 40, 50);
}

static void what_the_command_line_shows(void **state)
{
    struct desk *d = *state;
    browser_live(d, "room:1", 100);
    HUB_SAYS(d, ASK, ask, .ref = 9, .what = STR("streams"));
    const struct said *s = worker_said(d, VERB_TOLD);
    assert_non_null(s);
    struct msg_told m;
    assert_true(msg_told_unpack(buf_str(&s->body), &m));
    assert_int_equal(m.ref, 9);
    assert_true(str_eq(m.json, STR("[{\"user\":null,\"kind\":\"sse\",\"channels\":["
                                   "\"room:1\"],\"cursor\":\"aaaaaaab-100\",\"lag\":0,\"age\":0,"
                                   "\"address\":null}]")));
}

static void a_stream_costs_a_few_hundred_bytes(void **state)
{
    (void)state;
    assert_true(sizeof(struct stream) + 2 * sizeof(struct part) < 512);
}

#define T(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_subscription_lingers_and_is_left),
        T(a_channel_that_is_being_asked_for_is_not_left),
        T(one_that_ended_and_began_again_is_covered_from_its_new_join),
        T(an_add_that_crossed_a_leave_is_noticed),
        T(an_added_channel_begins_at_the_present),
        T(one_that_begins_below_is_caught_up_without_ids),
        T(what_is_not_granted_changes_nothing),
        T(an_added_channel_without_a_name_is_refused),
        T(an_opening_without_a_client_ends_the_stream),
        T(a_channel_that_is_there_costs_nothing),
        T(a_stream_that_ends_may_still_be_changed),
        T(one_that_went_before_it_was_opened_is_on_nothing),
        T(what_is_added_to_one_that_ends_begins_in_the_log_as_it_is),
        T(a_held_start_waits_for_its_channels),
        T(a_held_start_ends_by_itself),
        T(an_addition_within_a_minute_begins_at_the_cursor),
        T(two_late_additions_are_each_given_once),
        T(what_one_that_parts_had_added_begins_at_a_fork_at_most),
        T(remembered_channels_begin_where_they_were_added),
        T(streams_that_may_read_differently_do_not_share),
        T(all_streams_of_a_busy_turn_are_paced),
        T(pauses_grow_with_what_is_delivered),
        T(pauses_grow_with_publishes_under_way),
        T(what_the_command_line_shows),
        T(a_stream_costs_a_few_hundred_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
