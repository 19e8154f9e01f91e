#include "base/buf.h"
#include "base/fault.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail /* cmocka has one of its own */

static void grows_up_to_its_limit(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    for (int i = 0; i < 10; i++)
        assert_true(buf_putz(&b, "0123456789"));
    assert_false(b.full);
    assert_false(buf_putc(&b, 'x'));
    assert_true(b.full);
    assert_int_equal(b.len, 100);
    buf_clear(&b);
    assert_false(b.full);
    assert_true(buf_putc(&b, 'x'));
    buf_fini(&b);
}

static void writes_all_or_nothing(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 5);
    assert_true(buf_putz(&b, "abc"));
    assert_false(buf_putz(&b, "def"));
    assert_false(buf_printf(&b, "%d", 123));
    assert_false(buf_put_u64(&b, 456));
    assert_null(buf_room(&b, 3));
    assert_true(b.full && str_eq(buf_str(&b), STR("abc")));
    assert_true(buf_printf(&b, "%s", "de"));
    assert_true(str_eq(buf_str(&b), STR("abcde")));
    buf_fini(&b);
}

static void nothing_fits_into_nothing(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 0);
    assert_true(buf_put(&b, STR_NONE));
    assert_false(buf_putc(&b, 'a'));
    buf_fini(&b);
}

static void formats_numbers(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    buf_put_u64(&b, 0);
    buf_putc(&b, ' ');
    buf_put_u64(&b, UINT64_MAX);
    buf_printf(&b, " %04x", 10);
    assert_true(str_eq(buf_str(&b), STR("0 18446744073709551615 000a")));
    buf_fini(&b);
}

static void room_is_filled_by_the_caller(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    buf_putz(&b, "ab");
    char *room = buf_room(&b, 500);
    assert_non_null(room);
    memset(room, 'x', 500);
    b.len += 3;
    assert_true(str_eq(buf_str(&b), STR("abxxx")));
    buf_drop(&b, 0);
    buf_drop(&b, 2);
    assert_true(str_eq(buf_str(&b), STR("xxx")));
    buf_drop(&b, 9);
    assert_int_equal(b.len, 0);
    buf_fini(&b);
}

static void take_hands_the_memory_over(void **state)
{
    (void)state;
    struct buf b;
    size_t len = 9;
    buf_init(&b, 10);
    assert_null(buf_take(&b, &len));
    assert_int_equal(len, 0);
    buf_putz(&b, "abc");
    char *p = buf_take(&b, &len);
    assert_int_equal(len, 3);
    assert_memory_equal(p, "abc", 3);
    free(p);
    assert_int_equal(b.len, 0);
    assert_true(buf_putz(&b, "0123456789"));
    buf_fini(&b);
}

static void a_fault_keeps_code_and_text(void **state)
{
    (void)state;
    struct fault why = {0};
    assert_false(fail(&why, 7, "%s: %d", "field", 300));
    assert_int_equal(why.code, 7);
    assert_string_equal(why.text, "field: 300");
    assert_false(fail(&why, 8, "%0500d", 1));
    assert_int_equal(strlen(why.text), sizeof why.text - 1);
    assert_false(fail(NULL, 7, "nobody asks"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_up_to_its_limit),
        cmocka_unit_test(writes_all_or_nothing),
        cmocka_unit_test(nothing_fits_into_nothing),
        cmocka_unit_test(formats_numbers),
        cmocka_unit_test(room_is_filled_by_the_caller),
        cmocka_unit_test(take_hands_the_memory_over),
        cmocka_unit_test(a_fault_keeps_code_and_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
