/* What a worker gives to the next: streams go on where they were, and nothing is said twice. */
#include "desk.h"

#include "image.h"
#include "link.h"
#include "scan.h"

static struct portrait draw(const struct browser *b, Msec now)
{
    struct portrait p = {.wait = 0};
    buf_init(&p.stream, SIZE_MAX / 2);
    buf_init(&p.poll, SIZE_MAX / 2);
    b->outlet.owner_ops->draw(b->outlet.owner, now, &p);
    return p;
}

static void take_stream(struct desk *heir, struct browser *b, const struct portrait *p)
{
    struct image_stream m;
    struct image_poll poll;
    assert_true(image_stream_unpack(buf_str(&p->stream), &m));
    if (m.poll)
        assert_true(image_poll_unpack(buf_str(&p->poll), &poll));
    struct sink sink =
        m.poll ? poll_restore(&b->outlet, &poll) : sse_restore(&b->outlet, m.envelope, b->is_full);
    b->stream = stream_restore(heir->roster, &m, sink, heir->now);
}

/* Every browser of the desk moves to another one, which is told where the link is and no more. */
static struct desk *replace(struct desk *old)
{
    struct desk *heir;
    struct buf bytes;
    struct image_roster m;
    void *state;
    desk_setup_cold(&state);
    heir = state;
    heir->now = old->now;
    turn(old);
    buf_init(&bytes, SIZE_MAX / 2);
    roster_put_image(old->roster, old->now, &bytes);
    assert_true(image_roster_unpack(buf_str(&bytes), &m));
    roster_restore(heir->roster, &m, heir->now);
    buf_fini(&bytes);
    for (struct browser *b = old->browsers; b; b = b->next) {
        if (b->is_finished || !b->outlet.owner)
            continue;
        struct portrait p = draw(b, old->now);
        struct browser *moved = browser_move(heir, b);
        if (p.stream.len)
            take_stream(heir, moved, &p);
        buf_fini(&p.stream);
        buf_fini(&p.poll);
    }
    link_succeed(heir->link, link_boot(old->link));
    link_move(old->link);
    roster_abandon(old->roster);
    assert_int_equal(roster_streams(old->roster), 0);
    link_on_connected(heir->link, heir->now);
    return heir;
}

static void let_go(struct desk *d)
{
    void *state = d;
    desk_teardown(&state);
}

static struct msg_hello said_hello(struct desk *d)
{
    struct msg_hello m;
    const struct said *s = worker_said(d, VERB_HELLO);
    assert_non_null(s);
    assert_true(msg_hello_unpack(buf_str(&s->body), &m));
    return m;
}

static void a_live_stream_goes_on_where_it_was(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1,room:2", 100);
    hub_publishes(d, "room:1", 101, "before");
    turn(d);
    assert_string_equal(browser_got(b), "id: aaaaaaab-101\ndata: before\n\n");
    struct desk *heir = replace(d);
    struct browser *moved = heir->browsers;
    struct msg_hello hello = said_hello(heir);
    assert_int_equal(hello.at.at, 101);
    assert_int_equal(list_count(hello.channels), 2);
    assert_int_equal(list_count(hello.clients), 1);
    assert_null(worker_said(heir, VERB_MOVED));
    assert_null(worker_said(d, VERB_CLOSE));
    assert_false(b->is_finished);
    assert_true(b->is_aborted);
    hub_welcomes(heir, at(101), GAP_NONE);
    const struct said *moved_on = worker_said(heir, VERB_MOVED);
    struct msg_moved m;
    assert_non_null(moved_on);
    assert_true(msg_moved_unpack(buf_str(&moved_on->body), &m));
    assert_int_equal(m.boot, link_boot(d->link));
    hub_publishes(heir, "room:1", 101, "before");
    hub_publishes(heir, "room:2", 102, "after");
    turn(heir);
    assert_string_equal(browser_got(moved), "id: aaaaaaab-102\ndata: after\n\n");
    let_go(heir);
}

static void one_that_waits_for_the_hub_asks_again(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    q.start = START_SINCE;
    q.value = 1234567;
    browser_open(d, &q);
    struct desk *heir = replace(d);
    hub_welcomes(heir, at(100), GAP_NONE);
    struct msg_open m = next_open(heir);
    assert_int_equal(m.start, START_SINCE);
    assert_int_equal(m.value, 1234567);
    assert_int_equal(list_count(m.channels), 1);
    let_go(heir);
}

static void one_that_is_behind_gets_the_rest_from_the_log(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    q.start = START_CURSOR;
    q.at = at(90);
    struct browser *b = browser_open(d, &q);
    hub_opens(d, 100, 90);
    turn(d);
    assert_non_null(strstr(browser_got(b), "event: connected"));
    next_fetch(d);
    struct desk *heir = replace(d);
    struct browser *moved = heir->browsers;
    hub_welcomes(heir, at(100), GAP_NONE);
    turn(heir);
    struct msg_fetch fetch = next_fetch(heir);
    assert_int_equal(fetch.after.at, 90);
    hub_rows(heir, fetch.ref, "room:1", (const Position[]){95, 91, 0}, 0, false);
    turn(heir);
    assert_string_equal(browser_got(moved),
                        "id: aaaaaaab-91\ndata: row\n\nid: aaaaaaab-95\ndata: row\n\n");
    let_go(heir);
}

static void a_gap_that_is_owed_is_said_once(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1", 100);
    b->is_full = true;
    hub_publishes(d, "room:1", 101, "full");
    turn(d);
    browser_got(b);
    hub_welcomes(d, at(90), GAP_RESET);
    struct desk *heir = replace(d);
    struct browser *moved = heir->browsers;
    hub_welcomes(heir, at(90), GAP_NONE);
    turn(heir);
    assert_string_equal(browser_got(moved), "");
    browser_unblock(moved);
    turn(heir);
    assert_non_null(strstr(browser_got(moved), "\"reason\":\"reset\""));
    turn(heir);
    assert_string_equal(browser_got(moved), "");
    let_go(heir);
}

static void one_that_shall_go_is_told_by_the_next(void **state)
{
    struct desk *d = *state;
    struct browser *b = browser_live(d, "room:1", 100);
    b->is_full = true;
    hub_publishes(d, "room:1", 101, "full");
    turn(d);
    stream_bye(b->stream, BYE_SLOW);
    struct desk *heir = replace(d);
    struct browser *moved = heir->browsers;
    browser_got(moved);
    browser_unblock(moved);
    turn(heir);
    assert_non_null(strstr(browser_got(moved), "{\"reason\":\"slow\"}"));
    assert_true(moved->is_finished);
    let_go(heir);
}

static void a_poll_keeps_what_it_has_and_its_place(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    q.start = START_CURSOR;
    q.at = at(100);
    browser_poll(d, q);
    hub_opens(d, 100, 100);
    turn(d);
    struct desk *heir = replace(d);
    struct browser *moved = heir->browsers;
    hub_welcomes(heir, at(100), GAP_NONE);
    turn(heir);
    assert_string_equal(browser_got(moved), "");
    hub_publishes(heir, "room:1", 101, "x");
    turn(heir);
    const char *got = browser_got(moved);
    assert_non_null(strstr(got, "\"cursor\":\"aaaaaaab-101\""));
    assert_non_null(strstr(got, "\"data\":\"x\""));
    assert_true(moved->is_finished);
    let_go(heir);
}

static void a_poll_that_is_full_takes_no_more(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    struct image_stream m;
    struct image_poll poll;
    q.start = START_CURSOR;
    q.at = at(50);
    q.limit = 2;
    struct browser *b = browser_poll(d, q);
    hub_opens(d, 100, 50);
    turn(d);
    struct portrait p = draw(b, d->now);
    assert_true(image_stream_unpack(buf_str(&p.stream), &m));
    assert_true(image_poll_unpack(buf_str(&p.poll), &poll));
    m.left = 0;
    poll.count = poll.limit;
    poll.events = STR(",{},{}");
    struct browser *moved = browser_move(d, b);
    moved->stream = stream_restore(d->roster, &m, poll_restore(&moved->outlet, &poll), d->now);
    hub_rows(d, next_fetch(d).ref, "room:1", (Position[]){60, 70, 0}, 100, false);
    turn(d);
    assert_non_null(strstr(browser_got(moved), "\"more\":true,\"events\":[{},{}]}"));
    buf_fini(&p.stream);
    buf_fini(&p.poll);
}

static void a_held_start_is_held_on(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    q.start = START_CURSOR;
    q.at = at(90);
    q.listed = false;
    struct browser *b = browser_open(d, &q);
    hub_opens(d, 100, 90);
    turn(d);
    browser_got(b);
    pass(d, 1000);
    struct desk *heir = replace(d);
    hub_welcomes(heir, at(100), GAP_NONE);
    turn(heir);
    assert_null(worker_said(heir, VERB_FETCH));
    pass(heir, 1100);
    next_fetch(heir);
    let_go(heir);
}

static void a_client_that_went_is_remembered_by_the_next(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("room:1");
    q.named = true;
    struct browser *b = browser_open(d, &q);
    hub_opens(d, 100, 100);
    turn(d);
    stream_close(b->stream);
    b->outlet.owner = NULL;
    turn(d);
    pass(d, 3000);
    struct desk *heir = replace(d);
    struct msg_hello hello = said_hello(heir);
    struct msg_client m;
    Str item;
    assert_true(list_next(&hello.clients, &item));
    assert_true(msg_client_unpack(item, &m));
    assert_int_equal(m.streams, 0);
    assert_in_range(m.gone, 3000, 3200);
    let_go(heir);
}

/* After restarts of the hub: an older log that is put back is recognised by the next one, too. */
static void the_epochs_that_were_are_remembered(void **state)
{
    struct desk *d = *state;
    Cursor later = {EPOCH + 1, 120};
    HUB_SAYS(d, BEAT, beat, .head = later, .through = later, .writable = 1);
    struct desk *heir = replace(d);
    struct msg_hello hello = said_hello(heir);
    Str id;
    assert_int_equal(hello.at.epoch, EPOCH + 1);
    assert_true(list_next(&hello.past, &id));
    assert_true(str_eq(id, STR("aaaaaaab-100")));
    let_go(heir);
}

static void a_hole_in_an_image_is_none(void **state)
{
    struct desk *d = *state;
    struct portrait p = draw(browser_live(d, "room:1,room:*", 100), d->now);
    struct image_stream m;
    assert_true(image_stream_unpack(buf_str(&p.stream), &m));
    for (size_t n = 0; n + 1 < p.stream.len; n++)
        if (image_stream_unpack(str_make(p.stream.p, n), &m))
            assert_true(m.client.len); /* fewer fields at the end, as an older one would say */
    buf_fini(&p.stream);
    buf_fini(&p.poll);
}

static void put_records(struct buf *out)
{
    static const char begin[8] = {0, ROLE_RESPONDER, KEEP_CONN};
    struct buf params;
    buf_init(&params, 1000);
    pair_put(&params, STR("REQUEST_METHOD"), STR("POST"));
    pair_put(&params, STR("CONTENT_LENGTH"), STR("10"));
    record_put(out, RECORD_BEGIN, 1, str_make(begin, sizeof begin));
    record_put(out, RECORD_PARAMS, 1, buf_str(&params));
    record_put(out, RECORD_PARAMS, 1, STR_NONE);
    record_put(out, RECORD_STDIN, 1, STR("01234"));
    record_put(out, RECORD_STDIN, 1, STR("56789"));
    record_put(out, RECORD_STDIN, 1, STR_NONE);
    buf_fini(&params);
}

static void move_scan(struct scan *s, const struct scan_limits *limits)
{
    struct image_outlet m = {.kind = IMAGE_CONN, .fds = 1};
    struct buf bytes;
    struct scan moved;
    buf_init(&bytes, SIZE_MAX / 2);
    scan_put_image(s, &m);
    assert_true(image_outlet_pack(&bytes, &m));
    assert_true(image_outlet_unpack(buf_str(&bytes), &m));
    scan_restore(&moved, &m, limits);
    scan_fini(s);
    *s = moved;
    buf_fini(&bytes);
}

/* Wherever it is cut, the next one reads on as if nothing had been. */
static void half_a_request_is_read_on(void **state)
{
    static const struct scan_limits limits = {.max_body = 100, .max_connections = 10};
    struct buf records, reply;
    struct fault why;
    (void)state;
    buf_init(&records, 1000);
    buf_init(&reply, 1000);
    put_records(&records);
    for (size_t cut = 0; cut < records.len; cut++) {
        struct scan s;
        Str first = str_make(records.p, cut), rest = str_skip(buf_str(&records), cut);
        scan_init(&s);
        assert_int_equal(scan_feed(&s, &limits, &first, &reply, &why), SCAN_MORE);
        move_scan(&s, &limits);
        assert_int_equal(scan_feed(&s, &limits, &rest, &reply, &why), SCAN_REQUEST);
        assert_true(str_eq(buf_str(scan_body(&s)), STR("0123456789")));
        assert_true(s.keep && scan_params(&s).len > 0 && !rest.len);
        scan_fini(&s);
    }
    assert_int_equal(reply.len, 0);
    buf_fini(&records);
    buf_fini(&reply);
}

static void a_head_says_version_and_word(void **state)
{
    (void)state;
    char bytes[IMAGE_HEAD];
    struct image_head h;
    image_head_pack(bytes, (struct image_head){IMAGE_VERSION, IMAGE_READY, true});
    assert_true(image_head_unpack(str_make(bytes, sizeof bytes), &h));
    assert_int_equal(h.word, IMAGE_READY);
    assert_true(h.has_body);
    assert_true(image_is_spoken(h.version));
    assert_true(image_is_spoken(IMAGE_VERSION + 1));
    assert_false(image_is_spoken(IMAGE_VERSION + 2));
    bytes[5] = IMAGE_WORDS;
    assert_false(image_head_unpack(str_make(bytes, sizeof bytes), &h));
    assert_false(image_head_unpack(str_make(bytes, sizeof bytes - 1), &h));
}

#define DESK(test) cmocka_unit_test_setup_teardown(test, desk_setup, desk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DESK(a_live_stream_goes_on_where_it_was),
        DESK(one_that_waits_for_the_hub_asks_again),
        DESK(one_that_is_behind_gets_the_rest_from_the_log),
        DESK(a_gap_that_is_owed_is_said_once),
        DESK(one_that_shall_go_is_told_by_the_next),
        DESK(a_poll_keeps_what_it_has_and_its_place),
        DESK(a_poll_that_is_full_takes_no_more),
        DESK(a_held_start_is_held_on),
        DESK(a_client_that_went_is_remembered_by_the_next),
        DESK(the_epochs_that_were_are_remembered),
        DESK(a_hole_in_an_image_is_none),
        cmocka_unit_test(half_a_request_is_read_on),
        cmocka_unit_test(a_head_says_version_and_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
