#include "journal_file.h"

#include "base/str.h"
#include "wire/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096 };

bool file_fault(const char *path, struct fault *why)
{
    bool is_full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    return fail(why, is_full ? REFUSE_DISK_FULL : REFUSE_INTERNAL, "%s: %s", path, strerror(errno));
}

static bool sync_as(const char *path, int flags, struct fault *why)
{
    int fd = open(path, flags | O_CLOEXEC);
    bool done = (fd >= 0 && fsync(fd) == 0) || file_fault(path, why);
    if (fd >= 0)
        close(fd);
    return done;
}

bool file_sync(const char *path, struct fault *why)
{
    return sync_as(path, O_RDWR, why);
}

bool file_sync_name(const char *path, struct fault *why)
{
    char *copy = str_dup(str_of(path));
    bool done = sync_as(dirname(copy), O_RDONLY | O_DIRECTORY, why);
    free(copy);
    return done;
}

static bool copy(int in, int out, off_t size)
{
    for (off_t at = 0; at < size;) {
        ssize_t n = sendfile(out, in, &at, (size_t)(size - at));
        if (n <= 0)
            return false;
    }
    return true;
}

static void close_both(int in, int out)
{
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
}

bool file_copy_pages(const char *path, const char *to, struct fault *why)
{
    struct stat s;
    int in = open(path, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool done = (in >= 0 && out >= 0 && fstat(in, &s) == 0 &&
                 copy(in, out, s.st_size - s.st_size % PAGE)) ||
                file_fault(to, why);
    close_both(in, out);
    return done;
}

bool file_lend_head(const char *from, const char *to, struct fault *why)
{
    enum { COUNT_AT = 28 }; /* of pages; big end first */
    unsigned char page[PAGE];
    struct stat s;
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CLOEXEC);
    bool done = in >= 0 && out >= 0 && pread(in, page, PAGE, 0) == PAGE && fstat(out, &s) == 0;
    if (done) {
        uint64_t count = (uint64_t)s.st_size / PAGE;
        for (int i = 0; i < 4; i++)
            page[COUNT_AT + i] = (unsigned char)(count >> 8 * (3 - i));
        done = pwrite(out, page, PAGE, 0) == PAGE;
    }
    if (!done)
        file_fault(to, why);
    close_both(in, out);
    return done;
}
