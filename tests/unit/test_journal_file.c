#include "journal_fixture.h"
#include "journal_schema.h"
#include "wire/accounts.h"
#include "wire/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { VERSION_AT = 60, APPLICATION_AT = 68 }; /* in the head of the file, four bytes */

static void overwrite(const char *path, off_t at, const char *bytes, size_t n)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    close(fd);
}

static char *content(const char *path, size_t *size)
{
    struct stat s;
    int fd = open(path, O_RDONLY);
    assert_int_equal(fstat(fd, &s), 0);
    char *bytes = must_alloc((size_t)s.st_size);
    assert_int_equal(read(fd, bytes, (size_t)s.st_size), s.st_size);
    close(fd);
    *size = (size_t)s.st_size;
    return bytes;
}

static void expect_refused(struct fixture *f, int code, const char *word)
{
    assert_false(fixture_open(f));
    assert_int_equal(f->why.code, code);
    assert_non_null(strstr(f->why.text, word));
}

/* ---- epochs ---- */

static void every_start_opens_an_epoch(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(f->state.epoch_count, 1);
    assert_string_equal(fixture_epoch(f)->reason, "fresh");
    assert_int_equal(fixture_epoch(f)->first, 0);
    uint64_t first = fixture_epoch(f)->name;
    fixture_reopen(f); /* nothing was written in the first one but its position 0 is its own */
    assert_int_equal(fixture_epoch(f)->first, 1);
    assert_int_equal(fixture_put(f, "news", "x"), 1);
    assert_int_equal(fixture_put(f, "news", "x"), 2);
    uint64_t second = fixture_epoch(f)->name;
    fixture_crash(f);
    assert_int_equal(f->state.epoch_count, 3);
    assert_int_equal(f->state.head, 2);
    assert_int_equal(f->state.epochs[0].name, first);
    assert_int_equal(f->state.epochs[1].name, second);
    assert_string_equal(fixture_epoch(f)->reason, "start");
    assert_int_equal(fixture_epoch(f)->first, 3);
    assert_int_not_equal(fixture_epoch(f)->name, second);
    fixture_put(f, "news", "x");

    struct reading r = reading_of("news");
    fixture_read(f, &r);
    assert_int_equal(r.n, 3);
    assert_int_equal(r.events[0]->id.epoch, second);
    assert_int_equal(r.events[1]->id.epoch, second);
    assert_int_equal(r.events[2]->id.epoch, fixture_epoch(f)->name);
    reading_fini(&r);
    free(r.channels);
}

static void positions_are_never_used_twice(void **state)
{
    struct fixture *f = *state;
    fixture_put(f, "news", "x");
    fixture_put(f, "news", "x");
    fixture_prune(f, "news", 2); /* the log is empty */
    fixture_reopen(f);
    assert_int_equal(f->state.head, 2);
    assert_int_equal(fixture_put(f, "news", "x"), 3);
}

/* ---- backups ---- */

/* Appends one event, and says whether the backup came back meanwhile. */
static bool append_during(struct fixture *f, const struct op *backup)
{
    bool backed_up = false;
    struct append *a = append_new("", "", 0);
    append_send(a, "", 0);
    append_event(f, a, "news", "y");
    fixture_submit(f, &a->op);
    f->j->ops->flush(f->j);
    for (struct op *done; (done = fixture_wait(f)) != &a->op;)
        backed_up = done == backup;
    assert_int_equal(a->op.why.code, 0);
    append_free(a);
    return backed_up;
}

/* Makes it; the answer is how many events were appended before it came back. */
static size_t backup_under_writes(struct fixture *f, struct backup *b)
{
    size_t meanwhile = 1;
    fixture_submit(f, &b->op);
    f->j->ops->flush(f->j);
    while (!append_during(f, &b->op))
        meanwhile++;
    assert_int_equal(b->op.why.code, 0);
    return meanwhile;
}

static void a_backup_has_what_is_written_meanwhile(void **state)
{
    struct fixture *f = *state;
    char path[128], data[4000] = "";
    memset(data, 'x', sizeof data - 1);
    size_t before = 500, meanwhile = 0;
    for (size_t i = 0; i < before; i++)
        fixture_put(f, "news", data);
    struct backup b = {.op = {.kind = OP_BACKUP}, .path = path};
    /* On a busy machine a copy may be whole before the next event comes. */
    for (int tries = 0; tries < 100 && meanwhile <= 2; tries++) {
        before += meanwhile;
        snprintf(path, sizeof path, "%s/backup-%d.db", f->folder, tries);
        meanwhile = backup_under_writes(f, &b);
    }
    assert_true(meanwhile > 2);
    assert_true(b.pages_total > 500 && b.pages_done == b.pages_total);
    f->options.path = path;
    fixture_reopen(f);
    /* The last one or two came when the copy was whole. */
    assert_in_range(f->state.head, before + meanwhile - 2, before + meanwhile);
    struct check check = {.op = {.kind = OP_CHECK}};
    buf_init(&check.report, 1000);
    fixture_do(f, &check.op);
    assert_true(str_eq(buf_str(&check.report), STR("ok")));
    buf_fini(&check.report);
}

static void a_backup_says_that_it_was_restored(void **state)
{
    struct fixture *f = *state;
    char path[128], other[160];
    snprintf(path, sizeof path, "%s/backup.db", f->folder);
    struct backup b = {.op = {.kind = OP_BACKUP}, .path = path};
    fixture_put(f, "news", "a");
    uint64_t first = fixture_epoch(f)->name;
    fixture_do(f, &b.op);
    assert_int_equal(b.op.why.code, 0);
    fixture_put(f, "news", "lost");
    fixture_do(f, &b.op); /* it is there already */
    assert_int_equal(b.op.why.code, REFUSE_WRONG_FIELD);

    f->options.path = path;
    fixture_reopen(f);
    assert_string_equal(fixture_epoch(f)->reason, "restored");
    assert_int_equal(fixture_epoch(f)->first, 2);
    assert_int_equal(f->state.epochs[0].name, first);
    assert_int_equal(fixture_put(f, "news", "b"), 2);
    fixture_reopen(f);
    assert_string_equal(fixture_epoch(f)->reason, "start");

    snprintf(other, sizeof other, "%s/no/such/folder.db", f->folder);
    b.path = other;
    fixture_do(f, &b.op);
    assert_int_equal(b.op.why.code, REFUSE_INTERNAL);
}

/* What was acknowledged meanwhile is in the write-ahead log alone. */
static void a_file_that_was_replaced_keeps_its_log(void **state)
{
    struct fixture *f = *state;
    char path[128], wal[128];
    struct stat s;
    snprintf(path, sizeof path, "%s/backup.db", f->folder);
    snprintf(wal, sizeof wal, "%s-wal", f->path);
    struct backup b = {.op = {.kind = OP_BACKUP}, .path = path};
    fixture_do(f, &b.op);
    assert_int_equal(b.op.why.code, 0);
    assert_int_equal(rename(path, f->path), 0);
    fixture_put(f, "news", "acknowledged");
    fixture_close(f);
    assert_int_equal(stat(wal, &s), 0);
    assert_true(s.st_size > 0);
    expect_refused(f, REFUSE_DAMAGED, "move it away");
    unlink(wal);
    assert_true(fixture_open(f));
}

/* ---- what is not a journal of this version ---- */

/* Stands before the library's, for filesystems that know no RENAME_NOREPLACE; and somebody's file
 * of that name may come at the last moment. */
static struct {
    _Atomic int error;
    _Atomic bool is_taken;
} rename_says;

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
    if (rename_says.is_taken)
        overwrite(to, 0, "theirs", 6);
    if (!rename_says.error)
        return (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
    errno = rename_says.error;
    return -1;
}

static void a_backup_gets_its_name_on_nfs_too(void **state)
{
    struct fixture *f = *state;
    static const int errors[] = {EINVAL, ENOSYS, 0};
    char path[128], part[160];
    struct backup b = {.op = {.kind = OP_BACKUP}, .path = path};
    fixture_put(f, "news", "a");
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        rename_says.error = errors[i];
        snprintf(path, sizeof path, "%s/backup-%zu.db", f->folder, i);
        snprintf(part, sizeof part, "%s.part", path);
        fixture_do(f, &b.op);
        assert_int_equal(b.op.why.code, 0);
        assert_int_not_equal(access(part, F_OK), 0);

        size_t size;
        snprintf(path, sizeof path, "%s/taken-%zu.db", f->folder, i);
        rename_says.is_taken = true;
        fixture_do(f, &b.op);
        rename_says.is_taken = false;
        assert_non_null(strstr(b.op.why.text, strerror(EEXIST)));
        char *bytes = content(path, &size);
        assert_int_equal(size, 6);
        assert_memory_equal(bytes, "theirs", 6);
        free(bytes);
    }
    f->options.path = path;
    snprintf(path, sizeof path, "%s/backup-0.db", f->folder);
    fixture_reopen(f);
    assert_string_equal(fixture_epoch(f)->reason, "restored");
}

static void a_newer_file_is_refused(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    overwrite(f->path, VERSION_AT, "\0\0\0\x63", 4);
    size_t before, after;
    char *was = content(f->path, &before);
    expect_refused(f, REFUSE_CONFIG, "version 99");
    char *is = content(f->path, &after);
    assert_int_equal(before, after);
    assert_memory_equal(was, is, before);
    free(was);
    free(is);
}

static void another_file_is_refused(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    overwrite(f->path, APPLICATION_AT, "\0\0\0\x01", 4);
    expect_refused(f, REFUSE_CONFIG, "not a journal");
    overwrite(f->path, 0, "This is a diary. Dear diary", 27);
    expect_refused(f, REFUSE_DAMAGED, "head"); /* behind it all is as in a journal */
    assert_int_equal(truncate(f->path, 0), 0);
    overwrite(f->path, 0, "This is a diary. Dear diary", 27);
    expect_refused(f, REFUSE_CONFIG, "not a journal");
    unlink(f->path);
    mkdir(f->path, 0700);
    expect_refused(f, REFUSE_INTERNAL, f->path);
    rmdir(f->path);
    assert_true(fixture_open(f));
}

/* ---- upgrades ---- */

static void an_older_file_is_brought_up_to_date(void **state)
{
    static const struct upgrade steps[] = {
        {SQL_VERSION + 1, "ALTER TABLE channel ADD COLUMN colour TEXT"},
        {SQL_VERSION + 1, "UPDATE channel SET colour = 'blue'"},
        {SQL_VERSION + 2, "ALTER TABLE channel DROP COLUMN colour"},
        {SQL_VERSION + 2, "ALTER TABLE channel DROP COLUMN weight"}, /* there is none */
    };
    struct fixture *f = *state;
    struct db db;
    struct fault why;
    fixture_put(f, "news", "x");
    fixture_close(f);
    assert_true(schema_open(&db, f->path, &why));
    assert_false(schema_upgrade(&db, steps, COUNT_OF(steps), SQL_VERSION + 2, &why));
    assert_non_null(strstr(why.text, "weight"));
    /* What failed was undone, what went before it was not. */
    assert_int_equal(db_number(&db, QUERY_VERSION), SQL_VERSION + 1);
    assert_true(db_exec(&db, "UPDATE channel SET colour = 'red' WHERE colour = 'blue'"));
    assert_int_equal(db_changes(&db), 1);
    assert_true(schema_upgrade(&db, steps, COUNT_OF(steps) - 1, SQL_VERSION + 2, &why));
    assert_int_equal(db_number(&db, QUERY_VERSION), SQL_VERSION + 2);
    db_close(&db);
    expect_refused(f, REFUSE_CONFIG, "newer");
}

/* What version 1 did not have is taken away; then it is as one that is made new. */
static void a_file_of_version_1_gets_a_table_of_users(void **state)
{
    struct fixture *f = *state;
    struct db db;
    struct fault why;
    fixture_put(f, "news", "x");
    fixture_close(f);
    assert_true(schema_open(&db, f->path, &why));
    assert_true(db_exec(&db, "DROP TABLE account; ALTER TABLE meta DROP COLUMN account;"
                             "PRAGMA user_version = 1"));
    db_close(&db);
    assert_true(schema_open(&db, f->path, &why));
    assert_int_equal(db_number(&db, QUERY_VERSION), SQL_VERSION);
    assert_true(db_number(&db, QUERY_ACCOUNT_ROOT) > 1);
    assert_true(db_exec(&db, "INSERT INTO account (kind, user, name, value, time)"
                             " VALUES ('grant', 'ann', 'room:*', 1, 7)"));
    db_close(&db);
    assert_true(fixture_open(f));
    struct accounts rows;
    accounts_init(&rows);
    accounts_take(&rows, str_make(f->state.accounts, f->state.accounts_len));
    assert_non_null(accounts_find(&rows, ACCOUNT_GRANT, STR("ann"), STR("room:*")));
    accounts_fini(&rows);
}

static void rows_about_users_are_kept_and_taken_away(void **state)
{
    struct fixture *f = *state;
    struct account_op o = {.op = {.kind = OP_ACCOUNT}};
    struct msg_account ann = {.kind = ACCOUNT_USER, .user = STR("ann"), .time = 5},
                       jti = {.kind = ACCOUNT_ID, .user = STR(""), .name = STR("x"), .time = 6};
    struct accounts rows;
    ann.name = STR("");
    for (int pass = 0; pass < 2; pass++) {
        buf_init(&o.rows, 4096);
        ann.value = 1;
        ann.gone = pass == 1;
        account_put(&o.rows, &ann);
        account_put(&o.rows, &jti);
        fixture_do(f, &o.op);
        assert_int_equal(o.op.why.code, 0);
        buf_fini(&o.rows);
        fixture_crash(f);
        accounts_init(&rows);
        accounts_take(&rows, str_make(f->state.accounts, f->state.accounts_len));
        assert_int_equal(rows.rows.len, 2 - pass);
        assert_int_equal(accounts_admit(&rows, STR("ann"), STR(""), 9), pass == 1);
        assert_false(accounts_admit(&rows, STR("bob"), STR("=x"), 9));
        accounts_fini(&rows);
    }
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(every_start_opens_an_epoch),
        ONE(positions_are_never_used_twice),
        ONE(a_backup_has_what_is_written_meanwhile),
        ONE(a_backup_says_that_it_was_restored),
        ONE(a_file_that_was_replaced_keeps_its_log),
        ONE(a_backup_gets_its_name_on_nfs_too),
        ONE(a_newer_file_is_refused),
        ONE(another_file_is_refused),
        ONE(an_older_file_is_brought_up_to_date),
        ONE(a_file_of_version_1_gets_a_table_of_users),
        ONE(rows_about_users_are_kept_and_taken_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
