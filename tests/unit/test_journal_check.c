/* What a start refuses a check finds, and a recovery mends: nobody is sent from one to the other
 * for nothing. */
#include "base/log.h"
#include "journal_check.h"
#include "journal_original.h"
#include "journal_recover.h"

static bool is_found_whole(struct fixture *f)
{
    struct buf report;
    buf_init(&report, REPORT);
    bool is_whole = check_file(f->path, &report, &f->why) && str_eq(buf_str(&report), STR("ok"));
    buf_fini(&report);
    return is_whole;
}

static void expect_doubted(struct fixture *f, const char *what)
{
    if (is_found_whole(f))
        fail_msg("a check finds nothing: %s", what);
    if (fixture_open(f))
        fail_msg("it starts: %s", what);
}

static void expect_mended(struct fixture *f, const char *what)
{
    struct recovered r;
    struct fault why;
    if (!journal_recover(f->path, &r, &why))
        fail_msg("%s: %s", why.text, what);
    if (!is_found_whole(f))
        fail_msg("a recovery does not mend it: %s", what);
    if (!fixture_open(f))
        fail_msg("%s: %s", f->why.text, what);
    fixture_close(f);
}

static void what_a_start_refuses_a_check_finds_and_a_recovery_mends(void **state)
{
    struct fixture *f = *state;
    char other[128];
    static const char *const changes[] = {
        "DELETE FROM meta",
        "UPDATE meta SET head = -1",
        "UPDATE meta SET time = -1",
        "UPDATE meta SET counted = head + 1",
        "UPDATE meta SET floor = head + 1",
        "UPDATE meta SET forgotten = floor + 1",
        "UPDATE meta SET head = head - 1, counted = counted - 1",
        "UPDATE epoch SET name = 'none' WHERE number = 1",
        "UPDATE epoch SET first = 99999 WHERE number = 1",
        "UPDATE event SET flags = 7 WHERE position = 2400",
        "UPDATE event SET time = time + 86400000 WHERE position = 2400",
        ("UPDATE event SET size = 1 WHERE position = 2400; UPDATE channel SET bytes ="
         " (SELECT sum(size) FROM event WHERE channel = row)"),
        ("UPDATE event SET size = 1 << 61 WHERE position = 2400; UPDATE channel SET bytes ="
         " (SELECT sum(size) FROM event WHERE channel = row)"),
        "UPDATE event SET channel = 99 WHERE position = 2400",
        "DROP INDEX event_channel",
        "UPDATE channel SET name = '' WHERE row = 3",
        "UPDATE channel SET name = 'ro' || char(10) || 'om' WHERE row = 3",
        "UPDATE channel SET last = 99999 WHERE row = 3",
        "UPDATE channel SET floor = 99999 WHERE row = 3",
        "UPDATE channel SET count = 99999 WHERE row = 3",
        "UPDATE channel SET bytes = -1 WHERE row = 3",
        "INSERT INTO channel (row, name) VALUES (0, 'none')",
        "INSERT INTO account (kind, user, name, value, time) VALUES ('odd', 'ann', '', 9, 1)",
        "INSERT INTO account (kind, user, name, value, time) VALUES ('user', '', '', 0, 1)",
        "INSERT INTO account (kind, user, name, value, time) VALUES ('seen', 'a:b', '', 0, 1)",
        "INSERT INTO account (kind, user, name, value, time) VALUES ('before', 'ann', 'x', 0, 1)",
    };
    original_put_changed(f, "UPDATE meta SET restored = 1");
    assert_true(is_found_whole(f));
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        original_put_changed(f, changes[i]);
        expect_doubted(f, changes[i]);
        expect_mended(f, changes[i]);
    }
    snprintf(other, sizeof other, "%s.recovered", f->path);
    original_put_changed(f, "");
    saved_store(&original.clean, other);
    expect_doubted(f, "a recovery that was not finished");
    original_put_changed(f, "");
    snprintf(other, sizeof other, "%s-wal", f->path);
    struct saved backup = original.clean;
    backup.bytes[18] = 6;
    original_empty(f);
    saved_store(&backup, f->path);
    expect_doubted(f, "a head that lets nobody write");
    expect_mended(f, "a head that lets nobody write");
    backup.bytes[18] = backup.bytes[19] = 1; /* as copies are */
    original_empty(f);
    saved_store(&backup, f->path);
    saved_store(&original.wal, other);
    expect_doubted(f, "the write-ahead log of another file");
    original_empty(f);
    backup.size -= PAGE / 2;
    saved_store(&backup, f->path);
    expect_doubted(f, "cut off within a page");
}

static void files_of_older_versions_are_found_whole(void **state)
{
    struct fixture *f = *state;
    original_put_changed(f, "DROP TABLE account; ALTER TABLE meta DROP COLUMN account;"
                            "PRAGMA user_version = 1");
    assert_true(is_found_whole(f));
    assert_true(fixture_open(f));
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, original_make, original_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(what_a_start_refuses_a_check_finds_and_a_recovery_mends),
        ONE(files_of_older_versions_are_found_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
