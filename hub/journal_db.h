/* journal_db -- a connection to an SQLite file, its statements (sql/queries.sql, made ready when
 * first used) and its errors. Knows nothing of what is in the tables. For one thread at a time.
 *
 * The first error stays until db_forget_error(), and nothing is done meanwhile: a chain of calls
 * is checked once, at its end. */
#ifndef BELFRY_JOURNAL_DB_H
#define BELFRY_JOURNAL_DB_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"
#include "sql.h"

enum query {
#define X(name, text) QUERY_##name,
    SQL_QUERIES(X)
#undef X
        QUERY_COUNT
};

struct sqlite3;
struct sqlite3_stmt;
typedef struct sqlite3_stmt Statement; /* as a word; by pointer only */

struct db {
    struct sqlite3 *handle;
    Statement *ready[QUERY_COUNT];
    uint64_t wal_bytes; /* what waits in the write-ahead log, as of the last commit or checkpoint */
    int index_regions;  /* of the write-ahead log's index, that have their room */
    bool is_log_sure;   /* db_write_log_again() was done: it may be moved to the file */
    int error;          /* extended code of SQLite */
    int system_error;   /* the errno that came with it */
    char text[160];
};

enum db_mode { DB_WRITES, DB_READS };
/* False: nothing is left to be closed. */
MUST_USE bool db_open(struct db *db, const char *path, enum db_mode mode, struct fault *why);
void db_close(struct db *db);

/* Several statements without parameters. */
bool db_exec(struct db *db, const char *sql);
/* To be bound, and run; NULL once there was an error, which all that take it understand. */
Statement *db_query(struct db *db, enum query query);
/* The next row; false at the end, or at an error: the statement is done with. */
bool db_row(struct db *db, Statement *s);
bool db_run(struct db *db, Statement *s);    /* to the end */
bool db_do(struct db *db, enum query query); /* one without parameters, to the end */
void db_end(Statement *s);                   /* enough of its rows were seen */
/* The first number of the first row; 0 where there is none. */
uint64_t db_number(struct db *db, enum query query);
uint64_t db_number_of(struct db *db, enum query query, uint64_t parameter);
uint64_t db_changes(const struct db *db); /* rows changed by the last statement */

/* Parameters are counted from 1; the text must live until the statement is done with. */
void bind_number(Statement *s, int at, uint64_t n);
void bind_text(Statement *s, int at, Str text);
void bind_optional(Statement *s, int at, Str text);                  /* NULL where it is empty */
void bind_column(Statement *s, int at, Statement *from, int column); /* as it is, whatever it is */
/* Columns are counted from 0; the text lives until the next row. */
uint64_t column_number(Statement *s, int at);
Str column_text(Statement *s, int at);

bool db_is_ok(const struct db *db);
bool db_is_full(const struct db *db);    /* the disk, a quota or a file's size */
bool db_is_busy(const struct db *db);    /* another program holds the file */
bool db_is_foreign(const struct db *db); /* the file is not one of SQLite's */
/* The file contradicts itself, or SQLite. */
bool db_is_damaged(const struct db *db);
/* Says so of what SQLite has not seen; an error like others. False. */
bool db_damaged(struct db *db, const char *format, ...) PRINTF(2, 3);
/* False; DISK_FULL, DAMAGED or INTERNAL. */
bool db_fault(const struct db *db, struct fault *why);
void db_forget_error(struct db *db);
/* Ends a transaction that failed, and forgets the error. */
void db_rollback(struct db *db);

/* From the write-ahead log to the file: as far as readers let it, or waiting a moment for them and
 * beginning the log anew, or also cutting the log off. */
enum db_checkpoint { DB_PASSIVE, DB_RESTART, DB_TRUNCATE };
bool db_checkpoint(struct db *db, enum db_checkpoint how);
/* Within a transaction, so that nobody else writes: what the write-ahead log holds is written once
 * more, as it is, and synced. Where a sync has failed before, the kernel shows pages that are not
 * on the disk and will never be; and what follows such a page is lost with it. A checkpoint would
 * not do, and is none before: with half of it on the disk, the log must still be good. */
bool db_write_log_again(struct db *db);
/* Before a transaction: the write-ahead log's index has room for it. Else it is as on a full disk.
 */
bool db_make_room(struct db *db);
/* The index could not be made longer: at a commit, which may be on the disk already. */
bool db_is_unindexed(const struct db *db);
/* What lies at its path is not this file any more: it was moved, deleted or replaced. */
bool db_is_moved(struct db *db);
/* A file that is worth nothing until it is whole: not protected meanwhile. */
bool db_build(struct db *db);
/* When it is closed, the write-ahead log stays as it is. */
void db_keep_log(struct db *db);
/* From any thread: what runs ends with an error. */
void db_interrupt(struct db *db);

const char *db_library_version(void); /* of SQLite */

/* A copy of the whole file, made in slices between which the connection may write. */
struct db_copy;
struct db_copy *db_copy_new(struct db *from, const char *path, struct fault *why);
enum db_copied { DB_COPY_MORE, DB_COPY_DONE, DB_COPY_FAILED };
enum db_copied db_copy_slice(struct db_copy *c, int pages, struct fault *why);
void db_copy_progress(const struct db_copy *c, uint64_t *done, uint64_t *total);
void db_copy_free(struct db_copy *c);

#endif
