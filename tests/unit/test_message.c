#include "wire/message.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { FIELDS_MAX = 24, BODY_MAX = 4096 };

/* Where the fields of the message at hand end in its body. */
static size_t ends[FIELDS_MAX], fields;

static void note(size_t size)
{
    ends[fields] = size + (fields ? ends[fields - 1] : 0);
    fields++;
}

static void fill_u8(uint8_t *x)
{
    note(1);
    *x = (uint8_t)(0x10 + fields);
}

static void fill_u32(uint32_t *x)
{
    note(4);
    *x = 0x01020300 + (uint32_t)fields;
}

static void fill_u64(uint64_t *x)
{
    note(8);
    *x = UINT64_C(0xf102030405060700) + fields;
}

static void fill_cur(Cursor *x)
{
    note(16);
    *x = (Cursor){(UINT64_C(1) << CURSOR_EPOCH_BITS) - fields, UINT64_C(77) << 32};
}

static void fill_str(Str *x)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyz";
    note(4 + fields);
    *x = str_make(text, fields - 1);
}

static bool is_end(size_t at)
{
    for (size_t i = 0; i < fields; i++)
        if (ends[i] == at)
            return true;
    return at == 0;
}

static void check_rest_is_zero(Str whole, Str prefix)
{
    assert_true(str_starts(whole, prefix));
    for (size_t i = prefix.len; i < whole.len; i++)
        assert_int_equal(whole.p[i], 0);
}

/* A body cut at the end of a field is one from an older sender; cut elsewhere it is none. */
#define F(kind, name) fill_##kind(&m.name);
#define VERB(NAME, type, fields_)                                                                  \
    static void survives_cuts_##type(void **state)                                                 \
    {                                                                                              \
        struct msg_##type m, got;                                                                  \
        struct buf body, again;                                                                    \
        (void)state;                                                                               \
        fields = 0;                                                                                \
        fields_ buf_init(&body, BODY_MAX);                                                         \
        buf_init(&again, BODY_MAX);                                                                \
        assert_true(msg_##type##_pack(&body, &m));                                                 \
        assert_int_equal(body.len, ends[fields - 1]);                                              \
        for (size_t n = 0; n <= body.len; n++) {                                                   \
            char *cut = n ? must_copy(body.p, n) : NULL; /* so that a read beyond it is seen */    \
            bool ok = msg_##type##_unpack(str_make(cut, n), &got);                                 \
            assert_int_equal(ok, is_end(n));                                                       \
            buf_clear(&again);                                                                     \
            assert_true(!ok || msg_##type##_pack(&again, &got));                                   \
            if (ok)                                                                                \
                check_rest_is_zero(buf_str(&again), str_make(cut, n));                             \
            free(cut);                                                                             \
        }                                                                                          \
        buf_putz(&body, "from a newer sender");                                                    \
        assert_true(msg_##type##_unpack(buf_str(&body), &got));                                    \
        again.max = ends[fields - 1] - 1;                                                          \
        buf_clear(&again);                                                                         \
        assert_false(msg_##type##_pack(&again, &m));                                               \
        assert_int_equal(again.len, 0);                                                            \
        buf_fini(&body);                                                                           \
        buf_fini(&again);                                                                          \
    }
#include "wire/message.def"
#undef VERB
#undef F

static void an_epoch_beyond_40_bits_is_refused(void **state)
{
    (void)state;
    struct msg_hello m = {.at = {UINT64_C(1) << CURSOR_EPOCH_BITS, 1}};
    struct buf b;
    buf_init(&b, BODY_MAX);
    assert_true(msg_hello_pack(&b, &m));
    assert_false(msg_hello_unpack(buf_str(&b), &m));
    buf_fini(&b);
}

static void a_length_beyond_the_end_is_refused(void **state)
{
    (void)state;
    struct msg_leave m;
    assert_false(msg_leave_unpack(STR("\xff\xff\xff\xff"), &m));
    assert_false(msg_leave_unpack(STR("\0\0\0\2a"), &m));
    assert_true(msg_leave_unpack(STR("\0\0\0\1a"), &m) && str_eq(m.channels, STR("a")));
}

static void a_header_is_sixteen_bytes(void **state)
{
    (void)state;
    char bytes[MESSAGE_HEADER];
    struct header h = {PROTOCOL_VERSION, VERB_EVENT, UINT64_C(0x0102030405060708)}, got;
    header_pack(bytes, h);
    assert_memory_equal(bytes + 8, "\1\2\3\4\5\6\7\x8", 8);
    assert_true(header_unpack(str_make(bytes, sizeof bytes), &got));
    assert_int_equal(got.version, PROTOCOL_VERSION);
    assert_int_equal(got.verb, VERB_EVENT);
    assert_int_equal(got.seq, h.seq);
    for (size_t n = 0; n < sizeof bytes; n++)
        assert_false(header_unpack(str_make(bytes, n), &got));
    bytes[5] = 1;
    assert_false(header_unpack(str_make(bytes, sizeof bytes), &got));
}

static void verbs_and_reasons_have_names(void **state)
{
    (void)state;
    assert_string_equal(verb_name(VERB_HELLO), "HELLO");
    assert_string_equal(verb_name(VERB_MOVED), "MOVED");
    assert_string_equal(verb_name(0), "?");
    assert_string_equal(verb_name(-1), "?");
    assert_string_equal(verb_name(VERB_COUNT), "?");
    assert_string_equal(gap_reason_name(GAP_PRUNED), "pruned");
    assert_string_equal(gap_reason_name(99), "unknown");
    assert_string_equal(gap_reason_name(-1), "unknown");
}

static void a_list_gives_back_its_items(void **state)
{
    (void)state;
    struct buf b;
    Str item;
    buf_init(&b, 100);
    assert_true(list_put(&b, STR("one")) && list_put(&b, STR("")) && list_put(&b, STR("three")));
    Str rest = buf_str(&b);
    assert_int_equal(list_count(rest), 3);
    assert_true(list_is_whole(rest));
    assert_true(list_has(rest, STR("three")) && list_has(rest, STR("")));
    assert_false(list_has(rest, STR("on")));
    assert_true(list_next(&rest, &item) && str_eq(item, STR("one")));
    assert_true(list_next(&rest, &item) && item.len == 0);
    assert_true(list_next(&rest, &item) && str_eq(item, STR("three")));
    assert_false(list_next(&rest, &item));
    assert_int_equal(list_count(STR_NONE), 0);
    assert_true(list_is_whole(STR_NONE));
    buf_fini(&b);
}

static void a_list_cut_short_ends_there(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    list_put(&b, STR("one"));
    list_put(&b, STR("two"));
    for (size_t n = 0; n <= b.len; n++) {
        assert_int_equal(list_count(str_make(b.p, n)), n / 7);
        assert_int_equal(list_is_whole(str_make(b.p, n)), n % 7 == 0);
    }
    buf_fini(&b);
}

static void an_item_that_does_not_fit_leaves_the_list_whole(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    assert_true(list_put(&b, STR("abc")));
    assert_false(list_put(&b, STR("")));
    assert_true(b.full && list_is_whole(buf_str(&b)) && b.len == 7);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define VERB(NAME, type, fields_) cmocka_unit_test(survives_cuts_##type),
#include "wire/message.def"
#undef VERB
        cmocka_unit_test(an_epoch_beyond_40_bits_is_refused),
        cmocka_unit_test(a_length_beyond_the_end_is_refused),
        cmocka_unit_test(a_header_is_sixteen_bytes),
        cmocka_unit_test(verbs_and_reasons_have_names),
        cmocka_unit_test(a_list_gives_back_its_items),
        cmocka_unit_test(a_list_cut_short_ends_there),
        cmocka_unit_test(an_item_that_does_not_fit_leaves_the_list_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
