#include "base/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 3000 };

static char *things[MANY];

static size_t size_of(int i)
{
    return (size_t)(i * 7) % (POOL_MOST + 100);
}

static bool is_all(const char *thing, size_t size, char wanted)
{
    for (size_t i = 0; i < size; i++)
        if (thing[i] != wanted)
            return false;
    return true;
}

static void fill(struct pool *p, int i)
{
    things[i] = pool_alloc(p, size_of(i));
    assert_true(is_all(things[i], size_of(i), 0));
    assert_int_equal((uintptr_t)things[i] % 8, 0);
    memset(things[i], 'a' + i % 26, size_of(i));
}

static void empty(struct pool *p, int i)
{
    assert_true(is_all(things[i], size_of(i), (char)('a' + i % 26)));
    pool_free(p, things[i], size_of(i));
}

static void each_thing_has_its_own_zeroed_memory(void **state)
{
    (void)state;
    struct pool p;
    pool_init(&p);
    for (int i = 0; i < MANY; i++)
        fill(&p, i);
    for (int i = 0; i < MANY; i += 2)
        empty(&p, i);
    for (int i = 0; i < MANY; i += 2)
        fill(&p, i);
    for (int i = 0; i < MANY; i++)
        empty(&p, i);
    pool_free(&p, NULL, 8);
    pool_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_thing_has_its_own_zeroed_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
