#include "base/map.h"
#include "base/memory.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MANY = 5000 };

struct thing {
    char name[32];
    bool seen;
};

static struct thing things[MANY];

static Str name_of(const struct thing *t)
{
    return str_of(t->name);
}

static void fill(struct map *m)
{
    map_init(m);
    for (int i = 0; i < MANY; i++) {
        snprintf(things[i].name, sizeof things[i].name, "thing-%d", i);
        things[i].seen = false;
        map_put(m, name_of(&things[i]), &things[i]);
    }
}

static void an_empty_map_has_nothing(void **state)
{
    (void)state;
    struct map m;
    size_t at = 0;
    map_init(&m);
    assert_null(map_get(&m, STR("a")));
    assert_null(map_del(&m, STR("a")));
    assert_null(map_next(&m, &at));
    map_fini(&m);
}

static void everything_put_is_found(void **state)
{
    (void)state;
    struct map m;
    fill(&m);
    assert_int_equal(m.len, MANY);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(map_get(&m, name_of(&things[i])), &things[i]);
    assert_null(map_get(&m, STR("thing-")));
    assert_null(map_get(&m, STR_NONE));
    map_fini(&m);
}

static void the_empty_name_is_a_name(void **state)
{
    (void)state;
    struct map m;
    map_init(&m);
    map_put(&m, STR_NONE, &things[0]);
    assert_ptr_equal(map_get(&m, STR("")), &things[0]);
    assert_ptr_equal(map_del(&m, STR("")), &things[0]);
    assert_int_equal(m.len, 0);
    map_fini(&m);
}

static void put_replaces_key_and_value(void **state)
{
    (void)state;
    struct map m;
    char first[] = "same", second[] = "same";
    map_init(&m);
    map_put(&m, str_of(first), &things[1]);
    map_put(&m, str_of(second), &things[2]);
    first[0] = 'x';
    assert_int_equal(m.len, 1);
    assert_ptr_equal(map_get(&m, STR("same")), &things[2]);
    map_fini(&m);
}

static void what_is_left_after_deletes_is_found(void **state)
{
    (void)state;
    struct map m;
    fill(&m);
    for (int i = 0; i < MANY; i += 2)
        assert_ptr_equal(map_del(&m, name_of(&things[i])), &things[i]);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(map_get(&m, name_of(&things[i])), i % 2 ? &things[i] : NULL);
    for (int i = 0; i < MANY; i += 2)
        map_put(&m, name_of(&things[i]), &things[i]);
    assert_int_equal(m.len, MANY);
    map_fini(&m);
}

static void coming_and_going_does_not_grow_it(void **state)
{
    (void)state;
    struct map m;
    map_init(&m);
    map_put(&m, STR("stays"), &things[0]);
    for (int i = 0; i < MANY; i++) {
        map_put(&m, name_of(&things[i]), &things[i]);
        assert_ptr_equal(map_del(&m, name_of(&things[i])), &things[i]);
    }
    assert_true(m.cap <= 64);
    assert_ptr_equal(map_get(&m, STR("stays")), &things[0]);
    map_fini(&m);
}

static void a_walk_sees_each_once_while_they_are_deleted(void **state)
{
    (void)state;
    struct map m;
    size_t at = 0, n = 0;
    fill(&m);
    for (struct thing *t; (t = map_next(&m, &at)); n++) {
        assert_false(t->seen);
        t->seen = true;
        assert_ptr_equal(map_del(&m, name_of(t)), t);
    }
    assert_int_equal(n, MANY);
    assert_int_equal(m.len, 0);
    map_fini(&m);
}

static void a_walk_may_delete_what_comes_later(void **state)
{
    (void)state;
    struct map m;
    size_t at = 0, n = 0;
    fill(&m);
    for (struct thing *t; (t = map_next(&m, &at)); n++) {
        size_t i = (size_t)(t - things);
        map_del(&m, name_of(&things[i ^ 1]));
    }
    assert_int_equal(n, MANY / 2);
    map_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(everything_put_is_found),
        cmocka_unit_test(the_empty_name_is_a_name),
        cmocka_unit_test(put_replaces_key_and_value),
        cmocka_unit_test(what_is_left_after_deletes_is_found),
        cmocka_unit_test(coming_and_going_does_not_grow_it),
        cmocka_unit_test(a_walk_sees_each_once_while_they_are_deleted),
        cmocka_unit_test(a_walk_may_delete_what_comes_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
