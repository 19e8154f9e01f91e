/* journal_whole -- the files as they lie there, before SQLite sees them: what it would take as it
 * is, and is damage. */
#ifndef BELFRY_JOURNAL_WHOLE_H
#define BELFRY_JOURNAL_WHOLE_H

#include "base/fault.h"

/* False, DAMAGED: a recovery was not finished; the file and its write-ahead log do not belong
 * together; its head says that it cannot be written; or it was cut off within a page, whose rest
 * SQLite would read as zeros. */
MUST_USE bool whole_looks_so(const char *path, struct fault *why);
/* Whether a file of ours ends within a page that is not in the write-ahead log either. */
bool whole_is_cut(const char *path);
/* Whether it begins as a journal does, or its write-ahead log does. */
bool whole_has_head(const char *path);
/* Whether a file that SQLite does not take for one of its own looks like ours behind its head. */
bool whole_was_ours(const char *path);
/* Whether a recovery of this log was begun and not finished. */
bool whole_is_pending(const char *path);

#endif
