#include "journal_schema.h"
#include "base/log.h"
#include "journal_file.h"
#include "journal_whole.h"
#include "wire/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    APPLICATION = 0x42656c66, /* schema.sql says it in decimal */
};

static const char *const schema[] = {
#define X(sql) sql,
    SQL_SCHEMA(X)
#undef X
};

/* The last one is not a step: without upgrades the list would be empty. */
static const struct upgrade upgrades[] = {
#define X(version, sql) {version, sql},
    SQL_UPGRADES(X)
#undef X
        {0, NULL}};

static const char settings[] = "PRAGMA synchronous = FULL;"
                               "PRAGMA secure_delete = OFF;"
                               "PRAGMA journal_size_limit = 67108864;"
                               "PRAGMA cache_size = -32768;"
                               "PRAGMA temp_store = MEMORY;";

bool ledger_read(struct db *db, struct ledger *out)
{
    Statement *s = db_query(db, QUERY_META);
    if (!db_row(db, s))
        return false;
    *out = (struct ledger){
        .head = column_number(s, 0),
        .time = column_number(s, 1),
        .counted = column_number(s, 2),
        .floor = column_number(s, 3),
        .forgotten = column_number(s, 4),
        .forgotten_time = column_number(s, 5),
        .keys = column_number(s, 6),
        .restored = column_number(s, 7),
    };
    db_end(s);
    return true;
}

bool ledger_is_sound(const struct ledger *l)
{
    return l->head < NUMBER_MOST && l->time < NUMBER_MOST && l->counted <= l->head &&
           l->floor <= l->head && l->forgotten <= l->floor;
}

bool ledger_write(struct db *db, const struct ledger *l)
{
    Statement *s = db_query(db, QUERY_SET_META);
    bind_number(s, 1, l->head);
    bind_number(s, 2, l->time);
    bind_number(s, 3, l->counted);
    bind_number(s, 4, l->floor);
    bind_number(s, 5, l->forgotten);
    bind_number(s, 6, l->forgotten_time);
    bind_number(s, 7, l->keys);
    bind_number(s, 8, l->restored);
    return db_run(db, s);
}

static bool set_version(struct db *db, int version)
{
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", version);
    return db_exec(db, sql);
}

bool schema_make(struct db *db, struct fault *why)
{
    db_do(db, QUERY_BEGIN_WRITE);
    for (size_t i = 0; i < COUNT_OF(schema); i++)
        db_exec(db, schema[i]);
    set_version(db, SQL_VERSION);
    db_do(db, QUERY_COMMIT);
    return db_is_ok(db) || db_fault(db, why);
}

static bool upgrade_one(struct db *db, const struct upgrade *steps, size_t n, int version)
{
    db_do(db, QUERY_BEGIN_WRITE);
    for (size_t i = 0; i < n; i++)
        if (steps[i].version == version)
            db_exec(db, steps[i].sql);
    set_version(db, version);
    return db_do(db, QUERY_COMMIT);
}

bool schema_upgrade(struct db *db, const struct upgrade *steps, size_t n, int to, struct fault *why)
{
    for (int version = (int)db_number(db, QUERY_VERSION) + 1; version <= to; version++) {
        if (!upgrade_one(db, steps, n, version)) {
            db_fault(db, why);
            db_rollback(db);
            return false;
        }
        log_info("journal_upgraded", kn("version", (uint64_t)version));
    }
    return true;
}

/* Nothing is written before it is known to be ours. */
bool schema_recognize(struct db *db, const char *path, bool *is_new, struct fault *why)
{
    uint64_t application = db_number(db, QUERY_APPLICATION_ID);
    uint64_t version = db_number(db, QUERY_VERSION);
    *is_new = !application && !version && !db_number(db, QUERY_TABLE_COUNT);
    if (db_is_foreign(db) && whole_was_ours(path))
        return fail(why, REFUSE_DAMAGED, "the head of %s is damaged", path);
    if (db_is_foreign(db) || (db_is_ok(db) && !*is_new && application != APPLICATION))
        return fail(why, REFUSE_CONFIG, "%s is not a journal of Belfry", path);
    if (!db_is_ok(db))
        return db_fault(db, why);
    if (version > SQL_VERSION)
        return fail(why, REFUSE_CONFIG,
                    "%s is of version %llu, written by a newer Belfry; this one knows %d", path,
                    (unsigned long long)version, SQL_VERSION);
    return true;
}

static bool use_wal(struct db *db, const char *path, struct fault *why)
{
    Statement *s = db_query(db, QUERY_USE_WAL);
    bool is_wal = db_row(db, s) && str_eq(column_text(s, 0), STR("wal"));
    db_end(s);
    if (db_is_ok(db) && !is_wal)
        return fail(why, REFUSE_CONFIG, "%s lies where SQLite can have no write-ahead log", path);
    db_exec(db, settings);
    return db_is_ok(db) || db_fault(db, why);
}

static bool prepare(struct db *db, const char *path, struct fault *why)
{
    bool is_new;
    if (!schema_recognize(db, path, &is_new, why) || !use_wal(db, path, why))
        return false;
    if (is_new)
        return schema_make(db, why);
    return schema_upgrade(db, upgrades, COUNT_OF(upgrades) - 1, SQL_VERSION, why);
}

/* What users said to each other is not for everybody: SQLite itself would give 0644. */
static bool touch(const char *path, struct fault *why)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return file_fault(path, why);
    close(fd);
    return true;
}

bool schema_open(struct db *db, const char *path, struct fault *why)
{
    if (!whole_looks_so(path, why) || !touch(path, why) || !db_open(db, path, DB_WRITES, why))
        return false;
    if (prepare(db, path, why))
        return true;
    db_rollback(db);
    db_keep_log(db); /* what is refused stays as it is */
    db_close(db);
    return false;
}
