#include "address.h"
#include "wire/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PROXIES "10.0.0.1, 2001:db8::1,unix:"

static void check_of(const char *trusted, const char *remote, const char *forwarded,
                     const char *expected)
{
    Str is = address_of(str_of(trusted), str_of(remote), str_of(forwarded));
    if (!str_eq(is, str_of(expected)))
        fail_msg("%s, %s: %.*s is not %s", remote, forwarded, FMT(is), expected);
}

static void only_what_a_trusted_proxy_wrote_counts(void **state)
{
    (void)state;
    check_of("", "10.0.0.1", "192.0.2.1", "10.0.0.1");
    check_of(PROXIES, "192.0.2.9", "192.0.2.1", "192.0.2.9");
    check_of(PROXIES, "10.0.0.1", "192.0.2.1", "192.0.2.1");
    check_of(PROXIES, "10.0.0.1", "198.51.100.7, 192.0.2.1", "192.0.2.1");
    check_of(PROXIES, "10.0.0.1", "198.51.100.7, 192.0.2.1 ,10.0.0.1", "192.0.2.1");
    check_of(PROXIES, "10.0.0.1", "10.0.0.1, 192.0.2.1", "192.0.2.1");
    check_of(PROXIES, "10.0.0.1", "", "10.0.0.1");
    check_of(PROXIES, "10.0.0.1", "192.0.2.1, unknown", "10.0.0.1");
    check_of(PROXIES, "10.0.0.1", "192.0.2.1,", "10.0.0.1");
    check_of(PROXIES, "unix:", "192.0.2.1", "192.0.2.1");
    check_of(PROXIES, "", "192.0.2.1", "");
}

static void an_address_has_several_spellings(void **state)
{
    (void)state;
    check_of(PROXIES, "::ffff:10.0.0.1", "192.0.2.1", "192.0.2.1");
    check_of(PROXIES, "2001:DB8:0::1", "192.0.2.1", "192.0.2.1");
    check_of(PROXIES, "10.0.0.1", "192.0.2.1:4711", "192.0.2.1");
    check_of(PROXIES, "10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7");
    check_of(PROXIES, "10.0.0.1", "[2001:db8::7", "2001:db8::7");
    check_of(PROXIES, "10.0.0.1", "2001:db8::7", "2001:db8::7");
    check_of(PROXIES, "10.0.0.1", "[", "10.0.0.1");
}

static bool are_one(const char *a, const char *b)
{
    char left[ADDRESS_KEY], right[ADDRESS_KEY];
    Str x = address_key(STR(PROXIES), str_of(a), left);
    return x.len && str_eq(x, address_key(STR(PROXIES), str_of(b), right));
}

static void what_counts_as_one(void **state)
{
    (void)state;
    char key[ADDRESS_KEY];
    assert_true(are_one("192.0.2.1", "::ffff:192.0.2.1"));
    assert_false(are_one("192.0.2.1", "192.0.2.2"));
    assert_true(are_one("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
    assert_false(are_one("2001:db8:1:2::1", "2001:db8:1:3::1"));
    assert_true(are_one("pipe", "pipe"));
    assert_int_equal(address_key(STR(PROXIES), STR("10.0.0.1"), key).len, 0);
    assert_int_equal(address_key(STR(PROXIES), STR("unix:"), key).len, 0);
    assert_int_equal(address_key(STR(PROXIES), STR_NONE, key).len, 0);
}

static void proxies_are_addresses(void **state)
{
    (void)state;
    struct fault why;
    assert_true(address_check(STR(""), &why));
    assert_true(address_check(STR(PROXIES), &why));
    assert_false(address_check(STR("10.0.0.1, 10.0.0.0/8"), &why));
    assert_int_equal(why.code, REFUSE_CONFIG);
    assert_string_equal(why.text, "trusted_proxies: 10.0.0.0/8 is no address");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_a_trusted_proxy_wrote_counts),
        cmocka_unit_test(an_address_has_several_spellings),
        cmocka_unit_test(what_counts_as_one),
        cmocka_unit_test(proxies_are_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
