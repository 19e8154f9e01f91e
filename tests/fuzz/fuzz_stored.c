/* A journal.db that is not as the hub left it: [what][row][length][bytes], again and again, puts
 * bytes into a column of a row, or anywhere in the file. It is refused, or read as far as it goes.
 */
#include "base/log.h"
#include "engine.h"
#include "journal_sqlite.h"
#include "tests/fuzz/input.h"

#include <assert.h>
#include <fcntl.h>
#include <sanitizer/lsan_interface.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/poll.h>
#include <unistd.h>

#pragma weak __lsan_disable

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FOLDER = 64, PATIENCE_MS = 120000, TURNS = 40, ROWS = 10 };

static const struct column {
    const char *table, *name;
    bool is_text;
} columns[] = {
    {"event", "channel", false},      {"event", "time", false},
    {"event", "size", false},         {"event", "flags", false},
    {"event", "expires", false},      {"event", "name", true},
    {"event", "user", true},          {"event", "exclude", true},
    {"event", "recipient", true},     {"event", "data", true},
    {"event", "position", false},     {"channel", "row", false},
    {"channel", "name", true},        {"channel", "last", false},
    {"channel", "floor", false},      {"channel", "count", false},
    {"channel", "bytes", false},      {"channel", "oldest", false},
    {"channel", "floor_time", false}, {"idempotency", "first", false},
    {"idempotency", "n", false},      {"idempotency", "time", false},
    {"idempotency", "answers", true}, {"idempotency", "key", true},
    {"idempotency", "number", false}, {"epoch", "number", false},
    {"epoch", "name", true},          {"epoch", "first", false},
    {"epoch", "opened", false},       {"epoch", "reason", true},
    {"meta", "head", false},          {"meta", "time", false},
    {"meta", "counted", false},       {"meta", "floor", false},
    {"meta", "forgotten", false},     {"meta", "forgotten_time", false},
    {"meta", "keys", false},          {"meta", "restored", false},
};

static char folder[FOLDER], path[FOLDER + 16];
static struct buf whole; /* the file as the hub left it */
static struct options options;

static bool on_send(void *ctx, Str peer, Str header, struct frame *body)
{
    (void)ctx, (void)peer, (void)header, (void)body;
    return true;
}

static void on_answer(void *ctx, enum tool tool, Str peer, const Str *parts, size_t n)
{
    (void)ctx, (void)tool, (void)peer, (void)parts, (void)n;
}

static void on_tap(void *ctx, const struct event *e)
{
    (void)ctx, (void)e;
}

static void remove_files(void)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char name[FOLDER + 32];
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static void remove_folder(void)
{
    remove_files();
    rmdir(folder);
    buf_fini(&whole);
    options_fini(&options);
}

struct house {
    struct hub *hub;
    struct journal *j;
    Now now;
};

/* Turns until the journal has done what it was asked, or is broken. */
static void settle(struct house *h)
{
    const struct journal_ops *ops = h->j->ops;
    bool more = true;
    while ((more || h->hub->ops) && !ops->is_broken(h->j)) {
        struct pollfd p = {ops->fd(h->j), POLLIN, 0};
        struct op *op = ops->take(h->j);
        if (!op && !more) {
            int n = poll(&p, 1, PATIENCE_MS);
            assert(n == 1 || ops->is_broken(h->j));
        }
        for (; op; op = ops->take(h->j))
            hub_on_done(h->hub, op, h->now);
        more = hub_turn(h->hub, h->now);
        ops->flush(h->j);
    }
}

static void say(struct house *h, enum verb verb, struct buf *body)
{
    char header[MESSAGE_HEADER];
    header_pack(header, (struct header){PROTOCOL_VERSION, (uint8_t)verb, 0});
    hub_on_message(h->hub, STR("w"), str_make(header, sizeof header), buf_str(body), h->now);
    buf_fini(body);
    settle(h);
}

#define SAY(h, VERB, type, ...)                                                                    \
    do {                                                                                           \
        struct buf body_;                                                                          \
        buf_init(&body_, 1 << 20);                                                                 \
        msg_##type##_pack(&body_, &(struct msg_##type){__VA_ARGS__});                              \
        say(h, VERB_##VERB, &body_);                                                               \
    } while (0)

static void ask(struct house *h, const char *question)
{
    Str frame = str_of(question);
    hub_on_admin(h->hub, STR("t"), &frame, 1, h->now);
    settle(h);
}

static void publish(struct house *h, const char *channel, const char *data, const char *how)
{
    Str frames[] = {str_of(channel), STR("said"), str_of(data), str_of(how)};
    hub_on_publish(h->hub, STR("t"), frames, COUNT_OF(frames), h->now);
    settle(h);
}

static bool open_house(struct house *h)
{
    const struct journal_sqlite_options how = {path, 60000, 1000};
    struct journal_state state;
    struct fault why = {0};
    *h = (struct house){.now = {1000000, 1790000000000}};
    h->hub = hub_new(&options, (struct hub_out){NULL, on_send, on_answer, on_tap, NULL});
    h->j = journal_sqlite_open(&how, &state, hub_on_channel, h->hub, &why);
    if (h->j)
        hub_start(h->hub, h->j, &state, h->now);
    else
        assert(why.code && why.text[0]);
    journal_state_fini(&state);
    return h->j;
}

static void close_house(struct house *h)
{
    if (h->j && !h->j->ops->is_broken(h->j)) {
        hub_stop(h->hub, h->now);
        settle(h);
    }
    if (h->j)
        h->j->ops->close(h->j);
    hub_free(h->hub);
}

/* Everything that reads it, and what writes. */
static void use(struct house *h)
{
    struct buf list;
    buf_init(&list, 100);
    list_put(&list, STR("*"));
    list_put(&list, STR("news"));
    SAY(h, HELLO, hello, .boot = 1, .name = STR("w1"), .channels = buf_str(&list));
    SAY(h, OPEN, open, .ref = 1, .client = STR("the-client-of-all"), .start = START_CURSOR,
        .at = {1, 1}, .channels = buf_str(&list));
    SAY(h, OPEN, open, .ref = 2, .client = STR("another-client-here"), .start = START_LAST,
        .value = 3, .channels = buf_str(&list));
    SAY(h, FETCH, fetch, .ref = 3, .limit = 100, .bytes = 100000, .channels = buf_str(&list));
    SAY(h, FETCH, fetch, .ref = 4, .limit = 2, .bytes = 10, .descending = 1,
        .channels = STR("\0\0\0\4news"));
    buf_fini(&list);
    publish(h, "news", "more", "{\"idempotencyKey\":\"k1\"}");
    publish(h, "fresh", "[1]", "{\"json\":true}");
    ask(h, "{\"do\":\"log\",\"channels\":[],\"limit\":100}");
    ask(h, "{\"do\":\"channels\"}");
    ask(h, "{\"do\":\"prune\"}");
    ask(h, "{\"do\":\"check\"}");
    for (int i = 0; i < TURNS; i++) {
        h->now.mono += 250, h->now.wall += 250;
        hub_tick(h->hub, h->now);
    }
    settle(h);
}

static void prepare(void)
{
    static char program[] = "belfryd", keep[] = "--keep=5", *argv[] = {program, keep, NULL};
    struct house h;
    struct fault why;
    snprintf(folder, sizeof folder, "/dev/shm/belfry-fuzz-XXXXXX");
    const char *made = mkdtemp(folder);
    /* Operations that a broken journal holds are lost: the hub ends then. */
    if (__lsan_disable)
        __lsan_disable();
    bool ok = made && options_load(&options, PROGRAM_HUB, 2, argv, &why);
    assert(ok);
    snprintf(path, sizeof path, "%s/journal.db", folder);
    atexit(remove_folder);
    ok = open_house(&h);
    assert(ok);
    for (int i = 0; i < ROWS; i++)
        publish(&h, i % 3 ? "news" : "room:1", "{\"n\":1}", "{\"json\":true,\"ttl\":1000}");
    publish(&h, "news", "text", "{\"idempotencyKey\":\"k1\"}");
    ask(&h, "{\"do\":\"prune\"}");
    close_house(&h);
    FILE *file = fopen(path, "rb");
    buf_init(&whole, 1 << 24);
    char *room = buf_room(&whole, 1 << 20);
    assert(file && room);
    whole.len = fread(room, 1, 1 << 20, file);
    fclose(file);
    remove_files();
}

/* Two's complement, of as many bytes as there are. */
static int64_t number_of(Str bytes)
{
    uint64_t sign = bytes.p[0] & 0x80 ? UINT64_MAX : 0;
    return (int64_t)((bytes.len < 8 ? sign << 8 * bytes.len : 0) | input_number(&bytes, bytes.len));
}

static void put_value(sqlite3 *db, const struct column *c, int64_t row, Str bytes)
{
    char text[128];
    sqlite3_stmt *s = NULL;
    int len = (int)bytes.len;
    snprintf(text, sizeof text, "UPDATE %s SET %s=?1 WHERE rowid=?2", c->table, c->name);
    if (sqlite3_prepare_v2(db, text, -1, &s, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(s, 2, row);
        if (len && c->is_text)
            sqlite3_bind_text(s, 1, bytes.p, len, SQLITE_STATIC);
        else if (len)
            sqlite3_bind_int64(s, 1, number_of(bytes));
        sqlite3_step(s);
    }
    sqlite3_finalize(s);
}

static void put_raw(uint64_t at, Str bytes)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert(fd >= 0);
    (void)!pwrite(fd, bytes.p, bytes.len, (off_t)(at % whole.len));
    close(fd);
}

static void damage(Str in)
{
    while (in.len) {
        sqlite3 *db = NULL;
        uint64_t what = input_number(&in, 1) % (COUNT_OF(columns) + 2), row = input_number(&in, 1);
        Str bytes = input_piece(&in, 1);
        if (what >= COUNT_OF(columns)) {
            uint64_t at = row * 4096 + input_number(&bytes, 2);
            put_raw(at, bytes);
            continue;
        }
        if (bytes.len > 8 && !columns[what].is_text)
            bytes.len = 8;
        if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
            put_value(db, &columns[what], (int64_t)row, bytes);
        sqlite3_close(db);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct house h;
    log_init("fuzz", LOG_LEVEL_ERROR);
    if (!folder[0])
        prepare();
    FILE *file = fopen(path, "wb");
    bool ok = file && fwrite(whole.p, 1, whole.len, file) == whole.len && fclose(file) == 0;
    assert(ok);
    damage(str_make((const char *)data, size));
    if (open_house(&h))
        use(&h);
    close_house(&h);
    remove_files();
    return 0;
}
