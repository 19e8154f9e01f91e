/* lockfile -- one process for one folder: flock() of a file that holds its owner's pid. The kernel
 * lets go when the process ends, however it ends; the file itself stays. */
#ifndef BELFRY_LOCKFILE_H
#define BELFRY_LOCKFILE_H

#include "base/fault.h"

/* A descriptor to keep open while the folder is ours, or -1: `why` names the pid of the holder, who
 * is given half a second to be gone. Closed on exec; a forked child shares the lock. */
MUST_USE int lockfile_open(const char *path, struct fault *why);
/* Writes the caller's pid into the file: for one who took the lock over. */
void lockfile_sign(int fd);
void lockfile_close(int fd); /* -1 is fine */

#endif
