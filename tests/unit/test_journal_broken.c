/* When the disk does not take what was written, nobody knows what is on it: fdatasync and pwrite64
 * are this test's own here, and fail when told to. */
#include "journal_fixture.h"
#include "wire/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_bool fails, is_full;
static atomic_uint calls;

/* What became of each byte of the write-ahead log. After a sync that failed the kernel shows what
 * was written, takes it for clean, and never writes it. */
enum { SYNCED, WRITTEN, LOST, BYTES = 256 * 1024 };
static unsigned char fate[BYTES];

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at)
{
    if (fixture_is_log(fd)) {
        if (atomic_load(&is_full)) {
            errno = ENOSPC;
            return -1;
        }
        assert_true((size_t)at + n <= BYTES);
        memset(fate + at, WRITTEN, n);
    }
    return syscall(SYS_pwrite64, fd, bytes, n, at);
}

int fdatasync(int fd)
{
    bool is_failure = atomic_load(&fails);
    atomic_fetch_add(&calls, 1);
    for (size_t i = 0, n = fixture_is_log(fd) ? BYTES : 0; i < n; i++)
        if (fate[i] == WRITTEN)
            fate[i] = is_failure ? LOST : SYNCED;
    if (!is_failure)
        return (int)syscall(SYS_fdatasync, fd);
    errno = EIO;
    return -1;
}

/* Then only what is on the disk is there. */
static void lose_power(struct fixture *f)
{
    char path[128];
    snprintf(path, sizeof path, "%s-wal", f->path);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    for (size_t i = 0; i < BYTES; i++)
        if (fate[i] != SYNCED)
            assert_int_equal(syscall(SYS_pwrite64, fd, "", 1, i), 1);
    close(fd);
    fixture_crash(f);
}

static void expect(struct fixture *f, const char *text)
{
    struct reading r = reading_of("news");
    fixture_read(f, &r);
    assert_string_equal(reading_text(&r), text);
    reading_fini(&r);
    free(r.channels);
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
    expect(f, "1:news=before 2:news=x");
}

/* The transaction whose sync failed is there for whoever reads, and not on the disk. */
static void fail_one(struct fixture *f)
{
    fixture_put(f, "news", "before");
    atomic_store(&fails, true);
    append_free(one(f));
    fixture_close(f);
}

static void what_follows_a_failed_sync_does_not_stand_on_sand(void **state)
{
    struct fixture *f = *state;
    fail_one(f);
    assert_false(fixture_open(f)); /* the disk is not well yet */
    assert_int_equal(f->why.code, REFUSE_UNKNOWN_OUTCOME);
    atomic_store(&fails, false);
    assert_true(fixture_open(f));
    assert_int_equal(fixture_put(f, "news", "after"), 3);
    lose_power(f);
    expect(f, "1:news=before 2:news=x 3:news=after");
}

/* Half of a checkpoint would meet a log that ends too early. */
static void nothing_is_moved_from_a_log_that_is_not_sure(void **state)
{
    struct fixture *f = *state;
    fail_one(f);
    atomic_store(&fails, false);
    atomic_store(&is_full, true);
    assert_true(fixture_open(f));
    struct append *a = one(f);
    assert_int_equal(a->op.why.code, REFUSE_DISK_FULL);
    append_free(a);
    fixture_reopen(f);
    atomic_store(&is_full, false);
    lose_power(f);
    expect(f, "1:news=before");
    struct check check = {.op = {.kind = OP_CHECK}};
    buf_init(&check.report, 1000);
    fixture_do(f, &check.op);
    assert_true(str_eq(buf_str(&check.report), STR("ok")));
    buf_fini(&check.report);
}

static void nor_does_it_where_the_disk_was_full_meanwhile(void **state)
{
    struct fixture *f = *state;
    fail_one(f);
    atomic_store(&fails, false);
    atomic_store(&is_full, true);
    assert_true(fixture_open(f));
    assert_true(f->state.is_full);
    expect(f, "1:news=before 2:news=x");
    atomic_store(&is_full, false);
    assert_int_equal(fixture_put(f, "news", "after"), 3);
    lose_power(f);
    expect(f, "1:news=before 2:news=x 3:news=after");
}

static void a_sync_that_fails_at_the_very_end_is_told(void **state)
{
    struct fixture *f = *state;
    struct fault why = {0};
    fixture_put(f, "news", "before");
    atomic_store(&fails, true);
    assert_false(f->j->ops->is_broken(f->j));
    assert_false(journal_sqlite_close(f->j, &why));
    assert_int_equal(why.code, REFUSE_UNKNOWN_OUTCOME);
    f->j = NULL;
    atomic_store(&fails, false);
    fixture_reopen(f);
    expect(f, "1:news=before");
}

static void a_sync_that_fails_while_the_disk_is_full_is_not_forgotten(void **state)
{
    struct fixture *f = *state;
    fixture_put(f, "news", "before");
    atomic_store(&is_full, true);
    atomic_store(&fails, true);
    struct append *a = one(f);
    assert_int_equal(a->op.why.code, REFUSE_DISK_FULL);
    append_free(a);
    assert_true(f->j->ops->is_broken(f->j));
    atomic_store(&is_full, false);
    atomic_store(&fails, false);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(an_answer_is_on_the_disk),
        ONE(a_failed_sync_is_of_unknown_outcome),
        ONE(what_follows_a_failed_sync_does_not_stand_on_sand),
        ONE(nor_does_it_where_the_disk_was_full_meanwhile),
        ONE(a_sync_that_fails_at_the_very_end_is_told),
        ONE(a_sync_that_fails_while_the_disk_is_full_is_not_forgotten),
        ONE(nothing_is_moved_from_a_log_that_is_not_sure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
