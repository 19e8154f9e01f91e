#include "base/memory.h"
#include "wire/names.h"
#include "wire/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef bool Check(Str name, const char *field, struct fault *why);

static bool passes(Check *check, Str name)
{
    struct fault why = {0};
    bool ok = check(name, "field", &why);
    assert_int_equal(why.code, ok ? REFUSE_NOT : REFUSE_WRONG_FIELD);
    assert_true(ok || str_starts(str_of(why.text), STR("field: ")));
    assert_int_equal(check(name, "field", NULL), ok);
    return ok;
}

/* Whether n bytes pass, and no more. */
static bool is_limit(Check *check, size_t n)
{
    char text[200];
    memset(text, 'a', sizeof text);
    return passes(check, str_make(text, n)) && !passes(check, str_make(text, n + 1));
}

static void check_common_rules(Check *check)
{
    assert_true(passes(check, STR("a")));
    assert_true(passes(check, STR("two words")));
    assert_true(passes(check, STR("caf\xc3\xa9")));
    assert_true(passes(check, STR("a$")));
    assert_false(passes(check, STR("")));
    assert_false(passes(check, STR_NONE));
    assert_false(passes(check, STR(" a")));
    assert_false(passes(check, STR("a ")));
    assert_false(passes(check, STR(" ")));
    assert_false(passes(check, STR("a,b")));
    assert_false(passes(check, STR("a*b")));
    assert_false(passes(check, STR("**")));
    assert_false(passes(check, STR("$a")));
    assert_false(passes(check, STR("a\0")));
    assert_false(passes(check, STR("a\r\nb")));
    assert_false(passes(check, STR("a\tb")));
    assert_false(passes(check, STR("a\x7f")));
    assert_false(passes(check, STR("a\xc2\x85")));
    assert_false(passes(check, STR("a\xff")));
}

static void channels(void **state)
{
    (void)state;
    check_common_rules(channel_is_valid);
    assert_true(is_limit(channel_is_valid, CHANNEL_MAX));
    assert_true(passes(channel_is_valid, STR("user:bob")));
    assert_false(passes(channel_is_valid, STR("*")));
    assert_false(passes(channel_is_valid, STR("room:*")));
}

static void patterns(void **state)
{
    (void)state;
    check_common_rules(pattern_is_valid);
    assert_true(is_limit(pattern_is_valid, CHANNEL_MAX));
    assert_true(passes(pattern_is_valid, STR("*")));
    assert_true(passes(pattern_is_valid, STR("room:*")));
    assert_true(passes(pattern_is_valid, STR("room *")));
    assert_true(passes(pattern_is_valid, STR("$presence:*")));
    assert_false(passes(pattern_is_valid, STR(" *")));
    assert_false(passes(pattern_is_valid, STR("a,*")));
    assert_false(passes(pattern_is_valid, STR("*a*")));
    assert_false(passes(pattern_is_valid, STR("\xff*")));
    assert_true(is_pattern(STR("*")) && is_pattern(STR("a*")));
    assert_false(is_pattern(STR("a")) || is_pattern(STR_NONE) || is_pattern(STR("*a")));
}

static void users(void **state)
{
    (void)state;
    check_common_rules(user_is_valid);
    assert_true(is_limit(user_is_valid, USER_MAX));
    assert_false(passes(user_is_valid, STR("a:b")));
    assert_false(passes(user_is_valid, STR("*")));
}

static bool is_logged_event(Str name, const char *field, struct fault *why)
{
    return event_name_is_valid(name, false, field, why);
}

static void event_names(void **state)
{
    (void)state;
    static const char *const reserved[] = {"connected", "gap",   "bye", "token",
                                           "presence",  "error", "open"};
    assert_true(passes(is_logged_event, STR_NONE));
    assert_true(passes(is_logged_event, STR("message")));
    assert_true(passes(is_logged_event, STR("gaps")));
    assert_true(passes(is_logged_event, STR("a,b: *")));
    assert_true(is_limit(is_logged_event, EVENT_NAME_MAX));
    assert_false(passes(is_logged_event, STR("a\nb")));
    assert_false(passes(is_logged_event, STR("\xff")));
    for (size_t i = 0; i < COUNT_OF(reserved); i++) {
        assert_false(passes(is_logged_event, str_of(reserved[i])));
        assert_false(event_name_is_valid(str_of(reserved[i]), true, "event", NULL));
    }
    assert_false(passes(is_logged_event, STR("typing")));
    assert_true(event_name_is_valid(STR("typing"), true, "event", NULL));
}

static void clients(void **state)
{
    (void)state;
    assert_false(passes(client_is_valid, STR("ABCdef012-_3456")));
    assert_true(passes(client_is_valid, STR("ABCdef012-_34567")));
    assert_true(is_limit(client_is_valid, CLIENT_MAX));
    assert_false(passes(client_is_valid, STR("ABCdef012-_3456.")));
    assert_false(passes(client_is_valid, STR("ABCdef012-_3456\0")));
    assert_false(passes(client_is_valid, STR_NONE));
}

static void keys(void **state)
{
    (void)state;
    assert_true(passes(key_is_valid, STR("!")) && passes(key_is_valid, STR("~")));
    assert_true(is_limit(key_is_valid, KEY_MAX));
    assert_false(passes(key_is_valid, STR_NONE));
    assert_false(passes(key_is_valid, STR("a b")));
    assert_false(passes(key_is_valid, STR("\x7f")));
    assert_false(passes(key_is_valid, STR("\xc3\xa9")));
}

static void patterns_keep_to_themselves(void **state)
{
    (void)state;
    assert_true(pattern_matches(STR("news"), STR("news")));
    assert_false(pattern_matches(STR("news"), STR("news2")));
    assert_true(pattern_matches(STR("room:*"), STR("room:1")));
    assert_true(pattern_matches(STR("room:*"), STR("room:")));
    assert_false(pattern_matches(STR("room:*"), STR("room")));
    assert_true(pattern_matches(STR("*"), STR("news")));
    assert_true(pattern_matches(STR("*"), STR("user")));
    assert_false(pattern_matches(STR("*"), STR("user:bob")));
    assert_false(pattern_matches(STR("user*"), STR("user:bob")));
    assert_true(pattern_matches(STR("user*"), STR("users")));
    assert_true(pattern_matches(STR("user:*"), STR("user:bob")));
    assert_true(pattern_matches(STR("user:b*"), STR("user:bob")));
    assert_false(pattern_matches(STR("*"), STR("$presence:a")));
    assert_true(pattern_matches(STR("$presence:*"), STR("$presence:a")));
}

static bool lies_in(Str channel, const struct name_range *r)
{
    return str_cmp(channel, str_of(r->from)) >= 0 &&
           (!r->to[0] || str_cmp(channel, str_of(r->to)) < 0);
}

static void ranges_hold_what_a_pattern_takes_in(void **state)
{
    (void)state;
    const Str patterns[] = {STR("*"),       STR("u*"),       STR("user*"), STR("user:*"),
                            STR("user:b*"), STR("user;*"),   STR("$*"),    STR("$c*"),
                            STR("r*"),      STR("\xc3\xbf*")};
    const Str channels[] = {STR("!"),
                            STR("$"),
                            STR("$c"),
                            STR("%"),
                            STR("room"),
                            STR("user"),
                            STR("user:"),
                            STR("user:bob"),
                            STR("user;"),
                            STR("users"),
                            STR("v"),
                            STR("\xc3\xbf"),
                            STR("u"),
                            STR("user:b~"),
                            STR("\xc3\xbf"
                                "1"),
                            STR("~")};
    for (size_t i = 0; i < COUNT_OF(patterns); i++)
        for (size_t j = 0; j < COUNT_OF(channels); j++) {
            struct name_range ranges[PATTERN_RANGES];
            size_t held = 0;
            for (size_t k = 0, n = pattern_ranges(patterns[i], ranges); k < n; k++)
                held += lies_in(channels[j], &ranges[k]);
            assert_int_equal(held, pattern_matches(patterns[i], channels[j]));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels),
        cmocka_unit_test(patterns),
        cmocka_unit_test(users),
        cmocka_unit_test(event_names),
        cmocka_unit_test(clients),
        cmocka_unit_test(keys),
        cmocka_unit_test(ranges_hold_what_a_pattern_takes_in),
        cmocka_unit_test(patterns_keep_to_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
