#include "journal_recover.h"

#include "journal_accounts.h"
#include "journal_file.h"
#include "journal_lineage.h"
#include "journal_salvage.h"
#include "journal_schema.h"
#include "journal_whole.h"
#include "wire/refusal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BEYOND  (UINT64_C(1) << 20) /* so far behind the head is looked for events */
#define UNKNOWN (UINT64_C(1) << 40) /* where the head is not known, or says nothing of the rows */
#define DAY     ((Msec)86400000)

struct recovery {
    const char *path;
    char part[512], whole[512];
    struct db from, to;
    struct ledger ledger;
    struct lineage lineage;
    struct recovered *out;
    Position hole; /* the last event that is known to be missing */
};

static const char *suffixed(char out[512], const char *path, const char *suffix)
{
    snprintf(out, 512, "%.450s%s", path, suffix);
    return out;
}

static void remove_file(const char *path, const char *suffix)
{
    char name[512];
    unlink(suffixed(name, path, suffix));
}

/* ---- what can be read ---- */

static void read_ledger(struct recovery *r)
{
    struct ledger *l = &r->ledger;
    if (!ledger_read(&r->from, l) || !ledger_is_sound(l))
        r->out->is_unknown = true;
    db_forget_error(&r->from);
    if (!lineage_read(&r->from, &r->lineage) || !r->lineage.n)
        r->out->is_unknown = true;
    db_forget_error(&r->from);
}

static bool salvage_all(struct recovery *r)
{
    uint64_t last = r->out->is_unknown ? UNKNOWN : r->ledger.head + BEYOND;
    struct salvage channels = {.from = &r->from,
                               .to = &r->to,
                               .rising = QUERY_CHANNELS_UP,
                               .falling = QUERY_CHANNELS_DOWN,
                               .known = QUERY_CHANNELS_KNOWN,
                               .add = QUERY_SALVAGED_CHANNEL,
                               .columns = 8};
    struct salvage events = {.from = &r->from,
                             .to = &r->to,
                             .rising = QUERY_EVENTS_UP,
                             .falling = QUERY_EVENTS_DOWN,
                             .known = QUERY_EVENTS_KNOWN,
                             .add = QUERY_APPEND_EVENT,
                             .columns = 11};
    struct salvage keys = {.from = &r->from,
                           .to = &r->to,
                           .rising = QUERY_KEYS_UP,
                           .falling = QUERY_KEYS_DOWN,
                           .known = QUERY_KEYS_KNOWN,
                           .add = QUERY_SALVAGED_KEY,
                           .columns = 9};
    struct salvage accounts = {.from = &r->from,
                               .to = &r->to,
                               .rising = QUERY_ACCOUNTS_UP,
                               .falling = QUERY_ACCOUNTS_DOWN,
                               .known = QUERY_ACCOUNTS_KNOWN,
                               .add = QUERY_SALVAGED_ACCOUNT,
                               .columns = 6};
    if (!salvage_table(&channels, UNKNOWN) || !salvage_table(&events, last) ||
        !salvage_table(&keys, UNKNOWN) || !salvage_table(&accounts, UNKNOWN))
        return false;
    r->out->has_lost_accounts |= accounts.hole > 0;
    r->hole = events.hole;
    r->out->has_lost_channels = channels.hole > 0;
    r->out->has_lost_keys = keys.hole > 0;
    return true;
}

/* ---- what that is worth ---- */

static uint64_t run(struct recovery *r, enum query query, uint64_t a, uint64_t b, uint64_t c)
{
    Statement *s = db_query(&r->to, query);
    bind_number(s, 1, a);
    bind_number(s, 2, b);
    bind_number(s, 3, c);
    db_run(&r->to, s);
    return db_changes(&r->to);
}

/* They are missing, as those are that could not be read. */
static bool drop_events(struct recovery *r, enum query query, Msec latest)
{
    bool any = false;
    Statement *s = db_query(&r->to, query);
    bind_number(s, 1, latest);
    for (; db_row(&r->to, s); any = true) {
        Position at = column_number(s, 0);
        r->hole = at > r->hole ? at : r->hole;
    }
    return any;
}

/* Rows that can be read, and cannot be. Events of channels whose name is lost go too. Where meta
 * cannot be believed, their order alone tells which times are wrong; the clock may be, and drops
 * nothing. It tells at most that the newest event is not as late as it says. */
static void drop_impossible(struct recovery *r)
{
    Msec latest = r->out->is_unknown ? NUMBER_MOST : r->ledger.time;
    if (run(r, QUERY_DROP_IMPOSSIBLE_CHANNELS, 0, 0, 0))
        r->out->has_lost_channels = true;
    drop_events(r, QUERY_DROP_IMPOSSIBLE_EVENTS, latest);
    if (r->out->is_unknown) {
        drop_events(r, QUERY_DROP_UNTIMELY_EVENTS, latest);
        run(r, QUERY_TAME_NEWEST_EVENT, clock_wall(), 0, 0);
    }
    if (drop_events(r, QUERY_DROP_NAMELESS_EVENTS, latest))
        r->out->has_lost_channels = true;
    if (run(r, QUERY_DROP_IMPOSSIBLE_KEYS, latest, 0, 0))
        r->out->has_lost_keys = true;
    if (stored_accounts_drop_impossible(&r->to))
        r->out->has_lost_accounts = true;
}

/* One event later than the log is wrong itself; where the newest two are, the log's time is. */
static void doubt_time(struct recovery *r)
{
    if (db_number(&r->to, QUERY_NEWEST_TIMES) > r->ledger.time)
        r->out->is_unknown = true;
}

/* The head that the file says must be one that the events allow. A time that lies ahead of them and
 * of the clock would be that of all events to come. */
static void find_head(struct recovery *r)
{
    struct ledger *l = &r->ledger;
    Position last = db_number(&r->to, QUERY_LAST_POSITION);
    Msec time = db_number(&r->to, QUERY_LAST_TIME);
    if (last > l->head)
        r->out->is_unknown = true;
    if (time < l->time && l->time > clock_wall() + DAY)
        l->time = time;
    if (!r->out->is_unknown)
        return;
    *l = (struct ledger){.head = last, .time = time};
    lineage_fini(&r->lineage);
}

static void raise_floors(struct recovery *r, enum query which, Position floor)
{
    uint64_t n = run(r, which, floor, r->ledger.time, r->ledger.counted);
    if (!n)
        return;
    r->out->gapped = n > r->out->gapped ? n : r->out->gapped;
    r->out->lost_upto = floor > r->out->lost_upto ? floor : r->out->lost_upto;
}

/* Channels tell how many events they had up to `counted`; after it every position was an event. */
static void judge(struct recovery *r)
{
    struct ledger *l = &r->ledger;
    Position hole = r->hole < l->head ? r->hole : l->head;
    run(r, QUERY_LIMIT_FLOORS, l->head, 0, 0);
    if (r->out->is_unknown) {
        raise_floors(r, QUERY_RAISE_ALL_FLOORS, l->head);
        return;
    }
    r->out->lost_events = db_number_of(&r->to, QUERY_COUNT_LOST, l->counted);
    raise_floors(r, QUERY_RAISE_FLOORS_OF_LOST, hole ? hole : l->counted);
    uint64_t newer = db_number_of(&r->to, QUERY_COUNT_NEWER, l->counted);
    if (newer != l->head - l->counted)
        raise_floors(r, QUERY_RAISE_ALL_FLOORS, hole > l->counted ? hole : l->head);
}

static void write_down(struct recovery *r)
{
    struct ledger *l = &r->ledger;
    if (r->out->has_lost_channels || r->out->is_unknown) {
        l->forgotten = l->head;
        l->forgotten_time = l->time;
    }
    run(r, QUERY_FORGET_FIGURES, l->head, 0, 0);
    db_do(&r->to, QUERY_COUNT_REST); /* counts all: meta says that nothing was counted */
    for (size_t i = 0; i < r->lineage.n; i++)
        lineage_write(&r->to, &r->lineage.v[i]);
    if (!r->lineage.n) { /* what was before has new names too */
        lineage_add(&r->lineage, 0, "recovered");
        lineage_write_last(&r->to, &r->lineage);
    }
    lineage_add(&r->lineage, l->head + 1, "recovered");
    lineage_write_last(&r->to, &r->lineage);
    Position floor = db_number(&r->to, QUERY_HIGHEST_FLOOR);
    l->floor = floor > l->floor ? floor : l->floor;
    l->floor = l->forgotten > l->floor ? l->forgotten : l->floor;
    l->counted = l->head;
    l->restored = false;
    l->keys = r->out->keys = db_number(&r->to, QUERY_COUNT_KEYS);
    r->out->events = db_number(&r->to, QUERY_COUNT_EVENTS);
    r->out->channels = db_number(&r->to, QUERY_COUNT_CHANNELS);
    ledger_write(&r->to, l);
}

static bool fill(struct recovery *r, struct fault *why)
{
    if (!db_build(&r->to) || !schema_make(&r->to, why))
        return db_is_ok(&r->to) ? false : db_fault(&r->to, why);
    db_do(&r->to, QUERY_BEGIN_WRITE);
    read_ledger(r);
    if (salvage_all(r)) {
        doubt_time(r);
        drop_impossible(r);
        find_head(r);
        judge(r);
        write_down(r);
    }
    if (!db_do(&r->to, QUERY_COMMIT))
        return db_fault(&r->to, why);
    if (!r->out->channels && r->out->is_unknown)
        return fail(why, REFUSE_DAMAGED,
                    "nothing of %s can be read: put a backup in its place, "
                    "or move it away to begin anew",
                    r->path);
    return true;
}

static bool build_from(struct recovery *r, const char *source, struct fault *why)
{
    bool is_new, good = false;
    if (!db_open(&r->from, source, DB_READS, why))
        return false;
    bool known = schema_recognize(&r->from, r->path, &is_new, why);
    db_forget_error(&r->from);
    if (known && is_new)
        known = fail(why, REFUSE_CONFIG, "%s is empty", r->path);
    if ((known || why->code == REFUSE_DAMAGED) && db_open(&r->to, r->part, DB_WRITES, why)) {
        good = fill(r, why);
        db_rollback(&r->to);
        db_close(&r->to);
    }
    db_rollback(&r->from);
    db_close(&r->from);
    return good;
}

/* ---- files ---- */

static bool place_accounts(struct db *fresh, uint64_t root, struct fault *why)
{
    char sql[160];
    snprintf(sql, sizeof sql,
             "PRAGMA writable_schema = ON;"
             "UPDATE sqlite_schema SET rootpage = %llu WHERE name = 'account'",
             (unsigned long long)root);
    return db_exec(fresh, sql) || db_fault(fresh, why);
}

/* `root`: of table account; 0: where a new file has it. */
static bool lend_fresh(struct recovery *r, const char *copy, uint64_t root, struct fault *why)
{
    struct db fresh;
    if (!db_open(&fresh, r->part, DB_WRITES, why))
        return false;
    bool good = (db_build(&fresh) || db_fault(&fresh, why)) && schema_make(&fresh, why) &&
                (!root || place_accounts(&fresh, root, why));
    db_close(&fresh);
    good = good && file_lend_head(r->part, copy, why);
    unlink(r->part);
    return good;
}

/* All journals begin alike: the first page of a new one says where the tables are, but for the one
 * that an upgrade made: meta says where that is. */
static bool lend_head(struct recovery *r, const char *copy, struct fault *why)
{
    struct db db;
    if (!lend_fresh(r, copy, 0, why) || !db_open(&db, copy, DB_READS, why))
        return false;
    uint64_t root = db_number(&db, QUERY_ACCOUNT_ROOT);
    db_close(&db);
    r->out->has_lost_accounts = !root;
    return !root || lend_fresh(r, copy, root, why);
}

/* What has to be changed to be readable is a copy, since the old file is kept as it is: a page that
 * was cut off has to be gone as a whole, else its rest is read as zeros; and without its first page
 * nothing is found. */
static bool build(struct recovery *r, struct fault *why)
{
    char copy[512], log[512], copy_log[512];
    bool has_head = whole_has_head(r->path);
    if ((has_head || !whole_was_ours(r->path)) && !whole_is_cut(r->path))
        return build_from(r, r->out->aside, why);
    suffixed(copy, r->path, ".mended");
    suffixed(copy_log, copy, "-wal");
    suffixed(log, r->path, "-wal");
    bool good = file_copy_pages(r->path, copy, why) &&
                (link(log, copy_log) == 0 || errno == ENOENT || file_fault(copy_log, why)) &&
                (has_head || lend_head(r, copy, why)) && build_from(r, copy, why);
    unlink(copy);
    unlink(copy_log);
    remove_file(copy, "-shm");
    return good;
}

static bool keep_aside(struct recovery *r, struct fault *why)
{
    char when[32], log[512], kept[512];
    time_t now = time(NULL);
    struct tm tm;
    strftime(when, sizeof when, ".damaged-%Y%m%d-%H%M%S", gmtime_r(&now, &tm));
    suffixed(r->out->aside, r->path, when);
    if (link(r->path, r->out->aside) != 0)
        return file_fault(errno == ENOENT ? r->path : r->out->aside, why);
    suffixed(log, r->path, "-wal");
    suffixed(kept, r->out->aside, "-wal");
    return link(log, kept) == 0 || errno == ENOENT || file_fault(kept, why);
}

/* Whoever could read the old one can read the new one, the hub above all. */
static bool give_to_owner(const struct recovery *r, struct fault *why)
{
    struct stat s;
    return (stat(r->path, &s) == 0 && chown(r->part, s.st_uid, s.st_gid) == 0 &&
            chmod(r->part, s.st_mode & 0777) == 0) ||
           file_fault(r->part, why);
}

/* The old write-ahead log goes first: it must never meet the new file. Until the new one has its
 * name, its being there keeps a hub from starting. */
static bool replace(struct recovery *r, struct fault *why)
{
    remove_file(r->path, "-wal");
    remove_file(r->path, "-shm");
    if (!file_sync_name(r->path, why))
        return false;
    return (rename(r->whole, r->path) == 0 || file_fault(r->path, why)) &&
           file_sync_name(r->path, why);
}

static void give_up(struct recovery *r)
{
    unlink(r->part);
    if (r->out->aside[0]) {
        unlink(r->out->aside);
        remove_file(r->out->aside, "-wal");
        remove_file(r->out->aside, "-shm");
    }
}

static bool recover(struct recovery *r, struct fault *why)
{
    if (keep_aside(r, why) && build(r, why) && give_to_owner(r, why) && file_sync(r->part, why) &&
        (rename(r->part, r->whole) == 0 || file_fault(r->whole, why))) {
        remove_file(r->out->aside, "-shm");
        return file_sync_name(r->whole, why) && replace(r, why);
    }
    give_up(r);
    return false;
}

bool journal_recover(const char *path, struct recovered *out, struct fault *why)
{
    struct recovery r = {.path = path, .out = out};
    *out = (struct recovered){0};
    suffixed(r.part, path, ".recovering");
    suffixed(r.whole, path, ".recovered");
    if (whole_is_pending(path))
        return replace(&r, why);
    unlink(r.part);
    bool good = recover(&r, why);
    lineage_fini(&r.lineage);
    return good;
}
