#include "channels.h"
#include "query.h"
#include "wire/message.h"
#include "wire/moment.h"
#include "wire/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void names_and_values_are_decoded(void **state)
{
    (void)state;
    struct query q;
    assert_true(query_parse(&q, STR("a=1&b=x+y%2B%26&&c&=d&a=2"), "query", NULL));
    assert_int_equal(q.n, 5);
    assert_true(str_eq(query_get(&q, "a"), STR("2")));
    assert_true(str_eq(query_get(&q, "b"), STR("x y+&")));
    assert_true(query_has(&q, "c"));
    assert_int_equal(query_get(&q, "c").len, 0);
    assert_false(query_has(&q, "e"));
    query_fini(&q);
    assert_true(query_parse(&q, STR_NONE, "query", NULL));
    assert_int_equal(q.n, 0);
    query_fini(&q);
}

static void a_broken_percent_is_malformed(void **state)
{
    (void)state;
    struct query q;
    struct fault why;
    static const char *const broken[] = {"a=%", "a=%4", "a=%4g", "%zz=1", "a=1&b=%x"};
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        assert_false(query_parse(&q, str_of(broken[i]), "body", &why));
        assert_int_equal(why.code, REFUSE_MALFORMED);
        assert_string_equal(why.text, "body: a '%' without two hex digits");
        query_fini(&q);
    }
}

static void there_is_a_limit_of_pairs(void **state)
{
    (void)state;
    static char text[2 * (QUERY_PAIRS + 1)];
    struct query q;
    struct fault why;
    for (size_t i = 0; i < sizeof text; i += 2)
        memcpy(text + i, "a&", 2);
    assert_true(query_parse(&q, str_make(text, sizeof text - 2), "query", &why));
    query_fini(&q);
    assert_false(query_parse(&q, str_make(text, sizeof text), "query", &why));
    assert_int_equal(why.code, REFUSE_MALFORMED);
    query_fini(&q);
}

static void numbers_have_a_range(void **state)
{
    (void)state;
    struct query q;
    struct fault why;
    uint64_t n = 7;
    assert_true(query_parse(&q, STR("limit=10&low=0&text=x&empty="), "query", NULL));
    assert_true(query_number(&q, "none", 1, 10, &n, &why));
    assert_int_equal(n, 7);
    assert_true(query_number(&q, "limit", 1, 10, &n, &why));
    assert_int_equal(n, 10);
    assert_false(query_number(&q, "limit", 1, 9, &n, &why));
    assert_string_equal(why.text, "limit: is not a number from 1 to 9");
    assert_false(query_number(&q, "low", 1, 9, &n, &why));
    assert_false(query_number(&q, "text", 1, 9, &n, &why));
    assert_false(query_number(&q, "empty", 1, 9, &n, &why));
    query_fini(&q);
}

static void flags_are_said_in_few_ways(void **state)
{
    (void)state;
    struct query q;
    struct fault why;
    bool flag = false;
    assert_true(query_parse(&q, STR("a&b=1&c=true&d=0&e=false&f=maybe"), "query", NULL));
    assert_true(query_flag(&q, "none", &flag, &why) && !flag);
    assert_true(query_flag(&q, "a", &flag, &why) && flag);
    assert_true(query_flag(&q, "d", &flag, &why) && !flag);
    assert_true(query_flag(&q, "b", &flag, &why) && flag);
    assert_true(query_flag(&q, "e", &flag, &why) && !flag);
    assert_true(query_flag(&q, "c", &flag, &why) && flag);
    assert_false(query_flag(&q, "f", &flag, &why));
    query_fini(&q);
}

static void what_is_encoded_decodes_to_itself(void **state)
{
    (void)state;
    char all[256];
    struct buf encoded, decoded;
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    buf_init(&encoded, 1000);
    buf_init(&decoded, 1000);
    assert_true(percent_encode(&encoded, str_make(all, sizeof all)));
    assert_true(percent_decode(&decoded, buf_str(&encoded), true, "it", NULL));
    assert_true(str_eq(buf_str(&decoded), str_make(all, sizeof all)));
    buf_fini(&encoded);
    buf_fini(&decoded);
}

static Msec moment(const char *text)
{
    Msec at = 0;
    return moment_parse(str_of(text), 1000000000, "since", &at, NULL) ? at : UINT64_MAX;
}

static void moments_are_written_in_three_ways(void **state)
{
    (void)state;
    assert_int_equal(moment("-300"), 1000000000 - 300000);
    assert_int_equal(moment("-1000000000"), 0);
    assert_int_equal(moment("1700000000"), 1700000000000);
    assert_int_equal(moment("1970-01-01T00:00:00Z"), 0);
    assert_int_equal(moment("2024-02-29T12:30:15.250Z"), 1709209815250);
    assert_int_equal(moment("2024-02-29T12:30:15.2509+01:30"), 1709209815250 - 5400000);
    assert_int_equal(moment("1999-12-31t23:59:59-01:00"), 946688399000);
    assert_int_equal(moment("1900-01-01T00:00:00Z"), 0);
}

static void other_moments_are_refused(void **state)
{
    (void)state;
    struct fault why;
    Msec at;
    static const char *const wrong[] = {
        "",
        "-",
        "now",
        "1.5",
        "99999999999999999999",
        "2023-02-29T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-01-01",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00Zx",
        "2024-1-01T00:00:00Z",
        "-1000000001",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_false(moment_parse(str_of(wrong[i]), 0, "since", &at, &why));
        assert_int_equal(why.code, REFUSE_WRONG_FIELD);
        assert_true(str_starts(str_of(why.text), STR("since: ")));
    }
}

static void channels_are_checked_counted_and_named_once(void **state)
{
    (void)state;
    const struct rights rights = {.access = ACCESS_OPEN};
    struct channels c;
    struct query q;
    struct fault why;
    channels_init(&c, 3, MAY_SUBSCRIBE, &rights);
    assert_true(query_parse(&q, STR("channel=a,b&channel=a&channel=room:*"), "query", NULL));
    assert_true(channels_add_query(&c, &q, "channel", &why));
    assert_int_equal(c.n, 3);
    assert_int_equal(list_count(buf_str(&c.list)), 3);
    assert_false(channels_add(&c, STR("d"), "channel", &why));
    assert_int_equal(why.code, REFUSE_WRONG_FIELD);
    assert_true(channels_add(&c, STR("b"), "channel", &why));
    assert_false(channels_add(&c, STR("user:bob"), "channel", &why));
    assert_int_equal(why.code, REFUSE_FORBIDDEN);
    query_fini(&q);
    channels_fini(&c);
}

static void nobody_publishes_to_a_pattern(void **state)
{
    (void)state;
    const struct rights rights = {.access = ACCESS_OPEN};
    struct channels c;
    struct fault why;
    channels_init(&c, 3, MAY_PUBLISH, &rights);
    assert_false(channels_add(&c, STR("room:*"), "channel", &why));
    assert_int_equal(why.code, REFUSE_WRONG_FIELD);
    assert_false(channels_add_user(&c, STR("bob"), "user", &why));
    assert_int_equal(why.code, REFUSE_FORBIDDEN);
    assert_false(channels_add_user(&c, STR("a:b"), "user", &why));
    assert_int_equal(why.code, REFUSE_WRONG_FIELD);
    channels_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_values_are_decoded),
        cmocka_unit_test(a_broken_percent_is_malformed),
        cmocka_unit_test(there_is_a_limit_of_pairs),
        cmocka_unit_test(numbers_have_a_range),
        cmocka_unit_test(flags_are_said_in_few_ways),
        cmocka_unit_test(what_is_encoded_decodes_to_itself),
        cmocka_unit_test(moments_are_written_in_three_ways),
        cmocka_unit_test(other_moments_are_refused),
        cmocka_unit_test(channels_are_checked_counted_and_named_once),
        cmocka_unit_test(nobody_publishes_to_a_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
