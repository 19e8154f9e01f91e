/* Damage at random, hundreds of times: a start, a check and a recovery never crash; what is served
 * is what was written; and whoever missed something is told. */
#include "base/log.h"
#include "journal_check.h"
#include "journal_db.h"
#include "journal_original.h"
#include "journal_recover.h"
#include "tests/sim/dice.h"
#include "wire/accounts.h"
#include "wire/refusal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TIMES = 200 };

/* ---- damage ---- */

static void spoil(struct saved *s, struct dice *d, bool zeros)
{
    size_t pages = s->size / PAGE, page = dice_roll(d, pages);
    for (size_t i = 0; i < PAGE; i++)
        s->bytes[page * PAGE + i] = zeros ? 0 : (char)dice_draw(d);
}

static void flip(struct saved *s, struct dice *d)
{
    for (uint64_t n = 1 + dice_roll(d, 8); n > 0; n--)
        s->bytes[dice_roll(d, s->size)] ^= (char)(1 + dice_roll(d, 255));
}

enum damage { PAGES, ZEROS, CUT, LOG_CUT, LOG_SPOILED, LOG_GONE, FLIPPED, HEAD_FLIPPED, DAMAGES };

/* Puts a damaged copy into the folder; the same dice make the same one again. */
static enum damage damage(struct fixture *f, struct dice d)
{
    char wal[128];
    bool killed = dice_luck(&d, 50);
    struct saved db = killed ? original.db : original.clean, log = original.wal;
    enum damage what = (enum damage)dice_roll(&d, DAMAGES);
    snprintf(wal, sizeof wal, "%s-wal", f->path);
    db.bytes = must_copy(db.bytes, db.size);
    log.bytes = must_copy(log.bytes, log.size);
    if (what == PAGES || what == ZEROS)
        for (uint64_t n = 1 + dice_roll(&d, 3); n > 0; n--)
            spoil(&db, &d, what == ZEROS);
    if (what == FLIPPED)
        flip(&db, &d);
    if (what == HEAD_FLIPPED)
        db.bytes[dice_roll(&d, 100)] ^= (char)(1 + dice_roll(&d, 255));
    if (what == CUT)
        db.size = dice_roll(&d, db.size);
    if (what == LOG_CUT)
        log.size = dice_roll(&d, log.size);
    if (what == LOG_SPOILED)
        spoil(&log, &d, false);
    original_empty(f);
    saved_store(&db, f->path);
    if (killed && what != LOG_GONE)
        saved_store(&log, wal);
    free(db.bytes);
    free(log.bytes);
    return what;
}

/* ---- what is to hold ---- */

/* Nobody can tell a letter that was changed from one that was written. */
static bool is_true_to(const struct event *e, enum damage what)
{
    char name[16];
    if (what == FLIPPED)
        return true;
    if (e->id.at < 1 || e->id.at > EVENTS)
        return false;
    snprintf(name, sizeof name, "room:%d", (int)e->id.at % ROOMS);
    return str_eq(e->channel, str_of(name)) && str_eq(e->data, str_of(original.data[e->id.at]));
}

static bool seen[EVENTS + 1];

/* All that can be read; false: it cannot be read to the end. */
static bool read_all(struct fixture *f, enum damage what)
{
    bool more = true;
    memset(seen, 0, sizeof seen);
    for (Position after = 0; more;) {
        struct reading r = reading_of("room:*");
        r.after = after;
        fixture_do(f, &r.op);
        for (size_t i = 0; i < r.n; i++) {
            assert_true(is_true_to(r.events[i], what));
            if (r.events[i]->id.at <= EVENTS)
                seen[r.events[i]->id.at] = true;
        }
        more = !r.op.why.code && r.more;
        bool good = !r.op.why.code;
        after = r.next;
        reading_fini(&r);
        free(r.channels);
        if (!good)
            return false;
    }
    return true;
}

static void start_on(struct fixture *f, enum damage what)
{
    if (!fixture_open(f)) {
        assert_true(f->why.code == REFUSE_DAMAGED || f->why.code == REFUSE_CONFIG);
        return;
    }
    if (!read_all(f, what))
        assert_true(f->j->ops->is_broken(f->j));
    fixture_close(f);
}

static void check_on(struct fixture *f)
{
    struct fault why;
    struct buf report;
    buf_init(&report, REPORT);
    bool good = check_file(f->path, &report, &why);
    assert_true(good ? report.len > 0 : why.code == REFUSE_CONFIG);
    buf_fini(&report);
}

static struct journal_channel *room_of(struct fixture *f, Position at)
{
    char name[16];
    snprintf(name, sizeof name, "room:%d", (int)at % ROOMS);
    return &fixture_channel(f, name)->is;
}

/* A reader that stood before what is lost, with a cursor of the old log, is told: its epoch is not
 * known, or its channel's floor lies above, or the fork does. */
static void expect_honest(struct fixture *f, const struct recovered *r)
{
    Position fork = f->state.epochs[f->state.epoch_count - 1].first;
    for (Position at = 1; at <= EVENTS && !r->is_unknown; at++) {
        if (seen[at] || original.is_pruned[at] || at >= fork)
            continue;
        const struct journal_channel *c = room_of(f, at);
        Position floor = c->name.len || c->last ? c->floor : f->state.forgotten;
        if (floor < f->state.forgotten && !c->last)
            floor = f->state.forgotten;
        assert_true(floor >= at);
    }
}

static bool recover_on(struct fixture *f, enum damage what)
{
    struct fault why = {0};
    struct recovered r;
    if (!journal_recover(f->path, &r, &why)) {
        assert_true(why.code == REFUSE_DAMAGED || why.code == REFUSE_CONFIG);
        assert_non_null(strstr(why.text, f->path));
        return false;
    }
    assert_int_equal(access(r.aside, F_OK), 0);
    if (!fixture_open(f))
        fail_msg("%s", f->why.text);
    assert_true(read_all(f, what));
    struct check check = {.op = {.kind = OP_CHECK}};
    buf_init(&check.report, REPORT);
    fixture_do(f, &check.op);
    if (!str_eq(buf_str(&check.report), STR("ok")))
        fail_msg("%.*s", FMT(buf_str(&check.report)));
    buf_fini(&check.report);
    if (what != FLIPPED) /* that may have changed a position */
        expect_honest(f, &r);
    fixture_put(f, "room:1", "it goes on");
    fixture_close(f);
    return true;
}

static void whatever_is_damaged_nothing_crashes_and_nobody_is_lied_to(void **state)
{
    struct fixture *f = *state;
    const char *seed = getenv("SEED");
    unsigned recovered = 0;
    for (uint64_t i = 0; i < TIMES; i++) {
        uint64_t n = (seed ? strtoull(seed, NULL, 10) : 1) + i;
        enum damage what = damage(f, dice_of(n));
        start_on(f, what);
        damage(f, dice_of(n));
        check_on(f);
        recovered += recover_on(f, what);
    }
    print_message("%u of %d were recovered\n", recovered, TIMES);
    assert_in_range(recovered, TIMES * 3 / 4, TIMES);
}

static void expect_recovered_whole(struct fixture *f)
{
    struct recovered r;
    assert_true(journal_recover(f->path, &r, &f->why));
    assert_int_equal(r.events, EVENTS - 40);
    assert_int_equal(r.channels, ROOMS);
    assert_int_equal(r.keys, KEYS);
    assert_int_equal(r.gapped, 0);
    assert_int_equal(r.lost_events, 0);
    assert_false(r.is_unknown || r.has_lost_channels || r.has_lost_keys);
    assert_true(fixture_open(f));
    assert_int_equal(f->state.epoch_count, 4);
    assert_string_equal(f->state.epochs[2].reason, "recovered");
    assert_int_equal(f->state.epochs[2].first, EVENTS + 1);
    assert_int_equal(f->state.head, EVENTS);
    assert_int_equal(fixture_channel(f, "room:3")->is.floor, 393);
    assert_int_equal(fixture_channel(f, "room:4")->is.floor, 0);
    assert_true(read_all(f, PAGES));
    for (Position at = 1; at <= EVENTS; at++)
        assert_int_equal(seen[at], !original.is_pruned[at]);
    fixture_close(f);
}

static void what_is_whole_is_recovered_whole(void **state)
{
    original_put_killed(*state);
    expect_recovered_whole(*state);
}

#define TWO_DAYS_AHEAD                                                                             \
    "UPDATE event SET time = time + 172800000; UPDATE meta SET time = time + 172800000;"           \
    "UPDATE idempotency SET time = time + 172800000;"

/* The clock was set ahead once, or stands at 1970 now. */
static void a_log_ahead_of_the_clock_is_recovered_whole(void **state)
{
    struct fixture *f = *state;
    struct recovered r;
    original_put_killed(f);
    original_change(f, TWO_DAYS_AHEAD);
    expect_recovered_whole(f);
    static const char *const heads[] = {"DELETE FROM meta", "DELETE FROM epoch",
                                        "UPDATE meta SET time = 1"};
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        char sql[400];
        snprintf(sql, sizeof sql, TWO_DAYS_AHEAD "%s", heads[i]);
        original_put_changed(f, sql);
        assert_true(journal_recover(f->path, &r, &f->why));
        assert_true(r.is_unknown);
        assert_int_equal(r.events, EVENTS - 40);
        assert_int_equal(r.keys, KEYS);
        assert_false(r.has_lost_keys);
    }
}

/* A key of a batch and those of its sends are more rows than it has events. */
static void rows_numbered_far_above_the_head_are_recovered(void **state)
{
    struct fixture *f = *state;
    original_put_killed(f);
    original_change(f, "UPDATE idempotency SET number = number + (4 << 20);"
                       "UPDATE channel SET row = row + (4 << 20);"
                       "UPDATE event SET channel = channel + (4 << 20)");
    expect_recovered_whole(f);
}

static void times_that_cannot_be_are_dropped(void **state)
{
    struct fixture *f = *state;
    struct recovered r;
    static const char *const heads[] = {"", "DELETE FROM meta;"};
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        char sql[200];
        snprintf(sql, sizeof sql, "%sUPDATE event SET time = time * 1000 WHERE position = 1500",
                 heads[i]);
        original_put_changed(f, sql);
        assert_true(journal_recover(f->path, &r, &f->why));
        assert_int_equal(r.is_unknown, i);
        assert_int_equal(r.events, EVENTS - 41);
    }
    original_put_changed(f, "UPDATE meta SET time = time * 1000");
    assert_true(journal_recover(f->path, &r, &f->why));
    assert_int_equal(r.events, EVENTS - 40);
    assert_int_equal(r.gapped, 0);
    assert_true(fixture_open(f));
    assert_in_range(f->state.time, 1, clock_wall());
}

/* The page where these words are, as a disk may give it back. */
static void spoil_page_of(struct fixture *f, const char *words)
{
    struct saved file;
    saved_load(&file, f->path);
    const char *at = memmem(file.bytes, file.size, words, strlen(words));
    assert_non_null(at);
    memset(file.bytes + (at - file.bytes) / PAGE * PAGE, 0x5a, PAGE);
    saved_store(&file, f->path);
    free(file.bytes);
}

/* In room:3, up to this position. */
static void expect_gap(struct fixture *f, Position upto)
{
    struct recovered r;
    fixture_close(f);
    assert_true(journal_recover(f->path, &r, &f->why));
    assert_false(r.is_unknown);
    assert_true(fixture_open(f));
    assert_int_equal(fixture_channel(f, "room:3")->is.floor, upto);
    assert_true(read_all(f, PAGES));
    expect_honest(f, &r);
    fixture_close(f);
}

static void an_event_that_cannot_be_is_missing_above_a_page_that_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    original_put_changed(f, "UPDATE event SET flags = 7 WHERE position = 1503");
    spoil_page_of(f, "event 1000:");
    expect_gap(f, 1503);
    original_put_changed(f, "UPDATE event SET channel = 99 WHERE position = 1503");
    spoil_page_of(f, "event 1000:");
    expect_gap(f, 1503);
    original_put_killed(f);
    original_change(f, "UPDATE event SET flags = 7 WHERE position = 2403");
    spoil_page_of(f, "event 2000:");
    expect_gap(f, 2403);
}

/* Whose numbers only an index tells, of which the beginning is gone too, as are both ends of the
 * table. */
static void channels_without_ends_and_half_an_index_are_recovered(void **state)
{
    struct fixture *f = *state;
    struct recovered r;
    static const char more[] =
        "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
        " INSERT INTO channel (row, name) SELECT i, printf('more:%04d:%0100d', i, i) FROM n";
    original_put_changed(f, more);
    struct saved file;
    saved_load(&file, f->path);
    for (size_t page = 1; page < file.size / PAGE; page++) {
        char *at = file.bytes + page * PAGE;
        bool is_table = at[0] == 13, is_index = at[0] == 10;
        if ((is_table && (memmem(at, PAGE, "room:3", 6) || memmem(at, PAGE, "more:3000:", 10)) &&
             !memmem(at, PAGE, "event ", 6)) ||
            (is_index && memmem(at, PAGE, "more:0100:", 10)))
            memset(at, 0x5a, PAGE);
    }
    saved_store(&file, f->path);
    free(file.bytes);
    assert_true(journal_recover(f->path, &r, &f->why));
    assert_true(r.has_lost_channels);
    assert_in_range(r.channels, 2700, 2999);
}

/* Of a log whose beginning was pruned the first page that is left, and another one. */
static void two_damaged_pages_cost_their_own_rows(void **state)
{
    struct fixture *f = *state;
    struct recovered r;
    static const char moved[] =
        "UPDATE event SET position = position + 1000000;"
        "UPDATE idempotency SET first = first + 1000000;"
        "UPDATE channel SET last = last + 1000000, floor = 1000000 + floor;"
        "UPDATE epoch SET first = first + 1000000 WHERE first > 0;"
        "UPDATE meta SET head = head + 1000000, counted = counted + 1000000,"
        " floor = floor + 1000000";
    static const char *const others[] = {"event 1000:", "event 2500:"};
    bool has_head = true;
    original_put_changed(f, moved);
    assert_true(journal_recover(f->path, &r, &f->why));
    assert_int_equal(r.events, EVENTS - 40);
    for (size_t i = 0; i < 2 * COUNT_OF(others); i++, has_head = i < COUNT_OF(others)) {
        original_put_changed(f, moved);
        original_change(f, has_head ? "" : "DELETE FROM meta");
        spoil_page_of(f, "event 1:");
        spoil_page_of(f, others[i % COUNT_OF(others)]);
        assert_true(journal_recover(f->path, &r, &f->why));
        assert_in_range(r.events, EVENTS - 40 - 100, EVENTS - 40);
    }
}

/* Where meta is gone, an event of the far future must not be the log's time for good. */
static void the_newest_event_is_not_the_time_of_all_to_come(void **state)
{
    struct fixture *f = *state;
    struct recovered r;
    static const char *const where[] = {"position = 2500", "position IN (1500, 1501)"};
    for (size_t i = 0; i < COUNT_OF(where); i++) {
        char sql[200];
        snprintf(sql, sizeof sql, "DELETE FROM meta; UPDATE event SET time = time * 1000 WHERE %s",
                 where[i]);
        original_put_changed(f, sql);
        assert_true(journal_recover(f->path, &r, &f->why));
        assert_true(fixture_open(f));
        assert_in_range(f->state.time, 1, clock_wall() + 86400000);
        fixture_close(f);
    }
}

static void an_event_before_all_times_costs_its_channel_alone(void **state)
{
    struct fixture *f = *state;
    struct recovered r;
    original_put_changed(f, "UPDATE event SET time = -1 WHERE position = 2500");
    assert_true(journal_recover(f->path, &r, &f->why));
    assert_false(r.is_unknown);
    assert_int_equal(r.gapped, 1);
    assert_int_equal(r.lost_upto, 2500);
}

/* A journal with two rows about users, of which one cannot be. */
static void rows_about_users_are_recovered(void **state)
{
    struct fixture *f = *state;
    struct recovered r;
    struct db db;
    struct accounts rows;
    original_empty(f);
    assert_true(fixture_open(f));
    fixture_put(f, "news", "x");
    fixture_close(f);
    assert_true(db_open(&db, f->path, DB_WRITES, &f->why));
    assert_true(db_exec(&db, "INSERT INTO account (kind, user, name, value, time) VALUES"
                             " ('before', 'ann', '', 9, 1), ('odd', 'ann', '', 9, 1)"));
    db_close(&db);
    assert_false(fixture_open(f));
    assert_int_equal(f->why.code, REFUSE_DAMAGED);
    assert_true(journal_recover(f->path, &r, &f->why));
    assert_true(r.has_lost_accounts);
    assert_true(fixture_open(f));
    accounts_init(&rows);
    accounts_take(&rows, str_make(f->state.accounts, f->state.accounts_len));
    assert_int_equal(rows.rows.len, 1);
    assert_false(accounts_admit(&rows, STR("ann"), STR(""), 8));
    accounts_fini(&rows);
    fixture_close(f);
}

/* Tables that an upgrade made lie where there was room: here behind events that took the pages. */
static void users_of_an_upgraded_file_are_recovered_without_its_head(void **state)
{
    struct fixture *f = *state;
    struct recovered r;
    struct saved file;
    struct db db;
    struct accounts rows;
    original_empty(f);
    assert_true(fixture_open(f));
    fixture_close(f);
    assert_true(db_open(&db, f->path, DB_WRITES, &f->why));
    assert_true(db_exec(&db, "DROP TABLE account; ALTER TABLE meta DROP COLUMN account;"
                             "CREATE TABLE filler (x); INSERT INTO filler VALUES (zeroblob(50000));"
                             "PRAGMA user_version = 1"));
    db_close(&db);
    assert_true(fixture_open(f));
    fixture_put(f, "news", "x");
    fixture_close(f);
    assert_true(db_open(&db, f->path, DB_WRITES, &f->why));
    assert_true(db_number(&db, QUERY_ACCOUNT_ROOT) > 14);
    for (int i = 0; i < 500; i++)
        assert_true(db_exec(&db, "INSERT INTO account (kind, user, name, value, time)"
                                 " SELECT 'before', 'ann' || count(*), '', 9, 1 FROM account"));
    db_close(&db);
    saved_load(&file, f->path);
    memset(file.bytes, 0, PAGE);
    saved_store(&file, f->path);
    free(file.bytes);
    assert_true(journal_recover(f->path, &r, &f->why));
    assert_false(r.has_lost_accounts || r.has_lost_channels || r.is_unknown);
    assert_int_equal(r.events, 1);
    assert_true(fixture_open(f));
    accounts_init(&rows);
    accounts_take(&rows, str_make(f->state.accounts, f->state.accounts_len));
    assert_int_equal(rows.rows.len, 500);
    assert_false(accounts_admit(&rows, STR("ann499"), STR(""), 8));
    accounts_fini(&rows);
    fixture_close(f);
}

/* The old file is kept to the byte, and its log with it. */
static void the_damaged_file_is_kept(void **state)
{
    struct fixture *f = *state;
    struct recovered r;
    struct saved kept;
    char wal[600];
    damage(f, dice_of(3));
    struct saved before;
    saved_load(&before, f->path);
    assert_true(journal_recover(f->path, &r, &f->why));
    saved_load(&kept, r.aside);
    assert_int_equal(kept.size, before.size);
    assert_memory_equal(kept.bytes, before.bytes, kept.size);
    snprintf(wal, sizeof wal, "%s-wal", r.aside);
    assert_int_equal(access(wal, F_OK), 0);
    free(kept.bytes);
    free(before.bytes);
}

static void a_recovery_that_was_cut_off_is_finished(void **state)
{
    struct fixture *f = *state;
    struct recovered r;
    char whole[200];
    snprintf(whole, sizeof whole, "%s.recovered", f->path);
    struct saved db;
    saved_load(&db, f->path);
    saved_store(&db, whole);
    free(db.bytes);
    assert_false(fixture_open(f));
    assert_int_equal(f->why.code, REFUSE_DAMAGED);
    assert_non_null(strstr(f->why.text, "belfry recover"));
    assert_true(journal_recover(f->path, &r, &f->why));
    assert_true(fixture_open(f));
    assert_int_equal(access(whole, F_OK), -1);
}

static void what_is_no_journal_is_left_as_it_is(void **state)
{
    struct fixture *f = *state;
    struct recovered r;
    struct saved diary = {strdup("Dear diary, this is a text. It is longer than a few words."), 58};
    original_empty(f);
    saved_store(&diary, f->path);
    assert_false(journal_recover(f->path, &r, &f->why));
    assert_int_equal(f->why.code, REFUSE_CONFIG);
    char said[sizeof f->why.text];
    snprintf(said, sizeof said, "%s is not a journal of Belfry", f->path);
    assert_string_equal(f->why.text, said);
    struct saved after;
    saved_load(&after, f->path);
    assert_memory_equal(after.bytes, diary.bytes, diary.size);
    free(after.bytes);
    free(diary.bytes);
    unlink(f->path);
    assert_false(journal_recover(f->path, &r, &f->why));
    DIR *files = opendir(f->folder);
    int left = 0;
    while (readdir(files))
        left++;
    closedir(files);
    assert_int_equal(left, 2); /* . and .. */
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, original_make, original_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(what_is_whole_is_recovered_whole),
        ONE(a_log_ahead_of_the_clock_is_recovered_whole),
        ONE(rows_numbered_far_above_the_head_are_recovered),
        ONE(times_that_cannot_be_are_dropped),
        ONE(an_event_that_cannot_be_is_missing_above_a_page_that_cannot_be_read),
        ONE(two_damaged_pages_cost_their_own_rows),
        ONE(channels_without_ends_and_half_an_index_are_recovered),
        ONE(the_newest_event_is_not_the_time_of_all_to_come),
        ONE(an_event_before_all_times_costs_its_channel_alone),
        ONE(rows_about_users_are_recovered),
        ONE(users_of_an_upgraded_file_are_recovered_without_its_head),
        ONE(the_damaged_file_is_kept),
        ONE(a_recovery_that_was_cut_off_is_finished),
        ONE(what_is_no_journal_is_left_as_it_is),
        ONE(whatever_is_damaged_nothing_crashes_and_nobody_is_lied_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
