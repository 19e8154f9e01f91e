#include "base/clock.h"
#include "base/hash.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The vectors of the paper's reference code: key 00..0f, message 00..n-1. */
static void hash_is_siphash_2_4(void **state)
{
    (void)state;
    const HashKey key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    char text[16];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)i;
    assert_int_equal(hash64(STR_NONE, key), UINT64_C(0x726fdb47dd0e0e31));
    assert_int_equal(hash64(str_make(text, 1), key), UINT64_C(0x74f839c593dc67fd));
    assert_int_equal(hash64(str_make(text, 8), key), UINT64_C(0x93f5f5799a932462));
    assert_int_equal(hash64(str_make(text, 15), key), UINT64_C(0xa129ca6149be45e5));
}

static void random_names_are_clients(void **state)
{
    (void)state;
    char a[RANDOM_NAME], b[RANDOM_NAME];
    random_name(a);
    random_name(b);
    assert_int_equal(strlen(a), RANDOM_NAME - 1);
    assert_int_equal(strspn(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"),
                     RANDOM_NAME - 1);
    assert_string_not_equal(a, b);
    assert_int_not_equal(random_u64(), random_u64());
}

static void clocks_run(void **state)
{
    (void)state;
    Msec before = clock_mono();
    assert_true(clock_mono_us() / 1000 >= before);
    assert_true(clock_wall() > UINT64_C(1600000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_is_siphash_2_4),
        cmocka_unit_test(random_names_are_clients),
        cmocka_unit_test(clocks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
