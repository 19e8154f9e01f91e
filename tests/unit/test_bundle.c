/* Bundles: what goes in comes out, in its order, and what is none ends there. */
#include "wire/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

static struct header header_of(enum verb verb, uint64_t seq)
{
    return (struct header){PROTOCOL_VERSION, (uint8_t)verb, seq};
}

static void what_goes_in_comes_out(void **state)
{
    struct bundle b;
    struct header header = {0}, got = {0};
    struct buf body;
    Str head, inner;
    (void)state;
    bundle_init(&b);
    assert_false(bundle_take(&b, &header, &body));
    assert_true(bundle_put(&b, header_of(VERB_EVENT, 7), STR("first")));
    assert_true(bundle_put(&b, header_of(VERB_BEAT, 8), STR_NONE));
    assert_true(bundle_take(&b, &header, &body));
    assert_int_equal(header.verb, VERB_BUNDLE);
    assert_int_equal(header.seq, 0);
    Str rest = buf_str(&body);
    assert_true(bundle_next(&rest, &head, &inner) && header_unpack(head, &got));
    assert_true(str_eq(inner, STR("first")) && got.verb == VERB_EVENT && got.seq == 7);
    assert_true(bundle_next(&rest, &head, &inner) && header_unpack(head, &got));
    assert_true(!inner.len && got.verb == VERB_BEAT && got.seq == 8);
    assert_false(bundle_next(&rest, &head, &inner));
    assert_int_equal(rest.len, 0);
    buf_fini(&body);
    assert_false(bundle_take(&b, &header, &body));
    bundle_fini(&b);
}

static void one_alone_is_itself(void **state)
{
    struct bundle b;
    struct header header;
    struct buf body;
    (void)state;
    bundle_init(&b);
    assert_true(bundle_put(&b, header_of(VERB_OPEN, 3), STR("alone")));
    assert_true(bundle_take(&b, &header, &body));
    assert_true(header.verb == VERB_OPEN && header.seq == 3);
    assert_true(str_eq(buf_str(&body), STR("alone")));
    buf_fini(&body);
}

static void what_is_large_goes_by_itself_and_a_bundle_is_full(void **state)
{
    static char large[8192];
    struct bundle b;
    size_t n = 0;
    (void)state;
    bundle_init(&b);
    assert_false(bundle_put(&b, header_of(VERB_ROWS, 1), str_make(large, sizeof large)));
    while (bundle_put(&b, header_of(VERB_EVENT, n), str_make(large, 1000)))
        n++;
    assert_in_range(n, 60, 65);
    assert_int_equal(b.n, n);
    bundle_fini(&b);
    assert_true(bundle_put(&b, header_of(VERB_EVENT, 1), STR("x")));
    bundle_fini(&b);
}

/* Exactly as long as it says, so that a read beyond it is seen. */
static void what_is_cut_short_ends_there(void **state)
{
    struct bundle b;
    struct header header;
    struct buf body;
    (void)state;
    bundle_init(&b);
    bundle_put(&b, header_of(VERB_EVENT, 1), STR("one"));
    bundle_put(&b, header_of(VERB_EVENT, 2), STR("two"));
    assert_true(bundle_take(&b, &header, &body));
    for (size_t n = 1; n < body.len; n++) {
        char *cut = must_copy(body.p, n);
        Str rest = str_make(cut, n), head, inner;
        while (bundle_next(&rest, &head, &inner))
            assert_int_equal(inner.len, 3);
        assert_true(rest.len || n == body.len / 2);
        free(cut);
    }
    buf_fini(&body);
    Str rest = STR("\0\0\0\4abcd"), head, inner; /* too short for a header */
    assert_false(bundle_next(&rest, &head, &inner));
    assert_int_equal(rest.len, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(one_alone_is_itself),
        cmocka_unit_test(what_is_large_goes_by_itself_and_a_bundle_is_full),
        cmocka_unit_test(what_is_cut_short_ends_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
