#include "record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_header_says_what_follows(void **state)
{
    (void)state;
    struct record r;
    const char bytes[RECORD_HEADER] = {1, RECORD_PARAMS, 1, 2, 3, 4, 5, 0};
    assert_true(record_unpack(bytes, &r));
    assert_int_equal(r.type, RECORD_PARAMS);
    assert_int_equal(r.id, 0x0102);
    assert_int_equal(r.length, 0x0304);
    assert_int_equal(r.padding, 5);
    assert_false(record_unpack((const char[RECORD_HEADER]){2, RECORD_PARAMS}, &r));
}

static void what_is_put_is_unpacked(void **state)
{
    (void)state;
    struct record r;
    struct buf b;
    buf_init(&b, 100);
    assert_true(record_put(&b, RECORD_STDOUT, 300, STR("hello")));
    assert_int_equal(b.len, RECORD_HEADER + 5);
    assert_true(record_unpack(b.p, &r));
    assert_int_equal(r.type, RECORD_STDOUT);
    assert_int_equal(r.id, 300);
    assert_int_equal(r.length, 5);
    assert_int_equal(r.padding, 0);
    buf_fini(&b);
}

static void long_content_goes_in_pieces(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    assert_true(record_put_all(&b, RECORD_STDOUT, 1, STR("0123456789"), 4));
    assert_int_equal(b.len, 3 * RECORD_HEADER + 10);
    assert_memory_equal(b.p + 2 * RECORD_HEADER + 8 + RECORD_HEADER, "89", 2);
    buf_clear(&b);
    assert_true(record_put_all(&b, RECORD_STDOUT, 1, STR_NONE, 4));
    assert_int_equal(b.len, 0);
    buf_fini(&b);
}

static void a_full_buffer_holds_no_half_record(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    assert_false(record_put(&b, RECORD_STDOUT, 1, STR("hello")));
    assert_int_equal(b.len, 0);
    buf_fini(&b);
}

static void the_end_has_its_reason(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_true(record_put_end(&b, 7, END_CANNOT_MULTIPLEX));
    const char expected[] = {1, RECORD_END, 0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0};
    assert_int_equal(b.len, sizeof expected);
    assert_memory_equal(b.p, expected, sizeof expected);
    buf_fini(&b);
}

static void pairs_come_out_as_they_went_in(void **state)
{
    (void)state;
    char text[300];
    struct buf b;
    Str name, value;
    memset(text, 'v', sizeof text);
    buf_init(&b, 1000);
    assert_true(pair_put(&b, STR("A"), STR("b")));
    assert_int_equal(b.len, 4);
    assert_true(pair_put(&b, STR("LONG"), str_make(text, sizeof text)));
    assert_true(pair_put(&b, STR("EMPTY"), STR_NONE));
    Str rest = buf_str(&b);
    assert_true(pair_next(&rest, &name, &value));
    assert_true(str_eq(name, STR("A")) && str_eq(value, STR("b")));
    assert_true(pair_next(&rest, &name, &value));
    assert_true(str_eq(name, STR("LONG")));
    assert_int_equal(value.len, sizeof text);
    assert_true(pair_next(&rest, &name, &value));
    assert_true(str_eq(name, STR("EMPTY")));
    assert_int_equal(value.len, 0);
    assert_false(pair_next(&rest, &name, &value));
    assert_int_equal(rest.len, 0);
    buf_fini(&b);
}

/* The library would reserve what such a length says. */
static void a_length_beyond_the_end_ends_the_walk(void **state)
{
    (void)state;
    Str name, value,
        rest = STR("\xff\xff\xff\xff\x01"
                   "A");
    assert_false(pair_next(&rest, &name, &value));
    assert_int_not_equal(rest.len, 0);
    rest = STR("\x01\x05"
               "Abc");
    assert_false(pair_next(&rest, &name, &value));
    rest = STR("\x80\x00");
    assert_false(pair_next(&rest, &name, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_says_what_follows),
        cmocka_unit_test(what_is_put_is_unpacked),
        cmocka_unit_test(long_content_goes_in_pieces),
        cmocka_unit_test(a_full_buffer_holds_no_half_record),
        cmocka_unit_test(the_end_has_its_reason),
        cmocka_unit_test(pairs_come_out_as_they_went_in),
        cmocka_unit_test(a_length_beyond_the_end_ends_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
