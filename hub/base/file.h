/* file -- a whole small file, read into memory, and whether it is still the same. */
#ifndef BELFRY_FILE_H
#define BELFRY_FILE_H

#include "buf.h"
#include "fault.h"

#include <sys/stat.h>

/* Appends what is in it, as much as `out` takes at most. `about` (may be NULL): the file as it was
 * opened. A fault is CONFIG and begins with the path. */
MUST_USE bool file_read(const char *path, struct buf *out, struct stat *about, struct fault *why);

/* What tells one state of a file from another. */
struct stamp {
    ino_t ino;
    off_t size;
    struct timespec changed;
};
struct stamp stamp_of(const struct stat *s);
bool stamp_is_same(struct stamp a, struct stamp b);

#endif
