#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { BLOCK = 4000, BLOCKS = 8192, PAGE = 4096 };

static size_t resident(void)
{
    unsigned long total = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(2, fscanf(f, "%lu %lu", &total, &pages));
    fclose(f);
    return pages * PAGE;
}

/* Leaves a hole of 32 MB below a block that stays. */
static void *burst(void)
{
    static void *v[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        memset(v[i] = must_alloc(BLOCK), 1, BLOCK);
    void *last = must_alloc(BLOCK);
    for (size_t i = 0; i < BLOCKS; i++)
        free(v[i]);
    return last;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { IS_GLIBC = 0 }; /* a sanitizer's allocator is another */
#else
enum { IS_GLIBC = 1 };
#endif

static void what_a_burst_needed_goes_back_once_a_minute(void **state)
{
    (void)state;
    Msec next = 0;
    memory_tidy(1000, &next);
    assert_true(next >= 61000);
    next = 61000; /* however long it took */
    size_t before = resident();
    void *first = burst();
    memory_tidy(60999, &next);
    assert_int_equal(next, 61000);
    assert_true(!IS_GLIBC || resident() > before + BLOCK * BLOCKS / 2);
    memory_tidy(61000, &next);
    assert_true(next >= 121000);
    assert_true(!IS_GLIBC || resident() < before + BLOCK * BLOCKS / 8);
    free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_burst_needed_goes_back_once_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
