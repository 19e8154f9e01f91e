/* The link: greeting, sequence, credit, requests and what becomes of them. */
#include "desk.h"

#include "link_request.h"
#include "wire/bundle.h"
#include "wire/refusal.h"

struct heard {
    int calls, code;
    size_t len;
};

static void on_answer(void *owner, Str body, const struct fault *why)
{
    struct heard *h = owner;
    h->calls++;
    h->code = why ? why->code : 0;
    h->len = body.len;
}

static struct link_request *publish(struct desk *d, enum link_patience patience, struct heard *h)
{
    struct buf body;
    buf_init(&body, 1 << 20);
    struct msg_publish m = {.user = STR("alice")};
    msg_publish_pack(&body, &m);
    return link_ask(d->link, VERB_PUBLISH, &body, patience, on_answer, h);
}

static struct msg_publish next_publish(struct desk *d)
{
    struct msg_publish m;
    const struct said *s = worker_said(d, VERB_PUBLISH);
    assert_non_null(s);
    assert_true(msg_publish_unpack(buf_str(&s->body), &m));
    return m;
}

static struct msg_hello next_hello(struct desk *d)
{
    struct msg_hello m;
    const struct said *s = worker_said(d, VERB_HELLO);
    assert_non_null(s);
    assert_true(msg_hello_unpack(buf_str(&s->body), &m));
    return m;
}

static void hello_is_said_each_second_until_welcomed(void **state)
{
    struct desk *d = *state;
    link_on_connected(d->link, d->now);
    struct msg_hello m = next_hello(d);
    assert_true(str_eq(m.name, STR("w1")));
    assert_true(cursor_is_none(m.at));
    pass(d, 900);
    assert_null(worker_said(d, VERB_HELLO));
    pass(d, 200);
    next_hello(d);
    assert_false(link_is_up(d->link));
    hub_welcomes(d, at(5), GAP_NONE);
    assert_true(link_is_up(d->link));
    pass(d, 2000);
    assert_null(worker_said(d, VERB_HELLO));
}

static void a_hole_in_the_sequence_is_greeted_again(void **state)
{
    struct desk *d = *state;
    browser_live(d, "room:1", 100);
    hub_publishes(d, "room:1", 101, "a");
    d->seq++;
    hub_publishes(d, "room:1", 103, "b");
    struct msg_hello m = next_hello(d);
    assert_int_equal(m.at.at, 101);
    assert_true(list_has(m.channels, STR("room:1")));
    assert_int_equal(list_count(m.clients), 1);
    assert_false(link_is_up(d->link));
}

static void an_event_whose_predecessor_is_missing_is_greeted_again(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1", 100);
    struct event e = {.id = at(105), .prev = 103, .channel = STR("room:1"), .data = STR("x")};
    hub_event(d, &e);
    assert_int_equal(next_hello(d).at.at, 100);
    hub_welcomes(d, at(100), GAP_NONE);
    hub_publishes(d, "room:1", 103, "lost");
    e.prev = 0;
    hub_event(d, &e);
    turn(d);
    assert_string_equal(browser_got(b),
                        "id: aaaaaaab-103\ndata: lost\n\nid: aaaaaaab-105\ndata: x\n\n");
}

static void who_and_silence_are_greeted_again(void **state)
{
    struct desk *d = *state;
    next_hello(d);
    HUB_SAYS(d, WHO, who, 0);
    next_hello(d);
    hub_welcomes(d, at(100), GAP_NONE);
    pass(d, 2900);
    assert_true(link_is_up(d->link));
    pass(d, 1200);
    assert_false(link_is_up(d->link));
    next_hello(d);
}

static void a_worker_that_was_stopped_blames_itself(void **state)
{
    struct desk *d = *state;
    pass(d, 1000);
    d->now += 20000;
    link_tick(d->link, d->now);
    assert_true(link_is_up(d->link));
}

static void a_refused_version_is_told(void **state)
{
    struct desk *d = *state;
    struct fault why;
    HUB_SAYS(d, REJECT, reject, .code = REFUSE_VERSION, .detail = STR("version 1 is not spoken"));
    assert_true(link_is_rejected(d->link, &why));
    assert_int_equal(why.code, REFUSE_VERSION);
    hub_welcomes(d, at(100), GAP_NONE);
    assert_false(link_is_rejected(d->link, &why));
}

static void credit_is_given_back_at_half(void **state)
{
    struct desk *d = *state;
    for (unsigned i = 0; i < CREDIT_MESSAGES / 2 - 1; i++)
        hub_publishes(d, "room:9", 101 + i, "x");
    assert_null(worker_said(d, VERB_PULSE));
    hub_publishes(d, "room:9", 20000, "x");
    const struct said *s = worker_said(d, VERB_PULSE);
    assert_non_null(s);
    struct msg_pulse m;
    assert_true(msg_pulse_unpack(buf_str(&s->body), &m));
    assert_int_equal(m.messages, CREDIT_MESSAGES / 2);
    assert_int_equal(m.seq, d->seq);
}

static void answers_reach_their_owner_once(void **state)
{
    struct desk *d = *state;
    struct heard h = {0};
    publish(d, LINK_ONCE, &h);
    struct msg_publish m = next_publish(d);
    assert_true(str_eq(m.user, STR("alice")));
    HUB_SAYS(d, PUBLISHED, published, .ref = m.ref, .time = 5);
    HUB_SAYS(d, PUBLISHED, published, .ref = m.ref, .time = 5);
    HUB_SAYS(d, CHANGED, changed, .ref = m.ref);
    assert_int_equal(h.calls, 1);
    assert_int_equal(h.code, 0);
    assert_true(h.len > 0);
}

static void once_is_unknown_when_the_link_breaks_and_brief_is_asked_again(void **state)
{
    struct desk *d = *state;
    struct heard once = {0}, brief = {0};
    publish(d, LINK_ONCE, &once);
    publish(d, LINK_BRIEF, &brief);
    next_publish(d);
    uint64_t ref = next_publish(d).ref;
    link_on_disconnected(d->link, d->now);
    assert_int_equal(once.code, REFUSE_UNKNOWN_OUTCOME);
    assert_int_equal(brief.calls, 0);
    link_on_connected(d->link, d->now);
    hub_welcomes(d, at(100), GAP_NONE);
    assert_int_equal(next_publish(d).ref, ref);
    HUB_SAYS(d, PUBLISHED, published, .ref = ref);
    assert_int_equal(brief.calls, 1);
    assert_int_equal(brief.code, 0);
}

static void one_that_was_sent_is_never_said_to_be_refused(void **state)
{
    struct desk *d = *state;
    struct heard brief = {0};
    publish(d, LINK_BRIEF, &brief);
    d->is_deaf = true;
    link_on_disconnected(d->link, d->now);
    pass(d, d->options.hub_wait + 1000);
    assert_int_equal(brief.calls, 0);
    pass(d, d->options.publish_timeout);
    assert_int_equal(brief.code, REFUSE_UNKNOWN_OUTCOME);
}

static void one_that_was_sent_by_a_user_who_is_disabled_now_is_of_unknown_outcome(void **state)
{
    struct desk *d = *state;
    struct heard brief = {0};
    publish(d, LINK_BRIEF, &brief);
    next_publish(d);
    link_on_disconnected(d->link, d->now);
    link_on_connected(d->link, d->now);
    hub_welcomes(d, at(5), GAP_NONE);
    HUB_SAYS(d, PUBLISHED, published, .ref = next_publish(d).ref, .code = REFUSE_FORBIDDEN);
    assert_int_equal(brief.code, REFUSE_UNKNOWN_OUTCOME);
}

static void a_hub_that_is_away_is_waited_for_but_not_for_ever(void **state)
{
    struct desk *d = *state;
    struct heard brief = {0};
    d->is_deaf = true;
    link_on_disconnected(d->link, d->now);
    publish(d, LINK_BRIEF, &brief);
    pass(d, d->options.hub_wait - 500);
    assert_int_equal(brief.calls, 0);
    pass(d, 1000);
    assert_int_equal(brief.code, REFUSE_HUB_AWAY);
}

static void only_so_many_wait(void **state)
{
    struct desk *d = *state;
    struct heard h = {0};
    d->options.max_waiting = 10;
    d->is_deaf = true;
    link_on_disconnected(d->link, d->now);
    for (int i = 0; i < 15; i++)
        publish(d, LINK_BRIEF, &h);
    pass(d, 100);
    assert_int_equal(h.calls, 5);
    assert_int_equal(h.code, REFUSE_HUB_AWAY);
}

static void only_so_many_publishes_are_in_flight(void **state)
{
    struct desk *d = *state;
    struct heard h = {0};
    for (int i = 0; i < PUBLISHES_MAX + 3; i++)
        publish(d, LINK_ONCE, &h);
    assert_int_equal(h.calls, 0);
    pass(d, 100);
    assert_int_equal(h.calls, 3);
    assert_int_equal(h.code, REFUSE_OVERLOAD);
}

/* Where the hub reads bundles; what it says in one is heard in its order. */
static void what_is_asked_in_a_turn_leaves_at_its_end(void **state)
{
    struct desk *d = *state;
    struct heard first = {0}, second = {0};
    HUB_SAYS(d, WELCOME, welcome, .link = 8, .from = at(100), .bundles = true);
    publish(d, LINK_ONCE, &first);
    publish(d, LINK_ONCE, &second);
    assert_null(worker_said(d, VERB_PUBLISH));
    link_flush(d->link, d->now);
    const struct said *s = worker_said(d, VERB_BUNDLE);
    assert_non_null(s);
    Str items = buf_str(&s->body), header, body;
    struct bundle answers;
    struct header head = {0};
    struct buf all;
    bundle_init(&answers);
    for (int i = 0; i < 2; i++) {
        struct msg_publish m;
        assert_true(bundle_next(&items, &header, &body) && header_unpack(header, &head));
        assert_true(head.verb == VERB_PUBLISH && msg_publish_unpack(body, &m));
        buf_init(&all, 1 << 20);
        msg_published_pack(&all, &(struct msg_published){.ref = m.ref});
        head = (struct header){PROTOCOL_VERSION, VERB_PUBLISHED, ++d->seq};
        bundle_put(&answers, head, buf_str(&all));
        buf_fini(&all);
    }
    assert_true(bundle_take(&answers, &head, &all));
    char bytes[MESSAGE_HEADER];
    header_pack(bytes, head);
    link_on_message(d->link, str_make(bytes, sizeof bytes), buf_str(&all), d->now);
    buf_fini(&all);
    assert_true(first.calls == 1 && !first.code && second.calls == 1 && !second.code);
    assert_true(link_is_up(d->link));
}

static void a_bundle_that_nobody_takes_is_of_unknown_outcome(void **state)
{
    struct desk *d = *state;
    struct heard once = {0}, brief = {0};
    HUB_SAYS(d, WELCOME, welcome, .link = 8, .from = at(100), .bundles = true);
    publish(d, LINK_ONCE, &once);
    publish(d, LINK_BRIEF, &brief);
    d->is_deaf = true;
    link_flush(d->link, d->now);
    assert_false(link_is_up(d->link));
    assert_true(once.calls == 1 && once.code == REFUSE_UNKNOWN_OUTCOME && !brief.calls);
    d->is_deaf = false;
    link_on_connected(d->link, d->now);
    hub_welcomes(d, at(100), GAP_NONE);
    HUB_SAYS(d, PUBLISHED, published, .ref = next_publish(d).ref);
    assert_int_equal(brief.calls, 1);
}

static void one_that_is_cancelled_is_not_answered(void **state)
{
    struct desk *d = *state;
    struct heard h = {0};
    struct link_request *r = publish(d, LINK_ONCE, &h);
    assert_true(link_is_asked(r));
    uint64_t ref = next_publish(d).ref;
    link_cancel(d->link, r);
    HUB_SAYS(d, PUBLISHED, published, .ref = ref);
    assert_int_equal(h.calls, 0);
}

static void a_second_welcome_asks_nothing_twice(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    browser_open(d, &q);
    next_open(d);
    hub_welcomes(d, at(100), GAP_NONE);
    assert_null(worker_said(d, VERB_OPEN));
    HUB_SAYS(d, WHO, who, 0);
    hub_welcomes(d, at(100), GAP_NONE);
    next_open(d);
}

static void a_hub_that_stops_is_asked_nothing_more(void **state)
{
    struct desk *d = *state;
    struct heard h = {0};
    HUB_SAYS(d, STOPPING, stopping, 0);
    publish(d, LINK_BRIEF, &h);
    assert_null(worker_said(d, VERB_PUBLISH));
    hub_welcomes(d, at(100), GAP_NONE);
    assert_true(link_is_up(d->link));
}

static void long_lists_go_in_pieces(void **state)
{
    struct desk *d = *state;
    for (int i = 0; i < 2000; i++) {
        char name[160];
        snprintf(name, sizeof name, "%0120d", i);
        browser_live(d, name, 100);
    }
    d->said_read = d->said_len;
    HUB_SAYS(d, WHO, who, 0);
    size_t pieces = 0, channels = 0, clients = 0;
    for (const struct said *s; (s = worker_said(d, VERB_HELLO)); pieces++) {
        struct msg_hello m;
        assert_true(msg_hello_unpack(buf_str(&s->body), &m));
        assert_true(m.channels.len + m.clients.len <= LIST_PIECE);
        channels += list_count(m.channels);
        clients += list_count(m.clients);
        assert_int_equal(m.more, channels < 2000 || clients < 2000);
    }
    assert_true(pieces > 1);
    assert_int_equal(channels, 2000);
    assert_int_equal(clients, 2000);
}

/* A stream that HELLO named and that ends before WELCOME comes would be taken for present for ever.
 */
static void what_changes_after_hello_is_told_though_nobody_answered_yet(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1", 100);
    link_on_disconnected(d->link, d->now);
    link_on_connected(d->link, d->now);
    assert_int_equal(list_count(next_hello(d).clients), 1);
    stream_close(b->stream);
    turn(d);
    assert_non_null(worker_said(d, VERB_CLOSE));
    hub_welcomes(d, at(100), GAP_NONE);
    browser_live(d, "room:1", 100);
    link_on_disconnected(d->link, d->now);
    roster_drain(d->roster, d->now, 0);
    turn(d);
    assert_null(worker_said(d, VERB_CLOSE));
}

static void bytes_that_are_no_message_are_survived(void **state)
{
    struct desk *d = *state;
    link_on_message(d->link, STR("short"), STR("body"), d->now);
    char header[MESSAGE_HEADER];
    for (unsigned verb = 0; verb < 64; verb++) {
        header_pack(header, (struct header){PROTOCOL_VERSION, (uint8_t)verb, d->seq + 1});
        link_on_message(d->link, str_make(header, sizeof header), STR("\xff\xff\xff\xff\xff"),
                        d->now);
        hub_welcomes(d, at(100), GAP_NONE);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hello_is_said_each_second_until_welcomed, desk_setup_cold,
                                        desk_teardown),
        T(a_hole_in_the_sequence_is_greeted_again),
        T(an_event_whose_predecessor_is_missing_is_greeted_again),
        T(who_and_silence_are_greeted_again),
        T(a_worker_that_was_stopped_blames_itself),
        T(a_refused_version_is_told),
        T(credit_is_given_back_at_half),
        T(answers_reach_their_owner_once),
        T(once_is_unknown_when_the_link_breaks_and_brief_is_asked_again),
        T(one_that_was_sent_is_never_said_to_be_refused),
        T(one_that_was_sent_by_a_user_who_is_disabled_now_is_of_unknown_outcome),
        T(a_hub_that_is_away_is_waited_for_but_not_for_ever),
        T(only_so_many_wait),
        T(only_so_many_publishes_are_in_flight),
        T(what_is_asked_in_a_turn_leaves_at_its_end),
        T(a_bundle_that_nobody_takes_is_of_unknown_outcome),
        T(one_that_is_cancelled_is_not_answered),
        T(a_second_welcome_asks_nothing_twice),
        T(a_hub_that_stops_is_asked_nothing_more),
        T(long_lists_go_in_pieces),
        T(what_changes_after_hello_is_told_though_nobody_answered_yet),
        T(bytes_that_are_no_message_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
