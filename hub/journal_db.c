#include "journal_db.h"
#include "wire/refusal.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    BUSY_WAIT = 5000,     /* ms */
    CHECKPOINT_WAIT = 50, /* for readers, whose slices are short */
    FRAME = 4096 + 24,    /* a page in the write-ahead log */
    INDEX_REGION = 32768, /* of its index, for so many frames: */
    INDEX_FRAMES = 4096,
    INDEX_AHEAD = 2, /* regions: more than one transaction takes */
};

static const char *const texts[QUERY_COUNT] = {
#define X(name, text) [QUERY_##name] = text,
    SQL_QUERIES(X)
#undef X
};

/* SQLite keeps the errno of a failed write with the file that it wrote to. */
static int system_error(sqlite3 *handle, int code)
{
    int primary = code & 0xff, error = 0;
    sqlite3_file *wal = NULL;
    if (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN)
        return 0;
    sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (wal && wal->pMethods)
        wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &error);
    if (!error)
        sqlite3_file_control(handle, "main", SQLITE_FCNTL_LAST_ERRNO, &error);
    return error ? error : sqlite3_system_errno(handle);
}

static void note_error(struct db *db, int code)
{
    if (db->error)
        return;
    int extended = sqlite3_extended_errcode(db->handle);
    bool is_same = (extended & 0xff) == (code & 0xff);
    db->error = is_same ? extended : code;
    snprintf(db->text, sizeof db->text, "%s",
             is_same ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code));
    db->system_error = system_error(db->handle, code);
}

static int on_commit(void *ctx, sqlite3 *handle, const char *name, int pages)
{
    (void)handle, (void)name;
    ((struct db *)ctx)->wal_bytes = (uint64_t)pages * FRAME;
    return SQLITE_OK;
}

/* What memory SQLite has in all nobody asks; counting it takes a lock for each piece. Where SQLite
 * was used before, it goes on counting. */
static void count_no_memory(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

bool db_open(struct db *db, const char *path, enum db_mode mode, struct fault *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, count_no_memory);
    *db = (struct db){0};
    int access =
        mode == DB_WRITES ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    int code = sqlite3_open_v2(path, &db->handle,
                               access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code != SQLITE_OK) {
        note_error(db, code);
        db_fault(db, why);
        db_close(db);
        return false;
    }
    sqlite3_busy_timeout(db->handle, BUSY_WAIT);
    /* Also keeps SQLite from checkpoints of its own. */
    sqlite3_wal_hook(db->handle, on_commit, db);
    return true;
}

void db_close(struct db *db)
{
    for (size_t i = 0; i < QUERY_COUNT; i++)
        sqlite3_finalize(db->ready[i]);
    int code = sqlite3_close(db->handle);
    assert(code == SQLITE_OK); /* else a statement or a copy was forgotten */
    *db = (struct db){0};
}

bool db_exec(struct db *db, const char *sql)
{
    if (db->error)
        return false;
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        note_error(db, code);
    return !db->error;
}

Statement *db_query(struct db *db, enum query query)
{
    if (db->error)
        return NULL;
    if (!db->ready[query]) {
        int code = sqlite3_prepare_v3(db->handle, texts[query], -1, SQLITE_PREPARE_PERSISTENT,
                                      &db->ready[query], NULL);
        if (code != SQLITE_OK)
            note_error(db, code);
    }
    return db->ready[query];
}

bool db_row(struct db *db, Statement *s)
{
    if (!s)
        return false;
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        note_error(db, code);
    sqlite3_reset(s);
    return false;
}

bool db_run(struct db *db, Statement *s)
{
    while (db_row(db, s))
        ;
    return !db->error;
}

bool db_do(struct db *db, enum query query)
{
    return db_run(db, db_query(db, query));
}

void db_end(Statement *s)
{
    if (s)
        sqlite3_reset(s);
}

static uint64_t number(struct db *db, Statement *s)
{
    uint64_t n = db_row(db, s) ? column_number(s, 0) : 0;
    db_end(s);
    return n;
}

uint64_t db_number(struct db *db, enum query query)
{
    return number(db, db_query(db, query));
}

uint64_t db_number_of(struct db *db, enum query query, uint64_t parameter)
{
    Statement *s = db_query(db, query);
    bind_number(s, 1, parameter);
    return number(db, s);
}

uint64_t db_changes(const struct db *db)
{
    return db->error ? 0 : (uint64_t)sqlite3_changes64(db->handle);
}

/* Fingerprints use all 64 bits: they come back as they were. */
void bind_number(Statement *s, int at, uint64_t n)
{
    if (s)
        sqlite3_bind_int64(s, at, (sqlite3_int64)n);
}

void bind_text(Statement *s, int at, Str text)
{
    if (s)
        sqlite3_bind_text64(s, at, text.len ? text.p : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
}

void bind_optional(Statement *s, int at, Str text)
{
    if (s && !text.len)
        sqlite3_bind_null(s, at);
    else
        bind_text(s, at, text);
}

void bind_column(Statement *s, int at, Statement *from, int column)
{
    if (s)
        sqlite3_bind_value(s, at, sqlite3_column_value(from, column));
}

uint64_t column_number(Statement *s, int at)
{
    return s ? (uint64_t)sqlite3_column_int64(s, at) : 0;
}

Str column_text(Statement *s, int at)
{
    if (!s)
        return STR_NONE;
    const char *p = sqlite3_column_blob(s, at);
    return str_make(p, p ? (size_t)sqlite3_column_bytes(s, at) : 0);
}

bool db_is_ok(const struct db *db)
{
    return !db->error;
}

bool db_is_full(const struct db *db)
{
    int e = db->system_error;
    switch (db->error) {
    case SQLITE_FULL:
        return true;
    case SQLITE_IOERR_WRITE:
    case SQLITE_IOERR_SHMSIZE:
    case SQLITE_IOERR_SHMOPEN:
    case SQLITE_CANTOPEN:
        return e == ENOSPC || e == EDQUOT || e == EFBIG;
    default:
        return false;
    }
}

bool db_is_busy(const struct db *db)
{
    int primary = db->error & 0xff;
    return primary == SQLITE_BUSY || primary == SQLITE_LOCKED;
}

bool db_is_foreign(const struct db *db)
{
    return (db->error & 0xff) == SQLITE_NOTADB;
}

/* Our statements fit our tables: one that does not compile, or breaks a rule, finds other ones. */
bool db_is_damaged(const struct db *db)
{
    switch (db->error & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        return true;
    default:
        return false;
    }
}

bool db_damaged(struct db *db, const char *format, ...)
{
    va_list more;
    if (db->error)
        return false;
    va_start(more, format);
    vsnprintf(db->text, sizeof db->text, format, more);
    va_end(more);
    db->error = SQLITE_CORRUPT;
    return false;
}

bool db_fault(const struct db *db, struct fault *why)
{
    int code = db_is_full(db)      ? REFUSE_DISK_FULL
               : db_is_damaged(db) ? REFUSE_DAMAGED
                                   : REFUSE_INTERNAL;
    if (db->system_error)
        return fail(why, code, "SQLite: %s (%d), %s", db->text, db->error,
                    strerror(db->system_error));
    return fail(why, code, "SQLite: %s (%d)", db->text, db->error);
}

void db_forget_error(struct db *db)
{
    db->error = db->system_error = 0;
    db->text[0] = '\0';
}

void db_rollback(struct db *db)
{
    db_forget_error(db);
    if (!sqlite3_get_autocommit(db->handle))
        db_do(db, QUERY_ROLLBACK);
    db_forget_error(db);
}

bool db_checkpoint(struct db *db, enum db_checkpoint how)
{
    static const int modes[] = {SQLITE_CHECKPOINT_PASSIVE, SQLITE_CHECKPOINT_RESTART,
                                SQLITE_CHECKPOINT_TRUNCATE};
    int in_log = 0, moved = 0;
    if (db->error || !db->is_log_sure)
        return !db->error;
    sqlite3_busy_timeout(db->handle, CHECKPOINT_WAIT);
    int code = sqlite3_wal_checkpoint_v2(db->handle, NULL, modes[how], &in_log, &moved);
    sqlite3_busy_timeout(db->handle, BUSY_WAIT);
    if (code == SQLITE_OK && in_log == moved)
        db->wal_bytes = 0;
    if (code != SQLITE_OK && code != SQLITE_BUSY)
        note_error(db, code);
    return !db->error;
}

/* The head, and the frames that bear its salts; behind them lie older ones. */
static int write_log_again(sqlite3_file *log)
{
    enum { HEAD = 32, HEAD_SALTS = 16, SALTS = 8, SALTS_SIZE = 8 };
    unsigned char head[HEAD] = {0}, frame[FRAME] = {0};
    sqlite3_int64 size = 0;
    int code = log->pMethods->xFileSize(log, &size);
    if (code != SQLITE_OK || size < HEAD)
        return code;
    code = log->pMethods->xRead(log, head, HEAD, 0);
    if (code == SQLITE_OK)
        code = log->pMethods->xWrite(log, head, HEAD, 0);
    for (sqlite3_int64 at = HEAD; code == SQLITE_OK && at + FRAME <= size; at += FRAME) {
        code = log->pMethods->xRead(log, frame, FRAME, at);
        if (code == SQLITE_OK && memcmp(frame + SALTS, head + HEAD_SALTS, SALTS_SIZE) != 0)
            break;
        if (code == SQLITE_OK)
            code = log->pMethods->xWrite(log, frame, FRAME, at);
    }
    return code == SQLITE_OK ? log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) : code;
}

bool db_write_log_again(struct db *db)
{
    sqlite3_file *log = NULL;
    if (db->error)
        return false;
    int code = sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (code == SQLITE_OK && log && log->pMethods)
        code = write_log_again(log);
    if (code != SQLITE_OK)
        note_error(db, code);
    db->is_log_sure = !db->error;
    return db->is_log_sure;
}

/* SQLite itself makes the index longer when a commit is on the disk already. */
bool db_make_room(struct db *db)
{
    sqlite3_file *file = NULL;
    int wanted = (int)(db->wal_bytes / FRAME / INDEX_FRAMES) + 1 + INDEX_AHEAD;
    void volatile *region;
    sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    while (db_is_ok(db) && db->index_regions < wanted) {
        int rc = file->pMethods->xShmMap(file, db->index_regions, INDEX_REGION, 1, &region);
        if (rc == SQLITE_OK)
            db->index_regions++;
        else
            note_error(db, rc == SQLITE_IOERR_SHMSIZE ? SQLITE_FULL : rc);
    }
    return db_is_ok(db);
}

bool db_is_unindexed(const struct db *db)
{
    return db->error == SQLITE_IOERR_SHMSIZE;
}

bool db_is_moved(struct db *db)
{
    int moved = 0;
    struct stat s;
    sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return moved && (stat(sqlite3_db_filename(db->handle, "main"), &s) == 0 || errno == ENOENT);
}

bool db_build(struct db *db)
{
    return db_exec(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");
}

void db_keep_log(struct db *db)
{
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

void db_interrupt(struct db *db)
{
    if (db->handle)
        sqlite3_interrupt(db->handle);
}

const char *db_library_version(void)
{
    return sqlite3_libversion();
}

struct db_copy {
    struct db to;
    sqlite3_backup *pages;
};

struct db_copy *db_copy_new(struct db *from, const char *path, struct fault *why)
{
    struct db_copy *c = must_alloc(sizeof *c);
    if (!db_open(&c->to, path, DB_WRITES, why)) {
        free(c);
        return NULL;
    }
    db_build(&c->to);
    c->pages = sqlite3_backup_init(c->to.handle, "main", from->handle, "main");
    if (c->pages)
        return c;
    note_error(&c->to, sqlite3_errcode(c->to.handle));
    db_fault(&c->to, why);
    db_copy_free(c);
    return NULL;
}

enum db_copied db_copy_slice(struct db_copy *c, int pages, struct fault *why)
{
    int code = sqlite3_backup_step(c->pages, pages);
    if (code == SQLITE_DONE)
        return DB_COPY_DONE;
    if (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return DB_COPY_MORE;
    note_error(&c->to, code);
    db_fault(&c->to, why);
    return DB_COPY_FAILED;
}

void db_copy_progress(const struct db_copy *c, uint64_t *done, uint64_t *total)
{
    *total = (uint64_t)sqlite3_backup_pagecount(c->pages);
    *done = *total - (uint64_t)sqlite3_backup_remaining(c->pages);
}

void db_copy_free(struct db_copy *c)
{
    if (!c)
        return;
    sqlite3_backup_finish(c->pages);
    db_close(&c->to);
    free(c);
}
