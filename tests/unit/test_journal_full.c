/* The disk is full, but for what the files have: where the index of the write-ahead log cannot
 * grow, a publish is refused before anything of it is written. pwrite64 is this test's own. */
#include "journal_fixture.h"
#include "wire/refusal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_bool is_full;

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at)
{
    if (atomic_load(&is_full) && !fixture_is_log(fd)) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, bytes, n, at);
}

static int put_code(struct fixture *f, const char *data)
{
    struct append *a = append_new("", "", 0);
    append_send(a, "", 0);
    append_event(f, a, "news", data);
    fixture_do(f, &a->op);
    int code = a->op.why.code;
    append_free(a);
    return code;
}

static void an_index_that_cannot_grow_refuses_and_no_more(void **state)
{
    struct fixture *f = *state;
    enum { SIZE = 100000, MOST = 2000 };
    char *data = must_alloc(SIZE);
    memset(data, 'x', SIZE - 1);
    fixture_put(f, "news", "before");
    atomic_store(&is_full, true);
    Position last = 1;
    int code;
    while ((code = put_code(f, data)) == 0 && last < MOST)
        last++;
    assert_int_equal(code, REFUSE_DISK_FULL);
    assert_false(f->j->ops->is_broken(f->j));
    atomic_store(&is_full, false);
    fixture_crash(f); /* what was refused is not there */
    assert_int_equal(f->state.head, last);
    assert_int_equal(put_code(f, data), 0);
    free(data);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {ONE(an_index_that_cannot_grow_refuses_and_no_more)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
