#include "journal_original.h"

#include "journal_db.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct original original;

void saved_load(struct saved *s, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert_int_equal(fstat(fd, &st), 0);
    s->size = (size_t)st.st_size;
    s->bytes = must_alloc(s->size + 1);
    assert_int_equal(read(fd, s->bytes, s->size), s->size);
    close(fd);
}

void saved_store(const struct saved *s, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    assert_int_equal(write(fd, s->bytes, s->size), s->size);
    close(fd);
}

static void put_some(struct fixture *f, int from, int upto)
{
    char name[16], key[16];
    for (int i = from; i <= upto;) {
        struct append *a = append_new("", "", 0);
        for (int k = 0; k < 50 && i <= upto; k++, i++) {
            snprintf(key, sizeof key, "key-%d", i);
            append_send(a, i % (EVENTS / KEYS) ? "" : key, (uint64_t)i);
            snprintf(name, sizeof name, "room:%d", i % ROOMS);
            int n = snprintf(original.data[i], DATA, "event %d:", i);
            memset(original.data[i] + n, 'a' + i % 26, (size_t)(i * 7 % (DATA - 20)));
            append_event(f, a, name, original.data[i]);
            if (a->sends[a->send_count - 1].key.len) {
                fixture_do(f, &a->op); /* the key's text is ours alone until then */
                append_free(a);
                a = append_new("", "", 0);
            }
        }
        if (a->send_count)
            fixture_do(f, &a->op);
        append_free(a);
    }
}

static void prune(struct fixture *f, int room, uint64_t n)
{
    char name[16];
    snprintf(name, sizeof name, "room:%d", room);
    struct prune p = fixture_prune(f, name, n);
    for (Position at = 1; at <= p.floor; at++)
        if ((int)at % ROOMS == room)
            original.is_pruned[at] = true;
}

/* Noted in the middle, pruned, and then killed. */
int original_make(void **state)
{
    char wal[128];
    if (fixture_setup(state) != 0)
        return -1;
    struct fixture *f = *state;
    put_some(f, 1, 1800);
    prune(f, 3, 40);
    fixture_reopen(f);
    put_some(f, 1801, EVENTS);
    snprintf(wal, sizeof wal, "%s-wal", f->path);
    saved_load(&original.db, f->path);
    saved_load(&original.wal, wal);
    fixture_reopen(f);
    fixture_close(f);
    saved_load(&original.clean, f->path);
    return 0;
}

int original_drop(void **state)
{
    free(original.db.bytes);
    free(original.wal.bytes);
    free(original.clean.bytes);
    return fixture_teardown(state);
}

void original_empty(struct fixture *f)
{
    char path[400];
    DIR *files = opendir(f->folder);
    for (const struct dirent *e; (e = readdir(files));) {
        snprintf(path, sizeof path, "%s/%s", f->folder, e->d_name);
        if (e->d_type == DT_REG)
            unlink(path);
    }
    closedir(files);
}

void original_change(struct fixture *f, const char *sql)
{
    struct db db;
    assert_true(db_open(&db, f->path, DB_WRITES, &f->why));
    if (!db_exec(&db, sql))
        fail_msg("%s: %s", sql, db.text);
    db_close(&db);
}

void original_put_changed(struct fixture *f, const char *sql)
{
    original_empty(f);
    saved_store(&original.clean, f->path);
    original_change(f, sql);
}

void original_put_killed(struct fixture *f)
{
    char wal[128];
    original_empty(f);
    snprintf(wal, sizeof wal, "%s-wal", f->path);
    saved_store(&original.db, f->path);
    saved_store(&original.wal, wal);
}
