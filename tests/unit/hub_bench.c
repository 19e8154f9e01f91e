#include "hub_bench.h"
#include "hub_words.h"

#include "base/log.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/poll.h> /* fcgi has a poll.h of its own */
#include <unistd.h>

enum { PATIENCE = 20000, KEPT = 256 };

struct said {
    struct list list;
    char peer[32];
    struct buf text;
};

struct seq {
    char peer[32];
    uint64_t last;
};

static char *kept[KEPT]; /* what lives until the end of the test */
static size_t kept_count;

static struct said *note(struct bench *b, const char *peer)
{
    struct said *s = must_alloc(sizeof *s);
    snprintf(s->peer, sizeof s->peer, "%s", peer);
    buf_init(&s->text, 16 << 20);
    list_append(&b->said, &s->list);
    return s;
}

/* Dense from 1 at WELCOME; 0 for those without a link. */
static void check_seq(struct bench *b, const char *peer, struct header head)
{
    struct seq *s = map_get(&b->seqs, str_of(peer));
    if (!s) {
        s = must_alloc(sizeof *s);
        snprintf(s->peer, sizeof s->peer, "%s", peer);
        map_put(&b->seqs, str_of(s->peer), s);
    }
    s->last = head.verb == VERB_WELCOME ? 0 : s->last;
    bool is_numbered = head.verb != VERB_WHO && head.verb != VERB_REJECT;
    assert_int_equal(head.seq, is_numbered ? ++s->last : 0);
}

static void note_message(struct bench *b, const char *name, Str header, Str body)
{
    struct header head;
    assert_true(header_unpack(header, &head));
    check_seq(b, name, head);
    hub_words(&note(b, name)->text, head.verb, body);
}

static bool on_send(void *ctx, Str peer, Str header, struct frame *body)
{
    struct bench *b = ctx;
    struct header head;
    char name[32];
    if (b->is_cut || (b->cut_at && b->sends >= b->cut_at))
        return false;
    b->sends++;
    snprintf(name, sizeof name, "%.*s", FMT(peer));
    Str items = frame_str(body);
    bool is_bundle = header_unpack(header, &head) && head.verb == VERB_BUNDLE;
    if (!is_bundle)
        note_message(b, name, header, items);
    for (Str inner; is_bundle && bundle_next(&items, &header, &inner);)
        note_message(b, name, header, inner);
    return true;
}

/* Epochs are random: `id` becomes its position. */
static void put_said(struct buf *out, Str said)
{
    Cursor c;
    if (cursor_parse(said, &c))
        buf_printf(out, "#%llu", (unsigned long long)c.at);
    else
        buf_put(out, said);
}

static void on_answer(void *ctx, enum tool to, Str peer, const Str *parts, size_t n)
{
    char name[32];
    snprintf(name, sizeof name, "%.*s", FMT(peer));
    assert_true(to == TOOL_ADMIN || to == TOOL_PUBLISH);
    struct buf *out = &note(ctx, name)->text;
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_putc(out, ' ');
        put_said(out, parts[i]);
    }
}

static void on_tap(void *ctx, const struct event *e)
{
    struct buf *out = &note(ctx, "tap")->text;
    buf_printf(out, "%llu:%.*s=%.*s", (unsigned long long)e->id.at, FMT(e->channel), FMT(e->data));
}

static void on_hook(void *ctx, uint64_t id, Str text)
{
    struct bench *b = ctx;
    b->hook = id;
    buf_put(&note(b, "app")->text, text);
}

static void start(struct bench *b)
{
    char path[96];
    struct fault why = {0};
    snprintf(path, sizeof path, "%s/journal.db", b->folder);
    struct journal_sqlite_options where = {path, b->o.idempotency_age, b->o.idempotency_keys};
    b->hub = hub_new(&b->o, (struct hub_out){b, on_send, on_answer, on_tap, on_hook});
    b->j = journal_sqlite_open(&where, &b->state, hub_on_channel, b->hub, &why);
    if (!b->j)
        fail_msg("%s", why.text);
    hub_start(b->hub, b->j, &b->state, b->now);
}

static void forget_said(struct bench *b)
{
    struct list *n, *safe;
    LIST_EACH(n, safe, &b->said)
    {
        struct said *s = CONTAINER_OF(n, struct said, list);
        list_remove(n);
        buf_fini(&s->text);
        free(s);
    }
}

static void end(struct bench *b, bool clean)
{
    settle(b);
    if (clean) {
        hub_stop(b->hub, b->now);
        settle(b);
        assert_true(hub_is_stopped(b->hub));
    }
    b->j->ops->close(b->j);
    journal_state_fini(&b->state);
    hub_free(b->hub);
}

void bench_restart(struct bench *b, bool clean)
{
    end(b, clean);
    forget_said(b);
    start(b);
}

static void empty_folder(const struct bench *b)
{
    char path[400];
    DIR *files = opendir(b->folder);
    assert_non_null(files);
    for (const struct dirent *e; (e = readdir(files));) {
        snprintf(path, sizeof path, "%s/%s", b->folder, e->d_name);
        if (e->d_type == DT_REG)
            assert_int_equal(unlink(path), 0);
    }
    closedir(files);
}

static void load(struct bench *b, int argc, char **argv)
{
    struct fault why = {0};
    options_fini(&b->o);
    if (!options_load(&b->o, PROGRAM_HUB, argc, argv, &why))
        fail_msg("%s", why.text);
}

void bench_options(struct bench *b, ...)
{
    static char program[] = "belfryd";
    char *argv[16] = {program};
    int argc = 1;
    va_list more;
    end(b, false);
    empty_folder(b);
    va_start(more, b);
    while (argc < 16 && (argv[argc] = va_arg(more, char *)))
        argc++;
    va_end(more);
    load(b, argc, argv);
    start(b);
}

int bench_setup(void **state)
{
    struct bench *b = must_alloc(sizeof *b);
    static char program[] = "belfryd";
    char *argv[] = {program, NULL};
    *state = b;
    log_init("test", LOG_LEVEL_ERROR);
    snprintf(b->folder, sizeof b->folder, "/dev/shm/belfry-hub-XXXXXX");
    if (!mkdtemp(b->folder))
        return -1;
    b->now = (Now){clock_mono(), clock_wall()};
    list_init(&b->said);
    map_init(&b->seqs);
    load(b, 1, argv);
    start(b);
    return 0;
}

int bench_teardown(void **state)
{
    struct bench *b = *state;
    struct seq *s;
    end(b, false);
    forget_said(b);
    empty_folder(b);
    rmdir(b->folder);
    for (size_t i = 0; (s = map_next(&b->seqs, &i));)
        free(s);
    map_fini(&b->seqs);
    while (kept_count)
        free(kept[--kept_count]);
    options_fini(&b->o);
    free(b);
    return 0;
}

void settle(struct bench *b)
{
    for (;;) {
        struct op *op;
        bool more = hub_turn(b->hub, b->now);
        while ((op = b->j->ops->take(b->j))) {
            hub_on_done(b->hub, op, b->now);
            more = true;
        }
        if (!more && b->hub->ops == 0 && list_is_empty(&b->hub->inspections))
            return;
        struct pollfd fd = {b->j->ops->fd(b->j), POLLIN, 0};
        if (!more && poll(&fd, 1, PATIENCE) == 0)
            fail_msg("the journal does not answer");
    }
}

void elapse(struct bench *b, Msec ms)
{
    settle(b);
    b->now.mono += ms;
    b->now.wall += ms;
    hub_tick(b->hub, b->now);
    settle(b);
}

const char *heard(struct bench *b, const char *peer)
{
    struct buf all;
    struct list *n, *safe;
    buf_init(&all, 16 << 20);
    settle(b);
    LIST_EACH(n, safe, &b->said)
    {
        struct said *s = CONTAINER_OF(n, struct said, list);
        if (strcmp(s->peer, peer) != 0)
            continue;
        Str text = buf_str(&s->text);
        if (!str_starts(text, STR("BEAT")) && !str_eq(text, STR("ACCOUNTS")))
            buf_printf(&all, "%s%.*s", all.len ? " | " : "", FMT(buf_str(&s->text)));
        list_remove(n);
        buf_fini(&s->text);
        free(s);
    }
    assert_true(kept_count < KEPT && !all.full);
    kept[kept_count] = str_dup(buf_str(&all));
    buf_fini(&all);
    return kept[kept_count++];
}

void expect(struct bench *b, const char *peer, const char *text)
{
    assert_string_equal(heard(b, peer), text);
    free(kept[--kept_count]);
}

void say(struct bench *b, const char *peer, enum verb verb, struct buf *body)
{
    char header[MESSAGE_HEADER];
    header_pack(header, (struct header){PROTOCOL_VERSION, (uint8_t)verb, 0});
    hub_on_message(b->hub, str_of(peer), str_make(header, sizeof header), buf_str(body), b->now);
    buf_fini(body);
}

Str names(struct bench *b, const char *text)
{
    struct buf list;
    Str rest = str_of(text), name;
    size_t len;
    (void)b;
    buf_init(&list, 1 << 20);
    while (str_cut(&rest, ',', &name))
        list_put(&list, name);
    assert_true(kept_count < KEPT);
    kept[kept_count] = buf_take(&list, &len);
    return str_make(kept[kept_count++], len);
}

Cursor cursor_at(const struct bench *b, Position position)
{
    return hub_cursor(b->hub, position);
}

void hello_at(struct bench *b, const char *peer, Cursor from, const char *channels, Str clients)
{
    struct buf body;
    settle(b);
    buf_init(&body, 1 << 20);
    msg_hello_pack(&body, &(struct msg_hello){.boot = (uint64_t)peer[1],
                                              .name = str_of(peer),
                                              .at = from,
                                              .channels = names(b, channels),
                                              .clients = clients,
                                              .bundles = b->bundles});
    say(b, peer, VERB_HELLO, &body);
    settle(b);
}

void hello(struct bench *b, const char *peer, Position from, const char *channels)
{
    settle(b);
    hello_at(b, peer, from ? cursor_at(b, from) : CURSOR_NONE, channels, STR_NONE);
}

void open_with(struct bench *b, const char *peer, struct msg_open m, const char *channels)
{
    struct buf body;
    buf_init(&body, 1 << 20);
    m.ref = ++b->ref;
    m.channels = names(b, channels);
    msg_open_pack(&body, &m);
    say(b, peer, VERB_OPEN, &body);
}

void open_stream(struct bench *b, const char *peer, const char *client, const char *channels)
{
    open_with(b, peer, (struct msg_open){.client = str_of(client)}, channels);
}

void fetch(struct bench *b, const char *peer, Position after, Position upto, const char *channels)
{
    struct buf body;
    buf_init(&body, 1 << 20);
    msg_fetch_pack(&body, &(struct msg_fetch){.ref = ++b->ref,
                                              .after = {0, after},
                                              .upto = upto,
                                              .limit = SLICE_ROWS,
                                              .channels = names(b, channels)});
    say(b, peer, VERB_FETCH, &body);
}

void pulse(struct bench *b, const char *peer)
{
    const struct peer *p = peer_by_id(b->hub, str_of(peer));
    struct buf body;
    buf_init(&body, 1 << 20);
    msg_pulse_pack(&body,
                   &(struct msg_pulse){.bytes = p->sent_bytes, .messages = p->sent_messages});
    say(b, peer, VERB_PULSE, &body);
}

void goodbye(struct bench *b, const char *peer)
{
    struct buf body;
    buf_init(&body, 16);
    msg_goodbye_pack(&body, &(struct msg_goodbye){0});
    say(b, peer, VERB_GOODBYE, &body);
}

void publish_sends(struct bench *b, const char *peer, const char *user, const char *key,
                   const struct msg_send *sends, size_t n)
{
    struct buf list, body;
    buf_init(&list, 16 << 20);
    buf_init(&body, 16 << 20);
    for (size_t i = 0; i < n; i++) {
        struct buf item;
        buf_init(&item, 16 << 20);
        msg_send_pack(&item, &sends[i]);
        list_put(&list, buf_str(&item));
        buf_fini(&item);
    }
    msg_publish_pack(&body,
                     &(struct msg_publish){++b->ref, str_of(user), str_of(key), buf_str(&list)});
    buf_fini(&list);
    say(b, peer, VERB_PUBLISH, &body);
}

void publish(struct bench *b, const char *peer, const char *channels, const char *data)
{
    struct msg_send send = {.channels = names(b, channels), .data = str_of(data)};
    publish_sends(b, peer, "", "", &send, 1);
    free(kept[--kept_count]);
}

void tool(struct bench *b, const char *peer, ...)
{
    Str frames[8];
    size_t n = 0;
    const char *frame;
    va_list more;
    va_start(more, peer);
    while (n < COUNT_OF(frames) && (frame = va_arg(more, const char *)))
        frames[n++] = str_of(frame);
    va_end(more);
    hub_on_publish(b->hub, str_of(peer), frames, n, b->now);
}

void admin(struct bench *b, const char *question)
{
    Str frame = str_of(question);
    hub_on_admin(b->hub, STR("admin"), &frame, 1, b->now);
}
