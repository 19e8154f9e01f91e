#include "journal_whole.h"

#include "wire/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    HEAD = 20,
    WRITTEN_BY = 18, /* in the head; 1: with a rollback journal, 2: with a write-ahead log */
    APPLICATION_AT = 68,
    LOG_HEAD = 32,
    FRAME = 24 + PAGE, /* of the write-ahead log; begins with the number of its page */
};

static const char *beside(char out[512], const char *path, const char *suffix)
{
    snprintf(out, 512, "%.480s%s", path, suffix);
    return out;
}

static off_t size_of(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 ? s.st_size : 0;
}

/* Reads what there is; the rest is zero. */
static ssize_t peek(const char *path, off_t at, unsigned char *out, size_t n)
{
    memset(out, 0, n);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? pread(fd, out, n, at) : -1;
    if (fd >= 0)
        close(fd);
    return got;
}

static bool has(const char *path, off_t at, const char *bytes, size_t n)
{
    unsigned char found[16];
    return peek(path, at, found, n) == (ssize_t)n && memcmp(found, bytes, n) == 0;
}

/* A page that begins as one of a table, or of an index. */
static bool is_node(const char *path, off_t page, unsigned char inner, unsigned char leaf)
{
    unsigned char kind;
    return peek(path, page * PAGE, &kind, 1) == 1 && (kind == inner || kind == leaf);
}

bool whole_was_ours(const char *path)
{
    enum { TABLE = 5, TABLE_LEAF = 13, INDEX = 2, INDEX_LEAF = 10 };
    return has(path, APPLICATION_AT, "Belf", 4) ||
           (is_node(path, 1, TABLE, TABLE_LEAF) && is_node(path, 2, INDEX, INDEX_LEAF));
}

bool whole_is_pending(const char *path)
{
    char recovered[512];
    return access(beside(recovered, path, ".recovered"), F_OK) == 0;
}

static bool is_in_log(const char *log, uint64_t page)
{
    bool found = false;
    int fd = open(log, O_RDONLY | O_CLOEXEC);
    unsigned char b[4];
    for (off_t at = LOG_HEAD; fd >= 0 && !found && pread(fd, b, 4, at) == 4; at += FRAME)
        found = ((uint64_t)b[0] << 24 | (uint64_t)b[1] << 16 | (uint64_t)b[2] << 8 | b[3]) == page;
    if (fd >= 0)
        close(fd);
    return found;
}

bool whole_has_head(const char *path)
{
    char log[512];
    return is_in_log(beside(log, path, "-wal"), 1) ||
           (has(path, 0, "SQLite format 3", 16) && has(path, APPLICATION_AT, "Belf", 4));
}

bool whole_is_cut(const char *path)
{
    char log[512];
    off_t size = size_of(path);
    return size % PAGE && (whole_has_head(path) || whole_was_ours(path)) &&
           !is_in_log(beside(log, path, "-wal"), (uint64_t)size / PAGE + 1);
}

/* SQLite takes it for a file of a later version, and reads it as if it were whole. */
static bool is_locked(const char *path)
{
    char log[512];
    unsigned char head[HEAD];
    return peek(path, 0, head, HEAD) == HEAD && head[WRITTEN_BY] > 2 && whole_has_head(path) &&
           !is_in_log(beside(log, path, "-wal"), 1);
}

/* The write-ahead log of another file: SQLite would mix them up. */
static bool fits_its_log(const char *path, struct fault *why)
{
    char log[512];
    unsigned char head[HEAD];
    if (size_of(beside(log, path, "-wal")) == 0)
        return true;
    /* SQLite would begin anew, and delete the log. */
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return fail(why, REFUSE_DAMAGED,
                    "%s is missing, and its write-ahead log is not: put the file back beside it",
                    path);
    ssize_t n = peek(path, 0, head, HEAD);
    if (n == 0)
        return fail(why, REFUSE_DAMAGED, "%s is empty, and its write-ahead log is not", path);
    if (n == HEAD && head[WRITTEN_BY] == 1)
        return fail(why, REFUSE_DAMAGED,
                    "%s is a copy that was put here, and %s belongs to the file that was here "
                    "before: move it away",
                    path, log);
    return true;
}

bool whole_looks_so(const char *path, struct fault *why)
{
    if (whole_is_pending(path))
        return fail(why, REFUSE_DAMAGED,
                    "the recovery of %s was not finished: belfry recover goes on with it", path);
    if (!fits_its_log(path, why))
        return false;
    if (is_locked(path))
        return fail(why, REFUSE_DAMAGED, "the head of %s is damaged", path);
    return !whole_is_cut(path) || fail(why, REFUSE_DAMAGED, "%s is cut off within a page", path);
}
