#include "cli/offline.h"

#include "base/lockfile.h"
#include "wire/refusal.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The lock of a hub that never ran here is not made: it would belong to whoever asks. */
static bool lock(struct offline *f, struct fault *why)
{
    char copy[512], path[600];
    memcpy(copy, f->path, sizeof copy);
    snprintf(path, sizeof path, "%s/belfryd.lock", dirname(copy));
    if (access(path, W_OK) != 0)
        return true;
    f->lock = lockfile_open(path, why);
    if (f->lock < 0)
        why->code = REFUSE_OVERLOAD;
    return f->lock >= 0;
}

bool offline_begin(struct offline *f, const struct options *o, const char *file, struct fault *why)
{
    *f = (struct offline){.lock = -1};
    int n = file ? snprintf(f->path, sizeof f->path, "%s", file)
                 : snprintf(f->path, sizeof f->path, "%s/journal.db", o->data);
    if (n < 0 || (size_t)n >= sizeof f->path - 64)
        return fail(why, REFUSE_CONFIG, "the path of the journal is too long");
    if (access(f->path, R_OK) != 0)
        return fail(why, REFUSE_CONFIG, "%s: %s", f->path, strerror(errno));
    return lock(f, why);
}

void offline_end(struct offline *f)
{
    lockfile_close(f->lock);
    f->lock = -1;
}
