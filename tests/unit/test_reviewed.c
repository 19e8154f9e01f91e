/* Streams, held against what the hub says of users. */
#include "desk.h"

#include <stdlib.h>

static void put(struct buf *rows, enum account_kind kind, const char *user, const char *name,
                uint64_t value, bool gone)
{
    account_put(rows, &(struct msg_account){.kind = (uint8_t)kind,
                                            .user = str_of(user),
                                            .name = str_of(name),
                                            .value = value,
                                            .gone = gone});
}

static void hub_tells(struct desk *d, enum account_kind kind, const char *user, const char *name,
                      uint64_t value, bool gone)
{
    struct buf rows;
    buf_init(&rows, 4096);
    put(&rows, kind, user, name, value, gone);
    HUB_SAYS(d, ACCOUNTS, accounts, .rows = buf_str(&rows));
    buf_fini(&rows);
    turn(d);
}

static void hub_begins(struct desk *d)
{
    HUB_SAYS(d, ACCOUNTS, accounts, .begins = 1);
    turn(d);
}

/* alice, by a token of that id and time that grants `b`. */
static struct browser *open_alice(struct desk *d, const char *channels)
{
    struct stream_request q = want(channels);
    q.user = STR("alice");
    q.rights = (struct rights){
        .access = ACCESS_GRANTED, .user = STR("alice"), .grants = {.subscribe = {"\0\0\0\1b", 5}}};
    q.token = STR("=id1");
    q.issued = 1000;
    struct browser *b = browser_open(d, &q);
    hub_opens(d, 100, 100);
    turn(d);
    browser_got(b);
    return b;
}

static void expect_kicked(struct browser *b)
{
    assert_true(b->is_finished);
    assert_non_null(strstr(browser_got(b), "event: bye\ndata: {\"reason\":\"kicked\"}\n\n"));
}

static void what_is_taken_back_ends_the_stream(void **state)
{
    struct desk *d = *state;
    hub_begins(d);
    hub_tells(d, ACCOUNT_GRANT, "alice", "room:*", 1, false);
    struct browser *granted = open_alice(d, "b,room:1"), *own = open_alice(d, "b");
    hub_tells(d, ACCOUNT_GRANT, "alice", "news", 1, false);
    hub_tells(d, ACCOUNT_GRANT, "bob", "room:*", 1, true);
    assert_false(granted->is_finished);
    hub_tells(d, ACCOUNT_GRANT, "alice", "room:*", 1, true);
    expect_kicked(granted);
    assert_false(own->is_finished);
}

static void a_token_that_is_revoked_ends_its_streams(void **state)
{
    static const struct {
        enum account_kind kind;
        const char *user, *name;
        uint64_t value;
        bool ends;
    } rows[] = {
        {ACCOUNT_ID, "", "id2", 0, false},          {ACCOUNT_ID, "", "id1", 0, true},
        {ACCOUNT_BEFORE, "alice", "", 1000, false}, {ACCOUNT_BEFORE, "alice", "", 1001, true},
        {ACCOUNT_BEFORE, "", "", 1001, true},       {ACCOUNT_USER, "alice", "", 0, false},
        {ACCOUNT_USER, "alice", "", 1, true},       {ACCOUNT_USER, "bob", "", 1, false},
    };
    struct desk *d = *state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        hub_begins(d);
        struct browser *b = open_alice(d, "b");
        hub_tells(d, rows[i].kind, rows[i].user, rows[i].name, rows[i].value, false);
        assert_int_equal(b->is_finished, rows[i].ends);
    }
}

static void a_table_in_pieces_holds_as_a_whole(void **state)
{
    struct desk *d = *state;
    struct buf rows;
    hub_begins(d);
    hub_tells(d, ACCOUNT_GRANT, "alice", "room:*", 1, false);
    struct browser *b = open_alice(d, "room:1");
    HUB_SAYS(d, ACCOUNTS, accounts, .begins = 1, .more = 1);
    turn(d);
    assert_false(b->is_finished);
    buf_init(&rows, 4096);
    put(&rows, ACCOUNT_GRANT, "alice", "room:1", 1, false);
    HUB_SAYS(d, ACCOUNTS, accounts, .rows = buf_str(&rows));
    buf_fini(&rows);
    turn(d);
    assert_false(b->is_finished);
    hub_begins(d);
    expect_kicked(b);
}

/* On a pattern that is open, but for room:2. */
static struct stream_request request_of(const char *user, const char *channels)
{
    struct stream_request q = want(channels);
    static const struct channel_rule rules[] = {
        {.pattern = {"room:2", 6}, .access = {[MAY_SUBSCRIBE] = ACCESS_GRANTED}},
        {.pattern = {"r*", 2}, .access = {[MAY_SUBSCRIBE] = ACCESS_OPEN}}};
    q.user = str_of(user);
    q.rights =
        (struct rights){.access = ACCESS_CLOSED, .rules = rules, .rule_count = 2, .user = q.user};
    return q;
}

static struct browser *open_pattern(struct desk *d, const char *user)
{
    struct stream_request q = request_of(user, "r*");
    struct browser *b = browser_open(d, &q);
    hub_opens(d, 100, 100);
    turn(d);
    browser_got(b);
    return b;
}

static void a_pattern_delivers_what_is_granted_from_then_on(void **state)
{
    struct desk *d = *state;
    hub_begins(d);
    struct browser *b = open_pattern(d, "alice");
    hub_publishes(d, "room:2", 101, "secret");
    turn(d);
    hub_tells(d, ACCOUNT_GRANT, "alice", "room:2", 1, false);
    hub_publishes(d, "room:2", 102, "granted");
    turn(d);
    hub_tells(d, ACCOUNT_GRANT, "alice", "room:2", 1, true);
    hub_publishes(d, "room:2", 103, "no more");
    turn(d);
    const char *got = browser_got(b);
    assert_non_null(strstr(got, "granted"));
    assert_null(strstr(got, "secret"));
    assert_null(strstr(got, "no more"));
    assert_false(b->is_finished);
}

/* What its page has not read yet would be lost with the connection. */
static void a_remembered_pattern_begins_where_it_did_though_more_is_granted(void **state)
{
    struct desk *d = *state;
    struct buf parts, item;
    buf_init(&parts, 100);
    buf_init(&item, 100);
    msg_part_pack(&item, &(struct msg_part){STR("r*"), 90, 1});
    list_put(&parts, buf_str(&item));
    hub_begins(d);
    struct stream_request q = request_of("alice", "room:1");
    q.named = true;
    browser_open(d, &q);
    struct msg_open m = next_open(d);
    HUB_SAYS(d, OPENED, opened, .ref = m.ref, .client = m.client, .known = 1,
             .channels = buf_str(&parts), .join = at(100), .from = at(100));
    turn(d);
    hub_publishes(d, "room:1", 101, "not read yet");
    turn(d);
    hub_tells(d, ACCOUNT_GRANT, "alice", "room:2", 1, false);
    assert_int_equal(remembered_from(d, "r*"), 90);
    buf_fini(&parts);
    buf_fini(&item);
}

static void on_one_pattern_each_user_reads_what_is_granted(void **state)
{
    struct desk *d = *state;
    hub_begins(d);
    hub_tells(d, ACCOUNT_GRANT, "alice", "room:2", 1, false);
    struct browser *alice = open_pattern(d, "alice"), *bob = open_pattern(d, "bob");
    hub_publishes(d, "room:1", 101, "for both");
    hub_publishes(d, "room:2", 102, "for alice");
    turn(d);
    const char *got = browser_got(alice);
    assert_non_null(strstr(got, "for both"));
    assert_non_null(strstr(got, "for alice"));
    got = browser_got(bob);
    assert_non_null(strstr(got, "for both"));
    assert_null(strstr(got, "for alice"));
}

static void who_is_kicked_is_told(void **state)
{
    struct desk *d = *state;
    struct browser *b = open_alice(d, "b");
    HUB_SAYS(d, KICK, kick, .user = STR("bob"));
    HUB_SAYS(d, KICK, kick, .client = STR("somebody-elses-client"));
    turn(d);
    assert_false(b->is_finished);
    HUB_SAYS(d, KICK, kick, .user = STR("alice"));
    turn(d);
    expect_kicked(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_taken_back_ends_the_stream),
        TEST(a_token_that_is_revoked_ends_its_streams),
        TEST(a_table_in_pieces_holds_as_a_whole),
        TEST(a_pattern_delivers_what_is_granted_from_then_on),
        TEST(a_remembered_pattern_begins_where_it_did_though_more_is_granted),
        TEST(on_one_pattern_each_user_reads_what_is_granted),
        TEST(who_is_kicked_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
