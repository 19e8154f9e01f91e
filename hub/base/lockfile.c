#include "base/lockfile.h"

#include "wire/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* One that was killed a moment ago may have children that are not gone yet. */
enum { TRIES = 25, PAUSE_MS = 20 };

/* The holder's pid as its digits, or "?". */
static void read_holder(int fd, char out[16])
{
    ssize_t n = pread(fd, out, 15, 0);
    out[n > 0 ? n : 0] = '\0';
    out[strspn(out, "0123456789")] = '\0';
    if (!out[0])
        memcpy(out, "?", 2);
}

static bool take(int fd)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    for (int tries = 1; flock(fd, LOCK_EX | LOCK_NB) != 0; tries++) {
        if (errno != EWOULDBLOCK || tries == TRIES)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

int lockfile_open(const char *path, struct fault *why)
{
    char holder[16];
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        fail(why, REFUSE_CONFIG, "%.150s: %s", path, strerror(errno));
        return -1;
    }
    if (take(fd)) {
        lockfile_sign(fd);
        return fd;
    }
    if (errno == EWOULDBLOCK) {
        read_holder(fd, holder);
        fail(why, REFUSE_CONFIG, "%.150s is held by process %s", path, holder);
    } else
        fail(why, REFUSE_CONFIG, "%.150s: %s", path, strerror(errno));
    close(fd);
    return -1;
}

void lockfile_sign(int fd)
{
    char pid[16];
    int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    /* The pid is a help to people; the lock holds without it, also on a full disk. */
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n)
        return;
}

void lockfile_close(int fd)
{
    if (fd >= 0)
        close(fd);
}
