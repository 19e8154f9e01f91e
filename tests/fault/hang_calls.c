/* hang_calls -- put before a program (LD_PRELOAD): some of its calls do not come back as long as a
 * file is there.
 *
 * HANG_SYNC names the one for its syncs, as on a disk that hangs; HANG_REAP the one for its waits
 * for any child, as on a machine with no time for it. The latter is renamed, with "ing" behind its
 * name, when a wait has begun to hang. HANG_START names the one for the way to main().
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void hang(const char *path)
{
    while (access(path, F_OK) == 0)
        usleep(10000);
}

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("HANG_START");
    if (path)
        hang(path);
}

int fdatasync(int fd)
{
    const char *path = getenv("HANG_SYNC");
    if (path)
        hang(path);
    return (int)syscall(SYS_fdatasync, fd);
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    const char *path = pid < 0 ? getenv("HANG_REAP") : NULL;
    char seen[256];
    if (path) {
        snprintf(seen, sizeof seen, "%sing", path);
        if (rename(path, seen) == 0)
            hang(seen);
    }
    return (pid_t)syscall(SYS_wait4, pid, status, options, NULL);
}
