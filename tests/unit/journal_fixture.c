#include "journal_fixture.h"
#include "base/log.h"
#include "base/memory.h"
#include "wire/message.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/poll.h> /* fcgi has a poll.h of its own */
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATIENCE = 20000, WIDE = 1000 * 1000 }; /* ms */

static void on_channel(void *ctx, const struct journal_channel *c)
{
    struct fixture_channel *known = fixture_channel(ctx, "");
    snprintf(known->name, sizeof known->name, "%.*s", FMT(c->name));
    known->is = *c;
    known->is.name = STR_NONE;
}

bool fixture_open(struct fixture *f)
{
    f->channel_count = 0;
    f->j = journal_sqlite_open(&f->options, &f->state, on_channel, f, &f->why);
    return f->j;
}

void fixture_close(struct fixture *f)
{
    if (f->j)
        f->j->ops->close(f->j);
    f->j = NULL;
    journal_state_fini(&f->state);
}

void fixture_reopen(struct fixture *f)
{
    fixture_close(f);
    assert_true(fixture_open(f));
}

int fixture_setup(void **state)
{
    struct fixture *f = must_alloc(sizeof *f);
    log_init("test", LOG_LEVEL_ERROR);
    snprintf(f->folder, sizeof f->folder, "/dev/shm/belfry-journal-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/journal.db", f->folder);
    f->options = (struct journal_sqlite_options){f->path, 60000, 1000};
    *state = f;
    return fixture_open(f) ? 0 : -1;
}

/* Empties a folder, or moves what is in it to another one, and removes it. */
static void remove_folder(const char *folder, const char *to)
{
    char from[400], into[400];
    DIR *files = opendir(folder);
    assert_non_null(files);
    for (const struct dirent *e; (e = readdir(files));) {
        snprintf(from, sizeof from, "%s/%s", folder, e->d_name);
        snprintf(into, sizeof into, "%s/%s", to ? to : "", e->d_name);
        if (e->d_type == DT_REG)
            assert_int_equal(to ? rename(from, into) : unlink(from), 0);
    }
    closedir(files);
    assert_int_equal(rmdir(folder), 0);
}

static void copy_file(const char *from, const char *to)
{
    struct stat s;
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(in >= 0 && out >= 0);
    assert_int_equal(fstat(in, &s), 0);
    for (off_t at = 0; at < s.st_size;)
        assert_true(sendfile(out, in, &at, (size_t)(s.st_size - at)) > 0);
    close(in);
    close(out);
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    remove_folder(f->folder, NULL);
    free(f->channels);
    free(f);
    return 0;
}

void fixture_crash(struct fixture *f)
{
    static const char *const names[] = {"journal.db", "journal.db-wal", "journal.db-shm"};
    char copy[64], from[160], to[160];
    snprintf(copy, sizeof copy, "/dev/shm/belfry-journal-XXXXXX");
    assert_non_null(mkdtemp(copy));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(from, sizeof from, "%s/%s", f->folder, names[i]);
        snprintf(to, sizeof to, "%s/%s", copy, names[i]);
        copy_file(from, to);
    }
    fixture_close(f);
    remove_folder(f->folder, NULL);
    assert_int_equal(mkdir(f->folder, 0700), 0);
    remove_folder(copy, f->folder);
    assert_true(fixture_open(f));
}

struct fixture_channel *fixture_channel(struct fixture *f, const char *name)
{
    for (size_t i = 0; i < f->channel_count && *name; i++)
        if (strcmp(f->channels[i].name, name) == 0)
            return &f->channels[i];
    if (f->channel_count == f->channel_cap) {
        f->channel_cap = f->channel_cap ? 2 * f->channel_cap : 64;
        f->channels = must_realloc(f->channels, f->channel_cap * sizeof *f->channels);
    }
    uint64_t row = 1;
    for (size_t i = 0; i < f->channel_count; i++)
        if (f->channels[i].is.row >= row)
            row = f->channels[i].is.row + 1;
    struct fixture_channel *c = &f->channels[f->channel_count++];
    *c = (struct fixture_channel){.is = {.row = row}};
    snprintf(c->name, sizeof c->name, "%s", name);
    return c;
}

const struct epoch *fixture_epoch(const struct fixture *f)
{
    return &f->state.epochs[f->state.epoch_count - 1];
}

void fixture_submit(struct fixture *f, struct op *op)
{
    f->j->ops->submit(f->j, op);
}

struct op *fixture_wait(struct fixture *f)
{
    struct op *op;
    while (!(op = f->j->ops->take(f->j))) {
        struct pollfd p = {f->j->ops->fd(f->j), POLLIN, 0};
        assert_int_equal(poll(&p, 1, PATIENCE), 1);
    }
    return op;
}

void fixture_do(struct fixture *f, struct op *op)
{
    fixture_submit(f, op);
    f->j->ops->flush(f->j);
    assert_ptr_equal(fixture_wait(f), op);
}

struct append *append_new(const char *user, const char *key, uint64_t print)
{
    struct append *a = must_alloc(sizeof *a);
    a->op.kind = OP_APPEND;
    a->user = str_of(user);
    a->key = str_of(key);
    a->print[0] = print;
    a->print[1] = ~print;
    return a;
}

struct append_send *append_send(struct append *a, const char *key, uint64_t print)
{
    a->sends = must_realloc(a->sends, (a->send_count + 1) * sizeof *a->sends);
    struct append_send *s = &a->sends[a->send_count++];
    *s = (struct append_send){.key = str_of(key), .print = {print, ~print}};
    s->first = a->event_count;
    return s;
}

void append_model(struct fixture *f, struct append *a, const struct event *model)
{
    char name[129];
    size_t n = a->event_count + 1;
    a->events = must_realloc(a->events, n * sizeof(struct event *));
    a->rows = must_realloc(a->rows, n * sizeof *a->rows);
    a->fresh = must_realloc(a->fresh, n * sizeof *a->fresh);
    snprintf(name, sizeof name, "%.*s", FMT(model->channel));
    a->events[n - 1] = event_new(model);
    a->rows[n - 1] = fixture_channel(f, name)->is.row;
    a->fresh[n - 1] = true;
    a->event_count = n;
    a->size += event_size(model);
    a->sends[a->send_count - 1].n++;
}

void append_event(struct fixture *f, struct append *a, const char *channel, const char *data)
{
    append_model(f, a, &(struct event){.channel = str_of(channel), .data = str_of(data)});
}

void append_free(struct append *a)
{
    for (size_t i = 0; i < a->event_count; i++)
        event_unref(a->events[i]);
    free(a->events);
    free(a->rows);
    free(a->fresh);
    free(a->sends);
    free(a);
}

Position fixture_put(struct fixture *f, const char *channel, const char *data)
{
    struct append *a = append_new("", "", 0);
    append_send(a, "", 0);
    append_event(f, a, channel, data);
    fixture_do(f, &a->op);
    assert_int_equal(a->op.why.code, 0);
    assert_int_equal(a->sends[0].at, a->events[0]->id.at);
    Position at = a->sends[0].at;
    append_free(a);
    return at;
}

char *packed_list(const char *names, size_t *len)
{
    struct buf list;
    Str rest = str_of(names), name;
    buf_init(&list, WIDE);
    while (str_cut(&rest, ',', &name))
        assert_true(list_put(&list, name));
    return buf_take(&list, len);
}

struct reading reading_of(const char *channels)
{
    struct reading r = {.op = {.kind = OP_READ}, .upto = UINT64_MAX, .limit = 512, .bytes = WIDE};
    r.channels = packed_list(channels, &r.channels_len);
    return r;
}

void fixture_read(struct fixture *f, struct reading *r)
{
    fixture_do(f, &r->op);
    assert_int_equal(r->op.why.code, 0);
}

const char *reading_text(const struct reading *r)
{
    static char text[1000];
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < r->n && len < sizeof text; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%llu:%.*s=%.*s", i ? " " : "",
                                (unsigned long long)r->events[i]->id.at, FMT(r->events[i]->channel),
                                FMT(r->events[i]->data));
    return text;
}

struct prune fixture_prune(struct fixture *f, const char *channel, uint64_t excess)
{
    struct prune p = {.op = {.kind = OP_PRUNE}, .excess_rows = excess, .most = 1000};
    p.row = fixture_channel(f, channel)->is.row;
    fixture_do(f, &p.op);
    assert_int_equal(p.op.why.code, 0);
    return p;
}

Position fixture_find(struct fixture *f, const char *channels, uint64_t last, Msec since)
{
    struct finding find = {.op = {.kind = OP_FIND}, .last = last, .since = since, .now = 1};
    find.channels = packed_list(channels, &find.channels_len);
    fixture_do(f, &find.op);
    assert_int_equal(find.op.why.code, 0);
    free(find.channels);
    return find.after;
}

bool fixture_is_log(int fd)
{
    char link[32], path[128];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path);
    return n > 4 && memcmp(path + n - 4, "-wal", 4) == 0;
}
