/* crash_points -- goes before a program (LD_PRELOAD) and ends it, as kill -9 would, at the k-th
 * passage of a named point: CRASH_AT=point:k. So the program needs no hooks of its own. Points are
 * recognised by the statements that are run and by the calls that are made:
 *
 *   before-begin  mid-batch  before-commit  mid-commit (between two writes)  after-commit
 *   checkpoint (before one of its writes or syncs)  prune  after-prune  epoch  after-epoch
 *   recovery (a statement before the epoch is written)  backup  sync  send (a part of a message to
 *   the other side of a link)  stream (a write to a web server)
 *
 * Exit code 137. */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static struct {
    char point[32];
    atomic_long left;
} armed;

/* What this thread is in the middle of. */
static _Thread_local bool is_writing, is_committing, is_checkpointing;
static atomic_bool has_epoch;

__attribute__((constructor)) static void arm(void)
{
    const char *at = getenv("CRASH_AT"), *colon = at ? strchr(at, ':') : NULL;
    if (!colon || (size_t)(colon - at) >= sizeof armed.point)
        return;
    memcpy(armed.point, at, (size_t)(colon - at));
    atomic_store(&armed.left, strtol(colon + 1, NULL, 10));
}

static void pass(const char *point)
{
    if (strcmp(point, armed.point) == 0 && atomic_fetch_sub(&armed.left, 1) == 1)
        _exit(137);
}

/* The function that would have been called without this library. */
#define NEXT(name) ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))

/* SQLite */

struct sqlite3;
struct sqlite3_stmt;
struct sqlite3_backup;
int sqlite3_step(struct sqlite3_stmt *s);
const char *sqlite3_sql(struct sqlite3_stmt *s);
int sqlite3_wal_checkpoint_v2(struct sqlite3 *db, const char *name, int mode, int *in, int *moved);
int sqlite3_backup_step(struct sqlite3_backup *b, int pages);

static bool begins(const char *sql, const char *with)
{
    return sql && strncmp(sql, with, strlen(with)) == 0;
}

static void before_step(const char *sql)
{
    if (!atomic_load(&has_epoch))
        pass("recovery");
    if (begins(sql, "BEGIN IMMEDIATE")) {
        pass("before-begin");
        is_writing = true;
    } else if (begins(sql, "INSERT INTO event")) {
        pass("mid-batch");
    } else if (begins(sql, "DELETE FROM event")) {
        pass("prune");
    } else if (begins(sql, "UPDATE channel SET floor")) {
        pass("after-prune");
    } else if (begins(sql, "INSERT INTO epoch")) {
        atomic_store(&has_epoch, true);
        pass("epoch");
    } else if (begins(sql, "COMMIT") && is_writing) {
        pass("before-commit");
        is_committing = true;
    }
}

static void after_step(const char *sql)
{
    if (begins(sql, "INSERT INTO epoch"))
        pass("after-epoch");
    if (!begins(sql, "COMMIT") && !begins(sql, "ROLLBACK"))
        return;
    if (is_committing)
        pass("after-commit");
    is_writing = is_committing = false;
}

int sqlite3_step(struct sqlite3_stmt *s)
{
    static __typeof__(&sqlite3_step) next;
    next = next ? next : NEXT(sqlite3_step);
    const char *sql = sqlite3_sql(s);
    before_step(sql);
    int code = next(s);
    after_step(sql);
    return code;
}

int sqlite3_wal_checkpoint_v2(struct sqlite3 *db, const char *name, int mode, int *in, int *moved)
{
    is_checkpointing = true;
    int code = NEXT(sqlite3_wal_checkpoint_v2)(db, name, mode, in, moved);
    is_checkpointing = false;
    return code;
}

int sqlite3_backup_step(struct sqlite3_backup *b, int pages)
{
    pass("backup");
    return NEXT(sqlite3_backup_step)(b, pages);
}

/* The disk */

static void before_write(void)
{
    if (is_checkpointing)
        pass("checkpoint");
    if (is_committing)
        pass("mid-commit");
}

ssize_t pwrite64(int fd, const void *p, size_t len, off64_t at)
{
    static __typeof__(&pwrite64) next;
    next = next ? next : NEXT(pwrite64);
    before_write();
    return next(fd, p, len, at);
}

ssize_t pwrite(int fd, const void *p, size_t len, off_t at)
{
    static __typeof__(&pwrite) next;
    next = next ? next : NEXT(pwrite);
    before_write();
    return next(fd, p, len, at);
}

static void before_sync(void)
{
    pass("sync");
    if (is_checkpointing)
        pass("checkpoint");
}

int fsync(int fd)
{
    before_sync();
    return NEXT(fsync)(fd);
}

int fdatasync(int fd)
{
    before_sync();
    return NEXT(fdatasync)(fd);
}

/* The network */

int zmq_msg_send(void *part, void *to, int flags);
int zmq_msg_send(void *part, void *to, int flags)
{
    static __typeof__(&zmq_msg_send) next;
    next = next ? next : NEXT(zmq_msg_send);
    pass("send");
    return next(part, to, flags);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
    static __typeof__(&writev) next;
    next = next ? next : NEXT(writev);
    pass("stream");
    return next(fd, v, n);
}

ssize_t send(int fd, const void *p, size_t len, int flags)
{
    static __typeof__(&send) next;
    next = next ? next : NEXT(send);
    pass("stream");
    return next(fd, p, len, flags);
}

ssize_t write(int fd, const void *p, size_t len)
{
    static __typeof__(&write) next;
    next = next ? next : NEXT(write);
    pass("stream");
    return next(fd, p, len);
}
