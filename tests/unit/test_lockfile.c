#include "base/lockfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct folder {
    char path[64], file[80];
};

static int setup(void **state)
{
    struct folder *f = must_alloc(sizeof *f);
    snprintf(f->path, sizeof f->path, "/tmp/belfry-lock-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    snprintf(f->file, sizeof f->file, "%s/lock", f->path);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct folder *f = *state;
    unlink(f->file);
    rmdir(f->path);
    free(f);
    return 0;
}

static void test_a_second_one_is_told_who_holds_it(void **state)
{
    struct folder *f = *state;
    struct fault why = {0};
    char holder[32];
    int first = lockfile_open(f->file, &why);
    assert_true(first >= 0);
    assert_int_equal(lockfile_open(f->file, &why), -1);
    snprintf(holder, sizeof holder, "held by process %d", (int)getpid());
    assert_non_null(strstr(why.text, holder));
    assert_non_null(strstr(why.text, f->file));
    lockfile_close(first);
    int second = lockfile_open(f->file, &why);
    assert_true(second >= 0);
    lockfile_close(second);
}

static void test_one_that_is_ending_is_waited_for(void **state)
{
    struct folder *f = *state;
    struct fault why = {0};
    int status, locked[2];
    char byte;
    assert_int_equal(pipe(locked), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = lockfile_open(f->file, &why);
        ssize_t told = write(locked[1], "", 1);
        _exit(fd < 0 || told != 1);
    }
    assert_int_equal(read(locked[0], &byte, 1), 1);
    int fd = lockfile_open(f->file, &why);
    assert_true(fd >= 0);
    lockfile_close(fd);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(locked[0]);
    close(locked[1]);
}

/* However its owner ended, the file that stays holds nobody off. */
static void test_a_dead_process_holds_nothing(void **state)
{
    struct folder *f = *state;
    struct fault why = {0};
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(lockfile_open(f->file, NULL) >= 0 ? 7 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    int fd = lockfile_open(f->file, &why);
    assert_true(fd >= 0);
    lockfile_close(fd);
}

static void test_a_file_that_cannot_be_made_is_named(void **state)
{
    struct folder *f = *state;
    struct fault why = {0};
    snprintf(f->file, sizeof f->file, "%s/none/lock", f->path);
    assert_int_equal(lockfile_open(f->file, &why), -1);
    assert_non_null(strstr(why.text, "none/lock: No such file"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_second_one_is_told_who_holds_it),
        TEST(test_one_that_is_ending_is_waited_for),
        TEST(test_a_dead_process_holds_nothing),
        TEST(test_a_file_that_cannot_be_made_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
