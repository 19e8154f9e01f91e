/* Chunks and their FastCGI records; the shelf of recent events. */
#include "chunk.h"
#include "shelf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void records_hold_the_bytes_and_nothing_else(void **state)
{
    (void)state;
    static char bytes[40000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7);
    struct chunk *c = chunk_copy(str_make(bytes, sizeof bytes));
    Str r = chunk_records(c);
    size_t got = 0;
    while (r.len) {
        const unsigned char *h = (const unsigned char *)r.p;
        size_t len = (size_t)(h[4] << 8 | h[5]);
        assert_int_equal(h[0], 1);
        assert_int_equal(h[1], 6);
        assert_int_equal(h[2] << 8 | h[3], 1);
        assert_int_equal(h[6], 0);
        assert_true(len > 0 && len + 8 <= 16384);
        assert_memory_equal(r.p + 8, bytes + got, len);
        got += len;
        r = str_skip(r, 8 + len);
    }
    assert_int_equal(got, sizeof bytes);
    assert_ptr_equal(chunk_records(c).p, chunk_records(c).p);
    chunk_unref(c);
    chunk_unref(NULL);
}

static void an_empty_chunk_has_no_records(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    struct chunk *c = chunk_take(&b);
    assert_int_equal(chunk_records(c).len, 0);
    chunk_unref(chunk_ref(c));
    chunk_unref(c);
}

static void put(struct shelf *s, Position at, const char *data)
{
    struct event e = {.id = {1, at}, .channel = STR("c"), .data = str_of(data)};
    struct item *i = item_new(&e);
    shelf_put(s, i);
    item_unref(i);
}

static void the_oldest_make_room(void **state)
{
    (void)state;
    struct shelf *s = shelf_new(3, 1 << 20);
    assert_true(cursor_is_none(shelf_evicted(s)));
    for (Position p = 10; p <= 100; p += 10)
        put(s, p, "x");
    assert_int_equal(shelf_len(s), 3);
    assert_int_equal(shelf_evicted(s).at, 70);
    assert_int_equal(shelf_find(s, 79), 0);
    assert_int_equal(shelf_find(s, 80), 1);
    assert_int_equal(shelf_find(s, 100), 3);
    shelf_free(s);
}

static void bytes_are_bounded_too(void **state)
{
    (void)state;
    static char data[10001];
    memset(data, 'x', sizeof data - 1);
    struct shelf *s = shelf_new(1000, 65536);
    for (Position p = 1; p <= 20; p++)
        put(s, p, data);
    assert_in_range(shelf_len(s), 5, 6);
    shelf_free(s);
}

static void a_fork_takes_away_what_is_above(void **state)
{
    (void)state;
    struct shelf *s = shelf_new(4, 1 << 20);
    for (Position p = 1; p <= 8; p++)
        put(s, p, "x");
    shelf_cut(s, (Cursor){1, 6});
    assert_int_equal(shelf_len(s), 2);
    assert_int_equal(shelf_evicted(s).at, 4);
    shelf_cut(s, (Cursor){1, 2});
    assert_int_equal(shelf_len(s), 0);
    assert_int_equal(shelf_evicted(s).at, 2);
    put(s, 3, "again");
    shelf_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_hold_the_bytes_and_nothing_else),
        cmocka_unit_test(an_empty_chunk_has_no_records),
        cmocka_unit_test(the_oldest_make_room),
        cmocka_unit_test(bytes_are_bounded_too),
        cmocka_unit_test(a_fork_takes_away_what_is_above),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
