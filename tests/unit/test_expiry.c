/* Rights that end, and how they go on. */
#include "desk.h"
#include "refresh.h"
#include "wire/refusal.h"

#include <stdlib.h>

#define WALL ((Msec)1700000000000)

/* Its rights: room:* and a until a moment; b is anybody's. */
static struct browser *open_granted(struct desk *d, const char *channels, Msec expires)
{
    static const struct channel_rule rules[] = {
        {.pattern = {"b", 1}, .access = {[MAY_SUBSCRIBE] = ACCESS_OPEN}}};
    struct stream_request q = want(channels);
    q.client = STR("client-granted-1");
    q.user = STR("alice");
    q.rights = (struct rights){
        .access = ACCESS_GRANTED,
        .rules = rules,
        .rule_count = 1,
        .user = STR("alice"),
        .grants = {.subscribe = {"\0\0\0\6room:*\0\0\0\1a", 15}},
    };
    q.expires = expires;
    link_set_wall(d->link, WALL);
    struct browser *b = browser_open(d, &q);
    hub_opens(d, 100, 100);
    turn(d);
    return b;
}

static void run_until(struct desk *d, Msec wall)
{
    while (link_wall(d->link) < wall) {
        link_set_wall(d->link, link_wall(d->link) + 100);
        hub_beats(d, 100);
        pass(d, 100);
    }
}

static void renews(struct desk *d, const char *user, Str subscribe, Msec expires,
                   struct msg_added *out)
{
    struct buf grants;
    buf_init(&grants, 1024);
    list_put(&grants, subscribe);
    list_put(&grants, STR_NONE);
    list_put(&grants, STR_NONE);
    HUB_SAYS(d, ADD, add, .ref = 5, .client = STR("client-granted-1"), .user = str_of(user),
             .grants = buf_str(&grants), .expires = expires);
    buf_fini(&grants);
    const struct said *s = worker_said(d, VERB_ADDED);
    assert_non_null(s);
    assert_true(msg_added_unpack(buf_str(&s->body), out));
    turn(d);
}

static void it_ends_with_its_rights_and_says_so_a_minute_ahead(void **state)
{
    struct desk *d = *state;
    struct browser *b = open_granted(d, "a", WALL + 90000);
    browser_got(b);
    run_until(d, WALL + 29900);
    assert_null(strstr(browser_got(b), "token"));
    run_until(d, WALL + 30000);
    assert_string_equal(browser_got(b), "event: token\ndata: {\"expires\":1700000090000}\n\n");
    run_until(d, WALL + 89900);
    assert_null(strstr(browser_got(b), "token"));
    assert_false(b->is_finished);
    run_until(d, WALL + 90100);
    assert_non_null(strstr(browser_got(b), "event: bye\ndata: {\"reason\":\"expired\"}\n\n"));
    assert_true(b->is_finished);
}

static void a_short_one_says_so_at_once(void **state)
{
    struct desk *d = *state;
    struct browser *b = open_granted(d, "a", WALL + 5000);
    run_until(d, WALL + 200);
    const char *got = browser_got(b);
    assert_non_null(strstr(got, "event: connected\n"));
    assert_non_null(strstr(got, "event: token\n"));
}

static void a_poll_is_answered_when_its_rights_end(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("a");
    q.expires = WALL + 1000;
    link_set_wall(d->link, WALL);
    struct browser *b = browser_poll(d, q);
    hub_opens(d, 100, 100);
    turn(d);
    run_until(d, WALL + 900);
    assert_false(b->is_finished);
    run_until(d, WALL + 1100);
    assert_true(b->is_finished);
    assert_non_null(strstr(browser_got(b), "\"events\":[]}"));
}

static void another_token_lets_it_go_on(void **state)
{
    struct desk *d = *state;
    struct msg_added added;
    struct browser *b = open_granted(d, "a,room:*,b", WALL + 50000);
    run_until(d, WALL + 1000);
    assert_non_null(strstr(browser_got(b), "event: token\n"));
    renews(d, "alice", STR("\0\0\0\6room:1\0\0\0\1a"), WALL + 200000, &added);
    assert_int_equal(added.code, REFUSE_NOT);
    run_until(d, WALL + 60000);
    assert_false(b->is_finished);
    browser_got(b);
    hub_publishes(d, "a", 101, "one");
    turn(d);
    assert_non_null(strstr(browser_got(b), "data: one\n"));
    run_until(d, WALL + 140000);
    assert_non_null(strstr(browser_got(b), "event: token\ndata: {\"expires\":1700000200000}"));
    run_until(d, WALL + 200100);
    assert_true(b->is_finished);
}

static void what_it_may_no_longer_have_goes(void **state)
{
    struct desk *d = *state;
    struct msg_added added;
    struct browser *b = open_granted(d, "a,room:*,b", WALL + 500000);
    browser_got(b);
    hub_publishes(d, "room:1", 101, "before");
    turn(d);
    assert_non_null(strstr(browser_got(b), "before"));
    renews(d, "alice", STR("\0\0\0\6room:*"), WALL + 500000, &added);
    assert_int_equal(list_count(added.channels), 2);
    assert_false(list_has(added.channels, STR("a")));
    hub_publishes(d, "a", 102, "secret");
    hub_publishes(d, "b", 103, "public");
    hub_publishes(d, "room:1", 104, "room");
    turn(d);
    const char *got = browser_got(b);
    assert_null(strstr(got, "secret"));
    assert_true(strstr(got, "public") && strstr(got, "room"));
    renews(d, "alice", STR("\0\0\0\6room:2"), WALL + 500000, &added);
    assert_int_equal(list_count(added.channels), 1); /* no grant takes in all of room:* */
}

static void nobody_refreshes_anothers_stream(void **state)
{
    struct desk *d = *state;
    struct msg_added added;
    struct browser *b = open_granted(d, "a", WALL + 1000);
    renews(d, "mallory", STR("\0\0\0\1a"), WALL + 900000, &added);
    assert_int_equal(added.code, REFUSE_FORBIDDEN);
    run_until(d, WALL + 1100);
    assert_true(b->is_finished);
}

/* When it was added, more was granted. */
static void what_is_remembered_is_asked_about_again(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("b");
    struct buf parts, item;
    q.rights = (struct rights){.access = ACCESS_GRANTED,
                               .grants = {.subscribe = {"\0\0\0\1a\0\0\0\1b", 10}}};
    struct browser *b = browser_open(d, &q);
    struct msg_open m = next_open(d);
    buf_init(&parts, 1024);
    buf_init(&item, 1024);
    static const char *const names[] = {"b", "a", "secret"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        buf_clear(&item);
        msg_part_pack(&item, &(struct msg_part){str_of(names[i]), 0, i > 0});
        list_put(&parts, buf_str(&item));
    }
    HUB_SAYS(d, OPENED, opened, .ref = m.ref, .client = m.client, .known = 1,
             .channels = buf_str(&parts), .join = at(100), .from = at(100));
    turn(d);
    assert_non_null(strstr(browser_got(b), "\"channels\":[\"a\",\"b\"]"));
    buf_fini(&parts);
    buf_fini(&item);
}

static void a_refresh_names_one_client(void **state)
{
    (void)state;
    static const struct {
        const char *type, *body;
        int code;
    } rows[] = {
        {"application/json", "{\"clientId\":\"0123456789abcdef\"}", 0},
        {"application/x-www-form-urlencoded", "clientId=0123456789abcdef", 0},
        {"application/json", "{\"clientId\":\"short\"}", REFUSE_WRONG_FIELD},
        {"application/json", "{\"clientId\":7}", REFUSE_WRONG_FIELD},
        {"application/json", "{}", REFUSE_WRONG_FIELD},
        {"application/json", "{\"clientId\":\"0123456789abcdef\",\"token\":\"x\"}",
         REFUSE_WRONG_FIELD},
        {"application/json", "[]", REFUSE_WRONG_FIELD},
        {"application/json", "", REFUSE_MALFORMED},
        {"application/x-www-form-urlencoded", "token=x", REFUSE_WRONG_FIELD},
        {"application/x-www-form-urlencoded", "", REFUSE_WRONG_FIELD},
        {"application/x-ndjson", "{\"clientId\":\"0123456789abcdef\"}", REFUSE_MEDIA_TYPE},
        {"text/plain", "{\"clientId\":\"0123456789abcdef\"}", REFUSE_MEDIA_TYPE},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *client = NULL;
        struct fault why = {0};
        bool ok = refresh_read(&client, str_of(rows[i].type), str_of(rows[i].body), &why);
        assert_int_equal(why.code, rows[i].code);
        assert_int_equal(ok, rows[i].code == 0);
        free(client);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_ends_with_its_rights_and_says_so_a_minute_ahead),
        TEST(a_short_one_says_so_at_once),
        TEST(a_poll_is_answered_when_its_rights_end),
        TEST(another_token_lets_it_go_on),
        TEST(what_it_may_no_longer_have_goes),
        TEST(nobody_refreshes_anothers_stream),
        TEST(what_is_remembered_is_asked_about_again),
        cmocka_unit_test(a_refresh_names_one_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
