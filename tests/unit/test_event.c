#include "wire/event.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct event model = {
    .flags = EVENT_JSON,
    .id = {UINT64_C(0x123456789a), 42},
    .prev = 41,
    .time = 1700000000000,
    .expires = 1700000060000,
    .channel = {"news", 4},
    .name = {"story", 5},
    .user = {"bob", 3},
    .exclude = {"client-to-leave-out", 19},
    .data = {"{\"a\":1}", 7},
};

static void check_same(const struct event *a, const struct event *b)
{
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->id.epoch, b->id.epoch);
    assert_int_equal(a->id.at, b->id.at);
    assert_int_equal(a->prev, b->prev);
    assert_int_equal(a->time, b->time);
    assert_int_equal(a->expires, b->expires);
    assert_true(str_eq(a->channel, b->channel));
    assert_true(str_eq(a->name, b->name));
    assert_true(str_eq(a->user, b->user));
    assert_true(str_eq(a->exclude, b->exclude));
    assert_true(str_eq(a->to, b->to));
    assert_true(str_eq(a->data, b->data));
}

static void a_copy_owns_its_bytes(void **state)
{
    (void)state;
    char *data = must_copy("volatile", 8);
    struct event borrowed = model;
    borrowed.data = str_make(data, 8);
    struct event *e = event_new(&borrowed);
    free(data);
    assert_true(str_eq(e->data, STR("volatile")));
    assert_true(str_eq(e->channel, STR("news")));
    assert_int_equal(event_size(e), event_size(&borrowed));
    assert_ptr_equal(event_ref(e), e);
    event_unref(e);
    assert_int_equal(e->refs, 1);
    event_unref(e);
    event_unref(NULL);
}

static void an_event_without_texts_is_an_event(void **state)
{
    (void)state;
    struct event *e = event_new(&(struct event){0});
    assert_int_equal(e->data.len, 0);
    event_unref(e);
}

static void unpack_gives_what_was_packed(void **state)
{
    (void)state;
    struct buf b;
    struct event got;
    buf_init(&b, 1000);
    assert_true(event_pack(&b, &model));
    assert_true(event_unpack(buf_str(&b), &got));
    check_same(&got, &model);
    assert_int_equal(got.refs, 0);
    buf_fini(&b);
}

static void every_cut_is_refused_or_leaves_fields_empty(void **state)
{
    (void)state;
    struct buf b;
    struct event got;
    size_t whole = 0;
    buf_init(&b, 1000);
    event_pack(&b, &model);
    for (size_t n = 0; n < b.len; n++) {
        char *cut = must_copy(b.p, n);
        if (event_unpack(str_make(cut, n), &got)) {
            whole++;
            assert_int_equal(got.data.len, 0);
        }
        free(cut);
    }
    assert_int_equal(whole, 11); /* one before each field */
    buf_fini(&b);
}

static void pack_writes_all_or_nothing(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 60);
    assert_false(event_pack(&b, &model));
    assert_int_equal(b.len, 0);
    buf_fini(&b);
}

static void expiry_is_at_the_moment(void **state)
{
    (void)state;
    struct event e = model;
    assert_false(event_is_expired(&e, e.expires - 1));
    assert_true(event_is_expired(&e, e.expires));
    e.expires = 0;
    assert_false(event_is_expired(&e, UINT64_MAX));
    assert_false(event_is_ephemeral(&e));
    e.flags |= EVENT_EPHEMERAL;
    assert_true(event_is_ephemeral(&e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_owns_its_bytes),
        cmocka_unit_test(an_event_without_texts_is_an_event),
        cmocka_unit_test(unpack_gives_what_was_packed),
        cmocka_unit_test(every_cut_is_refused_or_leaves_fields_empty),
        cmocka_unit_test(pack_writes_all_or_nothing),
        cmocka_unit_test(expiry_is_at_the_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
