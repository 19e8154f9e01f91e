/* journal_file -- files as such: that they are on the disk, and why not. */
#ifndef BELFRY_JOURNAL_FILE_H
#define BELFRY_JOURNAL_FILE_H

#include "base/fault.h"

/* False; errno in words: DISK_FULL or INTERNAL. */
bool file_fault(const char *path, struct fault *why);
/* Its content is on the disk. */
MUST_USE bool file_sync(const char *path, struct fault *why);
/* Its name is. */
MUST_USE bool file_sync_name(const char *path, struct fault *why);
/* A copy of all that is not cut off within its last page. */
MUST_USE bool file_copy_pages(const char *path, const char *to, struct fault *why);
/* The first page of one file instead of the other's, which keeps its own number of pages. */
MUST_USE bool file_lend_head(const char *from, const char *to, struct fault *why);

#endif
