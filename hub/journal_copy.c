#include "journal_copy.h"
#include "base/log.h"
#include "journal_file.h"
#include "wire/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    PAGES = 64,
    SYNC_EACH = 16, /* slices: so that the end does not stall the writer */
};

void copier_init(struct copier *c, struct db *db)
{
    *c = (struct copier){.db = db, .fd = -1};
    op_list_init(&c->waiting);
}

void copier_add(struct copier *c, struct op *backup)
{
    op_list_add(&c->waiting, backup);
}

bool copier_is_busy(const struct copier *c)
{
    return c->current || c->waiting.first;
}

static bool begin(struct copier *c)
{
    struct backup *b = c->current;
    struct fault *why = &b->op.why;
    size_t size = strlen(b->path) + sizeof ".part";
    c->part = must_alloc(size);
    snprintf(c->part, size, "%s.part", b->path);
    if (access(b->path, F_OK) == 0)
        return fail(why, REFUSE_WRONG_FIELD, "path: %s exists", b->path);
    if (unlink(c->part) != 0 && errno != ENOENT)
        return file_fault(c->part, why);
    c->fd = open(c->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (c->fd < 0)
        return file_fault(c->part, why);
    c->pages = db_copy_new(c->db, c->part, why);
    return c->pages;
}

/* Also makes it one file that needs no other beside it. */
static bool mark(const char *path, struct fault *why)
{
    struct db copy;
    if (!db_open(&copy, path, DB_WRITES, why))
        return false;
    db_exec(&copy, "PRAGMA journal_mode = DELETE");
    db_do(&copy, QUERY_MARK_RESTORED);
    bool marked = db_is_ok(&copy) || db_fault(&copy, why);
    db_close(&copy);
    return marked;
}

/* Never over a file that is there. Filesystems such as NFS and sshfs know only the other way. */
static bool give_name(const char *part, const char *path)
{
    if (renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    return link(part, path) == 0 && unlink(part) == 0;
}

static bool name(struct copier *c)
{
    struct backup *b = c->current;
    struct fault *why = &b->op.why;
    db_copy_progress(c->pages, &b->pages_done, &b->pages_total);
    db_copy_free(c->pages);
    c->pages = NULL;
    if (!mark(c->part, why))
        return false;
    if (fsync(c->fd) != 0)
        return file_fault(c->part, why);
    if (!give_name(c->part, b->path))
        return file_fault(b->path, why);
    return file_sync_name(b->path, why);
}

static void end(struct copier *c, struct op_list *done)
{
    struct backup *b = c->current;
    db_copy_free(c->pages);
    c->pages = NULL;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    if (c->part && b->op.why.code && b->op.why.code != REFUSE_WRONG_FIELD)
        unlink(c->part);
    free(c->part);
    c->part = NULL;
    c->slices = 0;
    c->current = NULL;
    log_info("backup", kz("path", b->path), kn("pages", b->pages_done),
             kz("fault", b->op.why.text));
    op_list_add(done, &b->op);
}

static bool go_on(struct copier *c)
{
    struct fault *why = &c->current->op.why;
    if (!c->pages)
        return begin(c);
    switch (db_copy_slice(c->pages, PAGES, why)) {
    case DB_COPY_DONE:
        name(c);
        return false;
    case DB_COPY_FAILED:
        return false;
    case DB_COPY_MORE:
        break;
    }
    if (++c->slices % SYNC_EACH == 0 && fdatasync(c->fd) != 0)
        return file_fault(c->part, why);
    return true;
}

void copier_slice(struct copier *c, struct op_list *done)
{
    if (!c->current) {
        c->current = (struct backup *)(void *)op_list_take(&c->waiting);
        c->current->op.why.code = 0;
    }
    if (!go_on(c))
        end(c, done);
}

void copier_fini(struct copier *c, struct op_list *done)
{
    while (copier_is_busy(c)) {
        if (!c->current)
            c->current = (struct backup *)(void *)op_list_take(&c->waiting);
        fail(&c->current->op.why, REFUSE_STOPPING, "the hub stops");
        end(c, done);
    }
}
