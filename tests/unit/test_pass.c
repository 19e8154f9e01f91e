#include "pass.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct rights granted = {
    .access = ACCESS_GRANTED,
    .user = {"bob", 3},
    .grants = {.subscribe = {"\0\0\0\6room:*", 10}},
};

static void users_who_may_the_same_share_one(void **state)
{
    (void)state;
    struct passes ps;
    struct rights alice = granted, nobody = granted, more = granted;
    alice.user = STR("alice");
    nobody.user = STR_NONE;
    more.grants.publish = granted.grants.subscribe;
    passes_init(&ps);
    struct pass *a = pass_take(&ps, &granted), *b = pass_take(&ps, &alice);
    struct pass *c = pass_take(&ps, &nobody), *d = pass_take(&ps, &more);
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_ptr_not_equal(a, d);
    pass_unref(a);
    assert_true(pass_may_read(b, STR("alice"), STR("room:1")));
    pass_unref(b);
    pass_unref(c);
    pass_unref(d);
    passes_fini(&ps);
}

static void the_own_channel_is_nobody_elses(void **state)
{
    (void)state;
    struct passes ps;
    passes_init(&ps);
    struct pass *p = pass_take(&ps, &granted);
    for (int i = 0; i < 2; i++) { /* the second time from memory */
        assert_true(pass_may_read(p, STR("bob"), STR("user:bob")));
        assert_false(pass_may_read(p, STR("alice"), STR("user:bob")));
        assert_true(pass_may_read(p, STR("bob"), STR("room:1")));
        assert_false(pass_may_read(p, STR("bob"), STR("rooms")));
        assert_false(pass_may_read(p, STR("bob"), STR("")));
    }
    pass_unref(p);
    passes_fini(&ps);
}

static void it_remembers_so_many_and_no_more(void **state)
{
    (void)state;
    struct passes ps;
    char name[32];
    passes_init(&ps);
    struct pass *p = pass_take(&ps, &granted);
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, i % 2 ? "room:%d" : "hall:%d", i);
        assert_int_equal(pass_may_read(p, STR("bob"), str_of(name)), i % 2);
        assert_true(p->answers.len <= 4096);
    }
    pass_unref(p);
    passes_fini(&ps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_who_may_the_same_share_one),
        cmocka_unit_test(the_own_channel_is_nobody_elses),
        cmocka_unit_test(it_remembers_so_many_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
