#include "base/file.h"

#include "wire/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { PIECE = 4096 };

static bool read_all(int fd, const char *path, struct buf *out, struct fault *why)
{
    char piece[PIECE];
    ssize_t n;
    while ((n = read(fd, piece, sizeof piece)) > 0)
        if (!buf_put(out, str_make(piece, (size_t)n)))
            return fail(why, REFUSE_CONFIG, "%.100s: larger than %zu bytes", path, out->max);
    explicit_bzero(piece, sizeof piece);
    return n == 0 || fail(why, REFUSE_CONFIG, "%.100s: %s", path, strerror(errno));
}

bool file_read(const char *path, struct buf *out, struct stat *about, struct fault *why)
{
    struct stat s;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &s) != 0) {
        fail(why, REFUSE_CONFIG, "%.100s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    if (about)
        *about = s;
    bool ok = read_all(fd, path, out, why);
    close(fd);
    return ok;
}

struct stamp stamp_of(const struct stat *s)
{
    return (struct stamp){s->st_ino, s->st_size, s->st_mtim};
}

bool stamp_is_same(struct stamp a, struct stamp b)
{
    return a.ino == b.ino && a.size == b.size && a.changed.tv_sec == b.changed.tv_sec &&
           a.changed.tv_nsec == b.changed.tv_nsec;
}
