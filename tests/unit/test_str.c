#include "base/memory.h"
#include "base/str.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void slices_compare_by_bytes(void **state)
{
    (void)state;
    assert_true(str_eq(STR("a"), STR("a")));
    assert_true(str_eq(STR_NONE, STR("")));
    assert_false(str_eq(STR("a"), STR("ab")));
    assert_true(str_cmp(STR("a"), STR("ab")) < 0);
    assert_true(str_cmp(STR("\xff"), STR("a")) > 0);
    assert_int_equal(str_cmp(STR_NONE, STR("")), 0);
    assert_true(str_eq_nocase(STR("Content-Type"), STR("content-type")));
    assert_false(str_eq_nocase(STR("a["), STR("a{")));
}

static void starts_and_ends(void **state)
{
    (void)state;
    assert_true(str_starts(STR("user:bob"), STR("user:")));
    assert_true(str_starts(STR_NONE, STR_NONE));
    assert_false(str_starts(STR("us"), STR("user:")));
    assert_true(str_ends(STR("a.js"), STR(".js")));
    assert_false(str_ends(STR("js"), STR(".js")));
    assert_true(str_eq(str_skip(STR("abc"), 1), STR("bc")));
    assert_int_equal(str_skip(STR("abc"), 9).len, 0);
}

static void trim_takes_blanks_at_both_ends(void **state)
{
    (void)state;
    assert_true(str_eq(str_trim(STR(" \t a b\r\n")), STR("a b")));
    assert_int_equal(str_trim(STR(" \t ")).len, 0);
    assert_int_equal(str_trim(STR_NONE).len, 0);
}

static void cut_walks_pieces(void **state)
{
    (void)state;
    Str rest = STR("a,,b,"), piece;
    assert_true(str_cut(&rest, ',', &piece) && str_eq(piece, STR("a")));
    assert_true(str_cut(&rest, ',', &piece) && piece.len == 0);
    assert_true(str_cut(&rest, ',', &piece) && str_eq(piece, STR("b")));
    assert_false(str_cut(&rest, ',', &piece));
    rest = STR_NONE;
    assert_false(str_cut(&rest, ',', &piece));
}

static void numbers_are_digits_that_fit(void **state)
{
    (void)state;
    uint64_t n = 7;
    assert_true(str_to_u64(STR("18446744073709551615"), &n) && n == UINT64_MAX);
    assert_true(str_to_u64(STR("007"), &n) && n == 7);
    assert_false(str_to_u64(STR("18446744073709551616"), &n));
    assert_false(str_to_u64(STR("99999999999999999999"), &n));
    assert_false(str_to_u64(STR(""), &n));
    assert_false(str_to_u64(STR("+1"), &n));
    assert_false(str_to_u64(STR("1 "), &n));
    assert_int_equal(n, 7);
}

static void only_well_formed_utf8_passes(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "abcdefghijkl",
                                       "\xc2\x80",
                                       "abcdefgh\xc3\xa4",
                                       "\xed\x9f\xbf",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2g",
                                      "\xe0\x9f\xbf",
                                      "\xe2\x82",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf0\x90\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "abcdefgh\xff"};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(str_is_utf8(str_of(good[i])));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(str_is_utf8(str_of(bad[i])));
    assert_true(str_is_utf8(STR("a\0b")));
    assert_int_equal(str_char_len(STR_NONE), 0);
    assert_int_equal(str_char_len(STR("\xe2\x82\xac!")), 3);
}

static void controls_are_seen(void **state)
{
    (void)state;
    assert_false(str_has_control(STR("caf\xc3\xa9 ~\xc2\xa0")));
    assert_true(str_has_control(STR("a\0")));
    assert_true(str_has_control(STR("a\x1f")));
    assert_true(str_has_control(STR("\x7f")));
    assert_true(str_has_control(STR("\xc2\x80")));
    assert_true(str_has_control(STR("\xc2\x9f")));
}

static void dup_ends_with_a_zero(void **state)
{
    (void)state;
    char *z = str_dup(str_make("abc", 2));
    assert_string_equal(z, "ab");
    free(z);
    z = str_dup(STR_NONE);
    assert_string_equal(z, "");
    free(z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_compare_by_bytes),
        cmocka_unit_test(starts_and_ends),
        cmocka_unit_test(trim_takes_blanks_at_both_ends),
        cmocka_unit_test(cut_walks_pieces),
        cmocka_unit_test(numbers_are_digits_that_fit),
        cmocka_unit_test(only_well_formed_utf8_passes),
        cmocka_unit_test(controls_are_seen),
        cmocka_unit_test(dup_ends_with_a_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
