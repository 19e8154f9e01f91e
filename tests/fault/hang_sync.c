/* hang_sync -- put before a program (LD_PRELOAD): while the file that HANG_SYNC names is there, its
 * syncs do not come back, as on a disk that hangs. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int fdatasync(int fd)
{
    const char *path = getenv("HANG_SYNC");
    while (path && access(path, F_OK) == 0)
        usleep(10000);
    return (int)syscall(SYS_fdatasync, fd);
}
