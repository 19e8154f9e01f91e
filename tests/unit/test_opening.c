#include "opening.h"
#include "wire/names.h"
#include "wire/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { WALL = 1000000000 };

static char for_all[] = "all, news";
static struct options options = {
    .max_channels_stream = 3, .max_replay = 100, .channels_for_all = for_all};
static struct fault fault;

struct asked {
    struct query query;
    struct opening opening;
    struct visitor visitor;
};

static bool ask_as(struct asked *a, const char *user, const char *query, const char *header)
{
    *a = (struct asked){0};
    a->visitor.user = str_of(user);
    a->visitor.rights =
        (struct rights){.access = ACCESS_OPEN, .user = str_of(user), .for_all = str_of(for_all)};
    fault = (struct fault){0};
    bool ok = query_parse(&a->query, str_of(query), "query", &fault) &&
              opening_read(&a->opening, &options, &a->query, &a->visitor, STR_NONE, str_of(header),
                           WALL, &fault);
    if (!ok)
        query_fini(&a->query);
    return ok;
}

static void end(struct asked *a)
{
    opening_fini(&a->opening);
    query_fini(&a->query);
}

static struct stream_request ask(struct asked *a, const char *query, const char *header)
{
    assert_true(ask_as(a, "", query, header));
    return a->opening.stream;
}

static void an_empty_query_carries_what_everybody_does(void **state)
{
    (void)state;
    struct asked a;
    struct stream_request s = ask(&a, "", "");
    assert_int_equal(list_count(s.channels), 2);
    assert_true(list_has(s.channels, STR("all")) && list_has(s.channels, STR("news")));
    assert_false(s.listed || s.named || s.envelope);
    assert_true(client_is_valid(s.client, "client", NULL));
    assert_int_equal(s.start, START_DEFAULT);
    assert_int_equal(s.ping, 15);
    assert_int_equal(a.opening.wait, 25);
    assert_int_equal(s.limit, 1000);
    end(&a);
}

static void a_user_carries_the_own_channel(void **state)
{
    (void)state;
    struct asked a;
    assert_true(ask_as(&a, "alice", "channel=user:alice", ""));
    assert_int_equal(list_count(a.opening.stream.channels), 3);
    end(&a);
    assert_false(ask_as(&a, "alice", "channel=user:bob", ""));
    assert_int_equal(fault.code, REFUSE_FORBIDDEN);
}

static void channels_are_named_in_both_ways(void **state)
{
    (void)state;
    struct asked a;
    struct stream_request s = ask(&a, "channel=a,room:*&channel=b", "");
    assert_int_equal(list_count(s.channels), 5);
    assert_true(s.listed);
    end(&a);
    assert_false(ask_as(&a, "", "channel=a,b,c,d", ""));
    assert_int_equal(fault.code, REFUSE_MALFORMED);
    assert_non_null(strstr(fault.text, "more than 3"));
}

static void the_header_beats_the_query(void **state)
{
    (void)state;
    struct asked a;
    struct stream_request s = ask(&a, "last_event_id=aaaaaaab-1&last=5", "aaaaaaab-7");
    assert_int_equal(s.start, START_CURSOR);
    assert_int_equal(s.at.at, 7);
    assert_true(str_eq(s.requested, STR("aaaaaaab-7")));
    end(&a);
}

static void a_cursor_has_four_names_in_the_query(void **state)
{
    (void)state;
    static const char *const queries[] = {"last_event_id=aaaaaaab-9", "lastEventId=aaaaaaab-9",
                                          "Last-Event-ID=aaaaaaab-9", "cursor=aaaaaaab-9"};
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        struct asked a;
        struct stream_request s = ask(&a, queries[i], "");
        assert_int_equal(s.start, START_CURSOR);
        assert_int_equal(s.at.at, 9);
        end(&a);
    }
}

static void a_bad_cursor_is_no_error(void **state)
{
    (void)state;
    struct asked a;
    struct stream_request s = ask(&a, "", "nonsense");
    assert_int_equal(s.start, START_CURSOR);
    assert_true(cursor_is_none(s.at));
    assert_true(str_eq(s.requested, STR("nonsense")));
    end(&a);
    s = ask(&a, "cursor=%ff", "");
    assert_int_equal(s.start, START_CURSOR);
    assert_int_equal(s.requested.len, 0);
    end(&a);
}

static void a_first_connection_may_begin_elsewhere(void **state)
{
    (void)state;
    struct asked a;
    struct stream_request s = ask(&a, "last=5", "");
    assert_int_equal(s.start, START_LAST);
    assert_int_equal(s.value, 5);
    end(&a);
    s = ask(&a, "since=-300", "");
    assert_int_equal(s.start, START_SINCE);
    assert_int_equal(s.value, WALL - 300000);
    end(&a);
    s = ask(&a, "earliest", "");
    assert_int_equal(s.start, START_EARLIEST);
    end(&a);
    s = ask(&a, "last=0", "");
    assert_int_equal(s.start, START_DEFAULT);
    end(&a);
}

static void wrong_parameters_are_malformed(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "ping=4",      "ping=51",    "ping_form=x",  "wait=51",         "limit=0",
        "limit=1001",  "since=soon", "last=101",     "last=-1",         "client=short",
        "client=",     "envelope=2", "earliest=yes", "last=1&earliest", "since=-1&last=1",
        "channel=%01", "channel=$x",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct asked a;
        assert_false(ask_as(&a, "", wrong[i], ""));
        assert_true(fault.code == REFUSE_MALFORMED || fault.code == REFUSE_FORBIDDEN);
        assert_true(strlen(fault.text) > 0);
    }
}

static void a_named_client_is_remembered(void **state)
{
    (void)state;
    struct asked a;
    struct stream_request s = ask(&a, "client=0123456789abcdef", "");
    assert_true(s.named && str_eq(s.client, STR("0123456789abcdef")));
    end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_query_carries_what_everybody_does),
        cmocka_unit_test(a_user_carries_the_own_channel),
        cmocka_unit_test(channels_are_named_in_both_ways),
        cmocka_unit_test(the_header_beats_the_query),
        cmocka_unit_test(a_cursor_has_four_names_in_the_query),
        cmocka_unit_test(a_bad_cursor_is_no_error),
        cmocka_unit_test(a_first_connection_may_begin_elsewhere),
        cmocka_unit_test(wrong_parameters_are_malformed),
        cmocka_unit_test(a_named_client_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
