/* When the disk does not take what was written, nobody knows what is on it: fdatasync is this
 * test's own here, and fails when told to. */
#include "journal_fixture.h"
#include "wire/refusal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_bool fails;
static atomic_uint calls;

int fdatasync(int fd)
{
    atomic_fetch_add(&calls, 1);
    if (!atomic_load(&fails))
        return (int)syscall(SYS_fdatasync, fd);
    errno = EIO;
    return -1;
}

static struct append *one(struct fixture *f)
{
    struct append *a = append_new("ann", "", 0);
    append_send(a, "key", 1);
    append_event(f, a, "news", "x");
    fixture_do(f, &a->op);
    return a;
}

static void an_answer_is_on_the_disk(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        unsigned before = atomic_load(&calls);
        fixture_put(f, "news", "x");
        assert_true(atomic_load(&calls) > before);
    }
}

static void a_failed_sync_is_of_unknown_outcome(void **state)
{
    struct fixture *f = *state;
    fixture_put(f, "news", "before");
    atomic_store(&fails, true);
    struct append *a = one(f);
    assert_int_equal(a->op.why.code, REFUSE_UNKNOWN_OUTCOME);
    assert_int_equal(a->events[0]->id.at, 0);
    assert_true(f->j->ops->is_broken(f->j));
    append_free(a);
    atomic_store(&fails, false);
    a = one(f); /* the disk is well again, but nothing is known */
    assert_int_equal(a->op.why.code, REFUSE_UNKNOWN_OUTCOME);
    append_free(a);

    /* Opened again it is known, and the key makes one event of all the tries. */
    fixture_reopen(f);
    assert_false(f->j->ops->is_broken(f->j));
    a = one(f);
    assert_int_equal(a->op.why.code, 0);
    assert_int_equal(a->sends[0].at, 2);
    append_free(a);
    struct reading r = reading_of("news");
    fixture_read(f, &r);
    assert_string_equal(reading_text(&r), "1:news=before 2:news=x");
    reading_fini(&r);
    free(r.channels);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(an_answer_is_on_the_disk),
        ONE(a_failed_sync_is_of_unknown_outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
