#include "power_disk.h"

#include "base/memory.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SECTOR = 512, FDS = 1024, FILES = 512, NAMES = 64, NAME = 64, VERSIONS = 6, SIZES = 16 };

struct version {
    struct version *older;
    unsigned char bytes[SECTOR];
};

struct file {
    unsigned char *synced;   /* what is on disk */
    size_t synced_size, cap; /* beyond synced_size, and up to cap: zeros */
    size_t size;
    size_t sizes[SIZES]; /* it had since the last sync */
    size_t size_count;
    struct version **newest; /* of each sector; NULL: as synced */
    size_t sectors;
    bool is_database;
};

struct entry {
    char name[NAME];
    int file; /* -1: none */
};

struct folder {
    struct entry v[NAMES];
    size_t n;
};

enum change_kind { PUT, DROP, MOVE };
struct change {
    enum change_kind kind;
    char name[NAME], to[NAME];
    int file;
};

static struct {
    pthread_mutex_t lock;
    char path[256];
    struct file files[FILES];
    int file_count;
    struct folder now, synced;
    struct change changes[NAMES]; /* since the folder was synced */
    size_t change_count;
    int opened[FDS]; /* file + 1; 0: not ours; -1: the folder */
    uint64_t calls, aim;
    void (*hit)(void *ctx);
    void *ctx;
    unsigned lie;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- files ---- */

static void *grown(void *old, size_t from, size_t to)
{
    unsigned char *p = must_realloc(old, to);
    memset(p + from, 0, to - from);
    return p;
}

static void reserve(struct file *f, size_t size)
{
    size_t sectors = (size + SECTOR - 1) / SECTOR;
    if (sectors > f->sectors) {
        size_t more = sectors + sectors / 2 + 64;
        f->newest = grown(f->newest, f->sectors * sizeof(struct version *),
                          more * sizeof(struct version *));
        f->synced = grown(f->synced, f->cap, more * SECTOR);
        f->sectors = more;
        f->cap = more * SECTOR;
    }
}

static const unsigned char *content(const struct file *f, size_t sector)
{
    return f->newest[sector] ? f->newest[sector]->bytes : f->synced + sector * SECTOR;
}

static void drop_versions(struct version *v)
{
    while (v) {
        struct version *older = v->older;
        free(v);
        v = older;
    }
}

static struct version *new_version(struct file *f, size_t sector)
{
    struct version *v = must_alloc(sizeof *v), *last = v;
    memcpy(v->bytes, content(f, sector), SECTOR);
    v->older = f->newest[sector];
    f->newest[sector] = v;
    for (int i = 1; last && i < VERSIONS; i++)
        last = last->older;
    if (last) {
        drop_versions(last->older);
        last->older = NULL;
    }
    return v;
}

static void note_size(struct file *f, size_t size)
{
    if (f->size == size)
        return;
    if (f->size_count == SIZES) {
        memmove(f->sizes, f->sizes + 1, (SIZES - 1) * sizeof *f->sizes);
        f->size_count--;
    }
    f->sizes[f->size_count++] = f->size;
    f->size = size;
}

static void change(struct file *f, size_t at, const unsigned char *bytes, size_t n)
{
    reserve(f, at + n);
    while (n) {
        size_t sector = at / SECTOR, from = at % SECTOR;
        size_t some = SECTOR - from < n ? SECTOR - from : n;
        struct version *v = new_version(f, sector);
        if (bytes)
            memcpy(v->bytes + from, bytes, some);
        else
            memset(v->bytes + from, 0, some);
        at += some;
        n -= some;
        bytes = bytes ? bytes + some : NULL;
    }
}

static void truncate_file(struct file *f, size_t size)
{
    reserve(f, size);
    if (size < f->size)
        change(f, size, NULL, f->size - size);
    note_size(f, size);
}

static void sync_file(struct file *f)
{
    for (size_t i = 0; i < f->sectors; i++) {
        if (!f->newest[i])
            continue;
        memcpy(f->synced + i * SECTOR, f->newest[i]->bytes, SECTOR);
        drop_versions(f->newest[i]);
        f->newest[i] = NULL;
    }
    f->synced_size = f->size;
    f->size_count = 0;
}

static int new_file(const char *name)
{
    assert(disk.file_count < FILES);
    struct file *f = &disk.files[disk.file_count];
    *f = (struct file){.is_database = !strstr(name, "-wal")};
    reserve(f, 1);
    return disk.file_count++;
}

static void load(struct file *f, int fd)
{
    struct stat s;
    assert(fstat(fd, &s) == 0);
    reserve(f, (size_t)s.st_size + 1);
    f->size = f->synced_size = (size_t)s.st_size;
    assert(pread(fd, f->synced, f->size, 0) == (ssize_t)f->size);
}

/* ---- the folder ---- */

static struct entry *find(struct folder *d, const char *name)
{
    for (size_t i = 0; i < d->n; i++)
        if (strcmp(d->v[i].name, name) == 0)
            return &d->v[i];
    return NULL;
}

static void apply(struct folder *d, const struct change *c)
{
    struct entry *e = find(d, c->kind == MOVE ? c->to : c->name);
    if (e)
        *e = d->v[--d->n];
    if (c->kind == DROP)
        return;
    if (c->kind == MOVE && (e = find(d, c->name)))
        *e = d->v[--d->n];
    assert(d->n < NAMES);
    e = &d->v[d->n++];
    e->file = c->file;
    snprintf(e->name, NAME, "%s", c->kind == MOVE ? c->to : c->name);
}

static void sync_folder(void)
{
    disk.synced = disk.now;
    disk.change_count = 0;
}

static void note_change(struct change c)
{
    if (disk.change_count == NAMES) { /* a file system writes its own log now and then */
        apply(&disk.synced, &disk.changes[0]);
        memmove(disk.changes, disk.changes + 1, (NAMES - 1) * sizeof *disk.changes);
        disk.change_count--;
    }
    disk.changes[disk.change_count++] = c;
    apply(&disk.now, &c);
}

/* The name within the folder; "" for the folder itself; NULL: not ours. */
static const char *ours(const char *path)
{
    size_t len = strlen(disk.path);
    if (!len || strncmp(path, disk.path, len) != 0)
        return NULL;
    if (!path[len])
        return path + len;
    return path[len] == '/' && !strchr(path + len + 1, '/') ? path + len + 1 : NULL;
}

static bool is_memory(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, "-shm") == 0;
}

static void load_folder(void)
{
    char path[400];
    DIR *files = opendir(disk.path);
    assert(files);
    for (const struct dirent *e; (e = readdir(files));) {
        if (e->d_type != DT_REG || is_memory(e->d_name))
            continue;
        snprintf(path, sizeof path, "%.255s/%.60s", disk.path, e->d_name);
        int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY, 0), file = new_file(e->d_name);
        assert(fd >= 0);
        load(&disk.files[file], fd);
        syscall(SYS_close, fd);
        struct change c = {.kind = PUT, .file = file};
        snprintf(c.name, NAME, "%.60s", e->d_name);
        apply(&disk.now, &c);
    }
    closedir(files);
    sync_folder();
}

void disk_watch(const char *folder)
{
    pthread_mutex_lock(&disk.lock);
    snprintf(disk.path, sizeof disk.path, "%s", folder);
    load_folder();
    pthread_mutex_unlock(&disk.lock);
}

void disk_unwatch(void)
{
    pthread_mutex_lock(&disk.lock);
    for (int i = 0; i < disk.file_count; i++) {
        struct file *f = &disk.files[i];
        for (size_t k = 0; k < f->sectors; k++)
            drop_versions(f->newest[k]);
        free(f->newest);
        free(f->synced);
    }
    disk.file_count = 0;
    disk.now.n = disk.synced.n = disk.change_count = 0;
    memset(disk.opened, 0, sizeof disk.opened);
    disk.path[0] = '\0';
    disk.hit = NULL;
    pthread_mutex_unlock(&disk.lock);
}

void disk_aim(uint64_t calls, void (*hit)(void *ctx), void *ctx)
{
    disk.aim = disk.calls + calls;
    disk.hit = hit;
    disk.ctx = ctx;
}

uint64_t disk_calls(void)
{
    return disk.calls;
}

void disk_lie(unsigned about)
{
    disk.lie = about;
}

/* ---- images ---- */

enum fate { KEPT, DROPPED, OLDER, TORN };

static enum fate fate(struct dice *d, unsigned kept)
{
    if (dice_luck(d, kept))
        return KEPT;
    if (kept == 0 || dice_luck(d, 60))
        return DROPPED;
    return dice_luck(d, 50) ? OLDER : TORN;
}

static void put_sector(const struct file *f, size_t i, unsigned char *out, struct dice *d,
                       unsigned kept)
{
    const struct version *v = f->newest[i];
    const unsigned char *on_disk = f->synced + i * SECTOR;
    size_t whole = SECTOR;
    switch (fate(d, kept)) {
    case KEPT:
        break;
    case DROPPED:
        v = NULL;
        break;
    case OLDER:
        for (uint64_t n = dice_roll(d, VERSIONS); n && v->older; n--)
            v = v->older;
        break;
    case TORN:
        whole = dice_roll(d, SECTOR);
        break;
    }
    memcpy(out, on_disk, SECTOR);
    if (v)
        memcpy(out, v->bytes, whole);
}

static size_t pick_size(const struct file *f, struct dice *d, unsigned kept)
{
    size_t n = f->size_count; /* the first of them is the synced one */
    if (n == 0 || dice_luck(d, kept))
        return f->size;
    return f->sizes[kept ? dice_roll(d, n) : 0];
}

static void write_image(const char *path, const struct file *f, struct dice *d, unsigned kept)
{
    size_t size = pick_size(f, d, kept);
    unsigned char *bytes = must_alloc(size + SECTOR);
    for (size_t i = 0; i * SECTOR < size; i++) {
        unsigned char *out = bytes + i * SECTOR;
        if (i < f->sectors && f->newest[i])
            put_sector(f, i, out, d, kept);
        else if (i < f->sectors)
            memcpy(out, f->synced + i * SECTOR, SECTOR);
    }
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0640);
    assert(fd >= 0);
    for (size_t done = 0; done < size;) {
        ssize_t some = syscall(SYS_pwrite64, fd, bytes + done, size - done, done);
        assert(some > 0);
        done += (size_t)some;
    }
    syscall(SYS_close, fd);
    free(bytes);
}

void disk_image(const char *to, struct dice *d)
{
    static const unsigned modes[] = {100, 0, 90, 50, 50, 10}; /* percent that is kept */
    unsigned kept = modes[dice_roll(d, COUNT_OF(modes))];
    struct folder names = disk.synced;
    size_t applied = kept == 100 ? disk.change_count
                     : kept == 0 ? 0
                                 : dice_roll(d, disk.change_count + 1);
    char path[400];
    for (size_t i = 0; i < applied; i++)
        apply(&names, &disk.changes[i]);
    assert(mkdir(to, 0750) == 0);
    for (size_t i = 0; i < names.n; i++) {
        snprintf(path, sizeof path, "%s/%s", to, names.v[i].name);
        write_image(path, &disk.files[names.v[i].file], d, kept);
    }
}

/* ---- the calls ---- */

static void tick(void)
{
    disk.calls++;
    if (!disk.hit || disk.calls < disk.aim)
        return;
    void (*hit)(void *ctx) = disk.hit;
    disk.hit = NULL;
    hit(disk.ctx);
}

static struct file *file_of(int fd)
{
    int i = fd >= 0 && fd < FDS ? disk.opened[fd] : 0;
    return i > 0 ? &disk.files[i - 1] : NULL;
}

static void note_open(int fd, const char *name, bool existed)
{
    assert(fd < FDS);
    if (!*name) {
        disk.opened[fd] = -1;
        return;
    }
    struct entry *e = find(&disk.now, name);
    int file = e ? e->file : -1;
    if (!existed || !e) {
        struct change c = {.kind = PUT, .file = file = new_file(name)};
        snprintf(c.name, NAME, "%s", name);
        note_change(c);
    }
    disk.opened[fd] = file + 1;
}

static int open_any(const char *path, int flags, mode_t mode)
{
    pthread_mutex_lock(&disk.lock);
    const char *name = ours(path);
    bool is_ours = name && !is_memory(name);
    bool exists = is_ours && syscall(SYS_access, path, F_OK) == 0;
    if (is_ours && flags & O_CREAT && !exists)
        tick();
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    int error = errno;
    if (is_ours && fd >= 0) {
        note_open(fd, name, exists);
        if (flags & O_TRUNC)
            truncate_file(file_of(fd), 0);
    }
    pthread_mutex_unlock(&disk.lock);
    errno = error;
    return fd;
}

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    return open_any(path, flags, mode);
}

int close(int fd)
{
    pthread_mutex_lock(&disk.lock);
    if (fd >= 0 && fd < FDS)
        disk.opened[fd] = 0;
    int result = (int)syscall(SYS_close, fd);
    pthread_mutex_unlock(&disk.lock);
    return result;
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at)
{
    pthread_mutex_lock(&disk.lock);
    struct file *f = file_of(fd);
    if (f)
        tick();
    ssize_t done = syscall(SYS_pwrite64, fd, bytes, n, at);
    int error = errno;
    if (f && done > 0) {
        size_t end = (size_t)at + (size_t)done;
        change(f, (size_t)at, bytes, (size_t)done);
        if (end > f->size)
            note_size(f, end);
    }
    pthread_mutex_unlock(&disk.lock);
    errno = error;
    return done;
}

int ftruncate64(int fd, off64_t size)
{
    pthread_mutex_lock(&disk.lock);
    struct file *f = file_of(fd);
    if (f)
        tick();
    int result = (int)syscall(SYS_ftruncate, fd, size);
    int error = errno;
    if (f && result == 0)
        truncate_file(f, (size_t)size);
    pthread_mutex_unlock(&disk.lock);
    errno = error;
    return result;
}

static int sync_any(int fd)
{
    pthread_mutex_lock(&disk.lock);
    struct file *f = file_of(fd);
    bool is_folder = fd >= 0 && fd < FDS && disk.opened[fd] == -1;
    if (f || is_folder)
        tick();
    if (f && !(disk.lie & (f->is_database ? LIE_DATABASE : LIE_WAL)))
        sync_file(f);
    if (is_folder && !(disk.lie & LIE_FOLDER))
        sync_folder();
    pthread_mutex_unlock(&disk.lock);
    return 0;
}

int fsync(int fd)
{
    return sync_any(fd);
}

int fdatasync(int fd)
{
    return sync_any(fd);
}

int unlink(const char *path)
{
    pthread_mutex_lock(&disk.lock);
    const char *name = ours(path);
    bool is_known = name && find(&disk.now, name);
    if (is_known)
        tick();
    int result = (int)syscall(SYS_unlink, path), error = errno;
    if (is_known && result == 0) {
        struct change c = {.kind = DROP};
        snprintf(c.name, NAME, "%s", name);
        note_change(c);
    }
    pthread_mutex_unlock(&disk.lock);
    errno = error;
    return result;
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    pthread_mutex_lock(&disk.lock);
    const char *name = ours(from), *other = ours(to);
    struct entry *e = name && other ? find(&disk.now, name) : NULL;
    if (e)
        tick();
    int result = (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags), error = errno;
    if (e && result == 0) {
        struct change c = {.kind = MOVE, .file = e->file};
        snprintf(c.name, NAME, "%s", name);
        snprintf(c.to, NAME, "%s", other);
        note_change(c);
    }
    pthread_mutex_unlock(&disk.lock);
    errno = error;
    return result;
}
