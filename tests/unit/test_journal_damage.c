/* What a damaged file does to a start, and to a journal that is open: it is refused, or it stops;
 * it is never served as if it were whole. */
#include "journal_db.h"
#include "journal_fixture.h"
#include "wire/refusal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, EVENTS = 3000 };

/* The pages of a new file, in the order of schema.sql: each root. */
enum root { HEAD = 1, EVENT_ROOT, EVENT_CHANNEL_ROOT, CHANNEL_ROOT, NAMES_ROOT };

static void overwrite(const char *path, off_t at, const char *bytes, size_t n)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    close(fd);
}

static void spoil_page(const char *path, off_t page)
{
    char garbage[PAGE];
    memset(garbage, 0x5a, sizeof garbage);
    overwrite(path, (page - 1) * PAGE, garbage, sizeof garbage);
}

static off_t size_of(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 ? s.st_size : -1;
}

static void expect_refused(struct fixture *f, int code, const char *word)
{
    assert_false(fixture_open(f));
    assert_int_equal(f->why.code, code);
    assert_non_null(strstr(f->why.text, word));
}

/* The hub notes its figures now and then; a start counts what was not noted. */
static void close_noted(struct fixture *f)
{
    fixture_reopen(f);
    fixture_close(f);
}

/* So many events on ten channels, in transactions of a hundred. */
static void fill(struct fixture *f, int n)
{
    char name[16], data[64];
    for (int i = 0; i < n;) {
        struct append *a = append_new("", "", 0);
        for (int k = 0; k < 100; k++, i++) {
            append_send(a, "", 0);
            snprintf(name, sizeof name, "room:%d", i % 10);
            snprintf(data, sizeof data, "event %d, and some words beside it", i + 1);
            append_event(f, a, name, data);
        }
        fixture_do(f, &a->op);
        assert_int_equal(a->op.why.code, 0);
        append_free(a);
    }
}

/* Finds bytes in the file. */
static off_t find(const char *path, const char *bytes)
{
    off_t size = size_of(path), at = -1;
    char *whole = must_alloc((size_t)size);
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, whole, (size_t)size), size);
    close(fd);
    const char *found = memmem(whole, (size_t)size, bytes, strlen(bytes));
    if (found)
        at = found - whole;
    free(whole);
    return at;
}

static void damage_in_head_schema_meta_channels_or_newest_events_refuses_to_start(void **state)
{
    struct fixture *f = *state;
    fill(f, EVENTS);
    close_noted(f);
    off_t pages = size_of(f->path) / PAGE;
    static const off_t roots[] = {EVENT_ROOT, EVENT_CHANNEL_ROOT, CHANNEL_ROOT, NAMES_ROOT};
    char saved[PAGE];
    for (size_t i = 0; i <= COUNT_OF(roots); i++) {
        off_t page = i < COUNT_OF(roots) ? roots[i] : find(f->path, "event 2990,") / PAGE + 1;
        assert_in_range(page, 1, pages);
        int fd = open(f->path, O_RDWR);
        assert_int_equal(pread(fd, saved, PAGE, (page - 1) * PAGE), PAGE);
        spoil_page(f->path, page);
        expect_refused(f, REFUSE_DAMAGED, "");
        assert_int_equal(pwrite(fd, saved, PAGE, (page - 1) * PAGE), PAGE);
        close(fd);
    }
    assert_true(fixture_open(f)); /* nothing was written meanwhile */
    assert_int_equal(f->state.epoch_count, 3);
    fixture_close(f);
    overwrite(f->path, 0, "xxxx", 4);
    expect_refused(f, REFUSE_DAMAGED, "head");
    overwrite(f->path, 0, "SQLi", 4);
    off_t table = find(f->path, "CREATE TABLE epoch");
    overwrite(f->path, table, "CREATE TABEL epoch", 18);
    expect_refused(f, REFUSE_DAMAGED, "schema");
}

static void a_name_that_changed_is_damage(void **state)
{
    struct fixture *f = *state;
    fill(f, 100);
    fixture_close(f);
    off_t at = find(f->path, "room:7");
    overwrite(f->path, at, "rope:7", 6);
    expect_refused(f, REFUSE_DAMAGED, "channel");
    overwrite(f->path, at, "ro\nm:7", 6);
    expect_refused(f, REFUSE_DAMAGED, "channel");
}

static void meta_that_contradicts_itself_is_damage(void **state)
{
    struct fixture *f = *state;
    struct db db;
    fill(f, 100);
    close_noted(f);
    assert_true(db_open(&db, f->path, DB_WRITES, &f->why));
    assert_true(db_exec(&db, "UPDATE meta SET head = 50"));
    db_close(&db);
    expect_refused(f, REFUSE_DAMAGED, "meta");
    assert_true(db_open(&db, f->path, DB_WRITES, &f->why));
    assert_true(db_exec(&db, "UPDATE meta SET head = 90, counted = 0"));
    db_close(&db);
    expect_refused(f, REFUSE_DAMAGED, "event 100");
    assert_true(db_open(&db, f->path, DB_WRITES, &f->why));
    assert_true(db_exec(&db, "DELETE FROM meta"));
    db_close(&db);
    expect_refused(f, REFUSE_DAMAGED, "no row");
}

static void damage_that_a_reader_meets_stops_the_journal(void **state)
{
    struct fixture *f = *state;
    struct fault why = {0};
    fill(f, EVENTS);
    close_noted(f);
    off_t page = find(f->path, "event 1000,") / PAGE + 1;
    spoil_page(f->path, page);
    assert_true(fixture_open(f)); /* it lies far back */
    assert_false(f->j->ops->is_broken(f->j));
    struct reading r = reading_of("room:*");
    r.after = 990;
    fixture_do(f, &r.op);
    assert_int_equal(r.op.why.code, REFUSE_DAMAGED);
    assert_true(f->j->ops->is_broken(f->j));
    reading_fini(&r);
    free(r.channels);

    /* Nothing is taken any more, and what was acknowledged is still there. */
    struct append *a = append_new("", "", 0);
    append_send(a, "", 0);
    append_event(f, a, "room:1", "x");
    fixture_do(f, &a->op);
    assert_int_equal(a->op.why.code, REFUSE_UNKNOWN_OUTCOME);
    append_free(a);
    assert_false(journal_sqlite_close(f->j, &why));
    f->j = NULL;
    assert_int_equal(why.code, REFUSE_DAMAGED);
    assert_non_null(strstr(why.text, "malformed"));
    fixture_reopen(f);
    assert_int_equal(f->state.head, EVENTS);
}

static void an_event_that_only_its_index_knows_is_damage(void **state)
{
    struct fixture *f = *state;
    struct db db;
    fill(f, EVENTS);
    close_noted(f);
    assert_true(db_open(&db, f->path, DB_WRITES, &f->why));
    assert_true(db_exec(&db, "UPDATE event SET channel = 99 WHERE position = 500"));
    db_close(&db);
    assert_true(fixture_open(f));
    struct reading r = reading_of("room:*");
    fixture_do(f, &r.op); /* by the index: it never comes to see it */
    reading_fini(&r);
    free(r.channels);
    fixture_close(f);
    assert_true(db_open(&db, f->path, DB_WRITES, &f->why));
    assert_true(db_exec(&db, "UPDATE event SET channel = 1 WHERE position = 500;"
                             "DELETE FROM channel WHERE name = 'room:5'"));
    db_close(&db);
    expect_refused(f, REFUSE_DAMAGED, "event");
}

static void damage_far_back_is_found_by_a_check(void **state)
{
    struct fixture *f = *state;
    struct check check = {.op = {.kind = OP_CHECK}};
    buf_init(&check.report, 100000);
    fill(f, EVENTS);
    fixture_do(f, &check.op);
    assert_true(str_eq(buf_str(&check.report), STR("ok")));
    close_noted(f);
    spoil_page(f->path, find(f->path, "event 1000,") / PAGE + 1);
    assert_true(fixture_open(f));
    buf_clear(&check.report);
    fixture_do(f, &check.op);
    assert_int_equal(check.op.why.code, 0);
    assert_false(str_eq(buf_str(&check.report), STR("ok")));
    assert_false(f->j->ops->is_broken(f->j)); /* who asks is told; the others go on */
    buf_fini(&check.report);
}

/* ---- files that do not belong together ---- */

static void a_write_ahead_log_without_its_file_is_refused(void **state)
{
    struct fixture *f = *state;
    char copy[128], wal[128];
    fill(f, 500);
    snprintf(copy, sizeof copy, "%s/copy.db", f->folder);
    snprintf(wal, sizeof wal, "%s-wal", f->path);
    struct backup b = {.op = {.kind = OP_BACKUP}, .path = copy};
    fixture_do(f, &b.op);
    assert_int_equal(b.op.why.code, 0);
    fill(f, 500);
    int fd = open(wal, O_RDONLY);
    off_t size = size_of(wal);
    assert_true(size > 0);
    char *log = must_alloc((size_t)size);
    assert_int_equal(read(fd, log, (size_t)size), size);
    close(fd);
    fixture_close(f);

    /* A backup is put back after a kill -9, and what that left behind was forgotten. */
    assert_int_equal(rename(copy, f->path), 0);
    overwrite(wal, 0, log, (size_t)size);
    expect_refused(f, REFUSE_DAMAGED, "move it away");
    assert_int_equal(size_of(wal), size);
    assert_int_equal(truncate(f->path, 0), 0);
    expect_refused(f, REFUSE_DAMAGED, "is empty");
    assert_int_equal(size_of(wal), size);
    assert_int_equal(unlink(f->path), 0); /* moved away by itself: the log is all there is */
    expect_refused(f, REFUSE_DAMAGED, "is missing");
    assert_int_equal(size_of(wal), size);
    unlink(wal);
    assert_true(fixture_open(f)); /* nothing at all is a new log */
    assert_string_equal(fixture_epoch(f)->reason, "fresh");
    free(log);
}

/* ---- a full disk ---- */

static void limit_files(rlim_t bytes)
{
    struct rlimit l;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
    l.rlim_cur = bytes < l.rlim_max ? bytes : l.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static int put_code(struct fixture *f, Position *at)
{
    struct append *a = append_new("", "", 0);
    append_send(a, "", 0);
    append_event(f, a, "room:1", "more");
    fixture_do(f, &a->op);
    int code = a->op.why.code;
    *at = a->sends[0].at;
    append_free(a);
    return code;
}

/* Killed while the disk was full: readers are served, publishes are refused, and all goes on by
 * itself when there is room. */
static void a_start_on_a_full_disk_holds_in_memory(void **state)
{
    struct fixture *f = *state;
    char wal[128];
    Position at;
    signal(SIGXFSZ, SIG_IGN);
    fill(f, 1000);
    fixture_crash(f);
    fill(f, 100);
    snprintf(wal, sizeof wal, "%s-wal", f->path);
    for (int i = 0; i < 3; i++) { /* kill after kill */
        limit_files((rlim_t)size_of(wal));
        fixture_crash(f);
        assert_true(f->state.is_full);
        assert_int_equal(f->state.head, 1100);
        assert_int_equal(f->state.epoch_count, 3);
        assert_int_equal(fixture_channel(f, "room:3")->is.count, 110);
        assert_int_equal(put_code(f, &at), REFUSE_DISK_FULL);
        struct reading r = reading_of("room:*");
        r.after = 1000;
        fixture_read(f, &r);
        assert_int_equal(r.n, 100);
        reading_fini(&r);
        free(r.channels);
    }
    limit_files(RLIM_INFINITY);
    assert_int_equal(put_code(f, &at), 0);
    assert_int_equal(at, 1101);
    uint64_t epoch = fixture_epoch(f)->name;
    fixture_crash(f);
    assert_false(f->state.is_full);
    assert_int_equal(f->state.epoch_count, 4);
    assert_int_equal(f->state.epochs[2].name, epoch);
    assert_int_equal(f->state.epochs[2].first, 1101);
    assert_int_equal(fixture_channel(f, "room:1")->is.count, 111);
    struct check check = {.op = {.kind = OP_CHECK}};
    buf_init(&check.report, 1000);
    fixture_do(f, &check.op);
    assert_true(str_eq(buf_str(&check.report), STR("ok")));
    buf_fini(&check.report);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(damage_in_head_schema_meta_channels_or_newest_events_refuses_to_start),
        ONE(a_name_that_changed_is_damage),
        ONE(meta_that_contradicts_itself_is_damage),
        ONE(damage_that_a_reader_meets_stops_the_journal),
        ONE(an_event_that_only_its_index_knows_is_damage),
        ONE(damage_far_back_is_found_by_a_check),
        ONE(a_write_ahead_log_without_its_file_is_refused),
        ONE(a_start_on_a_full_disk_holds_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
