#include "base/memory.h"
#include "wire/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void print_and_parse_agree(void **state)
{
    (void)state;
    static const Cursor cursors[] = {{1, 0},
                                     {1, 1},
                                     {(UINT64_C(1) << CURSOR_EPOCH_BITS) - 1, INT64_MAX},
                                     {UINT64_C(0x123456789a), 4711}};
    for (size_t i = 0; i < COUNT_OF(cursors); i++) {
        char text[CURSOR_TEXT];
        Cursor c = CURSOR_NONE;
        assert_true(cursor_parse(cursor_print(cursors[i], text), &c));
        assert_int_equal(c.epoch, cursors[i].epoch);
        assert_int_equal(c.at, cursors[i].at);
    }
}

static void the_written_form(void **state)
{
    (void)state;
    char text[CURSOR_TEXT];
    assert_string_equal(cursor_print((Cursor){1, 7}, text).p, "aaaaaaab-7");
    assert_string_equal(cursor_print((Cursor){31, 0}, text).p, "aaaaaaa7-0");
    Str longest = cursor_print((Cursor){UINT64_MAX, UINT64_MAX}, text);
    assert_string_equal(longest.p, "77777777-18446744073709551615");
    assert_int_equal(longest.len, CURSOR_TEXT - 1);
    assert_int_equal(cursor_print(CURSOR_NONE, text).len, 0);
    assert_string_equal(text, "");
}

static void nothing_else_is_read(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "aaaaaaab",
                                      "aaaaaaab-",
                                      "aaaaaaab-01",
                                      "aaaaaaab-00",
                                      "aaaaaaab--1",
                                      "aaaaaaab-+1",
                                      "aaaaaaab-1 ",
                                      " aaaaaab-1",
                                      "aaaaaaab-1x",
                                      "aaaaaaab_1",
                                      "aaaaaaa-1",
                                      "aaaaaaaab-1",
                                      "AAAAAAAB-1",
                                      "aaaaaaa1-1",
                                      "aaaaaaa8-1",
                                      "aaaaaaaa-1",
                                      "aaaaaaab-9223372036854775808",
                                      "aaaaaaab-99999999999999999999",
                                      "4711"};
    Cursor c = {5, 6};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(cursor_parse(str_of(bad[i]), &c));
    assert_false(cursor_parse(STR("aaaaaaab-1\0"), &c));
    assert_false(cursor_parse(STR("aaaaaaa\0-1"), &c));
    assert_false(cursor_parse(STR_NONE, &c));
    assert_true(c.epoch == 5 && c.at == 6);
    assert_true(cursor_parse(STR("aaaaaaab-9223372036854775807"), &c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(print_and_parse_agree),
        cmocka_unit_test(the_written_form),
        cmocka_unit_test(nothing_else_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
