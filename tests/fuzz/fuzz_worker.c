/* A whole worker but for ZeroMQ: web servers, CGI programs and a hub say any bytes, cut anywhere.
 * Input is [what][length u16][bytes], again and again; `what` is a kind (three bits) and a number.
 * In the place of the cable to the hub: one step of the input in each turn of the loop. */
#include "base/log.h"
#include "cable.h"
#include "conn.h"
#include "handover.h"
#include "record.h"
#include "tests/fuzz/input.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RAW, REQUEST, CGI_RAW, CGI_REQUEST, HUB, OPENED, EVENT, CLOSE };
enum { PEERS = 4, LAST_TURNS = 6, FOLDER = 64 };

struct cable {
    struct worker *worker;
    Str in;
    int web[PEERS], cgi[PEERS]; /* our ends; -1: none */
    uint64_t seq, ref;
    uint8_t asked; /* the verb of the last question */
    int turns;
};

static char run[FOLDER];
static struct sockaddr_un web_address = {.sun_family = AF_UNIX};
static struct sockaddr_un cgi_address = {.sun_family = AF_UNIX};
static struct cable *only;

static bool on_send(void *ctx, struct header header, struct buf *body)
{
    struct cable *c = ctx;
    Str bytes = buf_str(body);
    if (header.verb == VERB_OPEN || header.verb == VERB_FETCH || header.verb == VERB_PUBLISH ||
        header.verb == VERB_CHANGE || header.verb == VERB_QUERY) {
        c->asked = header.verb;
        c->ref = input_number(&bytes, 8);
    }
    return true;
}

static void hear(struct cable *c, uint8_t verb, Str body)
{
    char header[MESSAGE_HEADER];
    c->seq = verb == VERB_WELCOME ? 1 : c->seq + 1;
    header_pack(header, (struct header){PROTOCOL_VERSION, verb, c->seq});
    link_on_message(c->worker->link, str_make(header, sizeof header), body,
                    loop_now(c->worker->loop));
}

#define HEAR(c, VERB, type, ...)                                                                   \
    do {                                                                                           \
        struct buf body_;                                                                          \
        buf_init(&body_, 1 << 20);                                                                 \
        msg_##type##_pack(&body_, &(struct msg_##type){__VA_ARGS__});                              \
        hear(c, VERB_##VERB, buf_str(&body_));                                                     \
        buf_fini(&body_);                                                                          \
    } while (0)

static int *connected(int *fd, const struct sockaddr_un *to)
{
    if (*fd >= 0)
        return fd;
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int code = connect(*fd, (const struct sockaddr *)to, sizeof *to);
    assert(code == 0 || errno == EAGAIN);
    return fd;
}

static void say(int fd, Str bytes)
{
    char answer[4096];
    while (recv(fd, answer, sizeof answer, 0) > 0)
        ;
    (void)!send(fd, bytes.p, bytes.len, MSG_NOSIGNAL);
}

/* Beside bytes of their own, what the program would have written to. */
static void say_with_output(int fd, Str bytes)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {(void *)(uintptr_t)bytes.p, bytes.len};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    int output = open("/dev/null", O_WRONLY | O_CLOEXEC);
    control.header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof output), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), &output, sizeof output);
    (void)!sendmsg(fd, &message, MSG_NOSIGNAL);
    close(output);
}

/* "GET /events?channel=a", then lines of NAME=VALUE, an empty one, the body: calls `put` for each
 * variable and returns the body. */
static Str each_variable(Str text, struct buf *out, void (*put)(struct buf *, Str, Str))
{
    Str line, method;
    if (str_cut(&text, '\n', &line) && str_cut(&line, ' ', &method)) {
        put(out, STR("REQUEST_METHOD"), method);
        put(out, STR("REQUEST_URI"), line);
    }
    while (str_cut(&text, '\n', &line) && line.len) {
        size_t end = str_find(line, '=');
        put(out, str_make(line.p, end), str_skip(line, end + 1));
    }
    char length[24];
    int n = snprintf(length, sizeof length, "%zu", text.len);
    put(out, STR("CONTENT_LENGTH"), str_make(length, (size_t)n));
    return text;
}

static void put_length(struct buf *out, size_t n)
{
    if (n > 127)
        for (int i = 3; i > 0; i--)
            buf_putc(out, (char)((n >> 8 * i & 0xff) | (i == 3 ? 0x80 : 0)));
    buf_putc(out, (char)(n & 0xff));
}

static void put_pair(struct buf *out, Str name, Str value)
{
    put_length(out, name.len);
    put_length(out, value.len);
    buf_put(out, name);
    buf_put(out, value);
}

static void put_variable(struct buf *out, Str name, Str value)
{
    buf_put(out, name);
    buf_putc(out, '=');
    buf_put(out, value);
    buf_putc(out, '\0');
}

static void request(int fd, bool keep, Str text)
{
    struct buf params, records;
    buf_init(&params, 1 << 20);
    buf_init(&records, 1 << 20);
    Str body = each_variable(text, &params, put_pair);
    record_put(&records, RECORD_BEGIN, 1, str_make((char[8]){0, ROLE_RESPONDER, keep}, 8));
    record_put_all(&records, RECORD_PARAMS, 1, buf_str(&params), 1000);
    record_put(&records, RECORD_PARAMS, 1, STR_NONE);
    record_put_all(&records, RECORD_STDIN, 1, body, 1000);
    record_put(&records, RECORD_STDIN, 1, STR_NONE);
    say(fd, buf_str(&records));
    buf_fini(&params);
    buf_fini(&records);
}

static void cgi_request(int fd, Str text)
{
    struct buf environment, all;
    char head[HANDOVER_HEAD];
    buf_init(&environment, 1 << 20);
    buf_init(&all, 1 << 20);
    Str body = each_variable(text, &environment, put_variable);
    handover_head_pack(head, environment.len, body.len);
    buf_put(&all, str_make(head, sizeof head));
    buf_put(&all, buf_str(&environment));
    buf_put(&all, body);
    say_with_output(fd, buf_str(&all));
    buf_fini(&environment);
    buf_fini(&all);
}

/* The last question is answered well: a stream is on these channels from 5 on. */
static void opened(struct cable *c, Str channels)
{
    struct buf parts, part;
    buf_init(&parts, 1 << 20);
    buf_init(&part, 1 << 20);
    for (Str name; str_cut(&channels, ',', &name);) {
        buf_clear(&part);
        msg_part_pack(&part, &(struct msg_part){.channel = name});
        list_put(&parts, buf_str(&part));
    }
    HEAR(c, OPENED, opened, .ref = c->ref, .channels = buf_str(&parts), .join = {1, 5},
         .from = {1, 5});
    buf_fini(&parts);
    buf_fini(&part);
}

static void publish(struct cable *c, uint8_t flags, Str text)
{
    struct buf body;
    Str channel = STR("a");
    str_cut(&text, '\n', &channel);
    buf_init(&body, 1 << 20);
    event_pack(&body, &(struct event){.id = {1, 5 + c->seq},
                                      .flags = flags & EVENT_EPHEMERAL,
                                      .channel = channel,
                                      .data = text});
    hear(c, VERB_EVENT, buf_str(&body));
    buf_fini(&body);
}

/* Any body, with the reference of the last question in front where it has one. */
static void hub_says(struct cable *c, Str text)
{
    struct buf body;
    uint8_t verb = (uint8_t)(input_number(&text, 1) % (VERB_COUNT + 1));
    bool has_ref = verb == VERB_OPENED || verb == VERB_ROWS || verb == VERB_CHANGED ||
                   verb == VERB_PUBLISHED || verb == VERB_ANSWER;
    buf_init(&body, 1 << 20);
    for (int i = 7; has_ref && i >= 0; i--)
        buf_putc(&body, (char)(c->ref >> 8 * i & 0xff));
    buf_put(&body, text);
    hear(c, verb, buf_str(&body));
    buf_fini(&body);
}

static void close_peer(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void step(struct cable *c)
{
    uint8_t what = (uint8_t)input_number(&c->in, 1);
    Str bytes = input_piece(&c->in, 2);
    int *web = &c->web[what >> 3 & (PEERS - 1)], *cgi = &c->cgi[what >> 3 & (PEERS - 1)];
    switch (what & 7) {
    case RAW:
        say(*connected(web, &web_address), bytes);
        break;
    case REQUEST:
        request(*connected(web, &web_address), what & 0x80, bytes);
        break;
    case CGI_RAW:
        say_with_output(*connected(cgi, &cgi_address), bytes);
        break;
    case CGI_REQUEST:
        cgi_request(*connected(cgi, &cgi_address), bytes);
        break;
    case HUB:
        hub_says(c, bytes);
        break;
    case OPENED:
        opened(c, bytes);
        break;
    case EVENT:
        publish(c, what >> 3, bytes);
        break;
    default:
        if (what & 0x80)
            close_peer(cgi);
        else if (what & 0x40)
            shutdown(*web, SHUT_WR);
        else
            close_peer(web);
    }
}

struct cable *cable_open(struct worker *w, struct fault *why)
{
    struct cable *c = only;
    (void)why;
    c->worker = w;
    w->link = link_new(w->options, STR("w1"), (struct link_out){.send = on_send, .ctx = c});
    return c;
}

void cable_tick(struct cable *c, Msec now)
{
    (void)c;
    (void)now;
}

void cable_drain(struct cable *c, Msec now)
{
    if (!c->turns++) {
        link_on_connected(c->worker->link, now);
        HEAR(c, WELCOME, welcome, .link = 1, .head = {1, 5}, .from = {1, 5}, .oldest = {1, 0});
    }
    if (c->in.len)
        c->turns = 1;
    if (c->in.len)
        step(c);
    if (c->turns > LAST_TURNS)
        loop_stop(c->worker->loop);
}

bool cable_flush(struct cable *c, Msec now)
{
    link_flush(c->worker->link, now);
    return true; /* the loop never sleeps: what comes next is taken from the input */
}

bool cable_wait(struct cable *c, int ms)
{
    (void)c;
    (void)ms;
    return false;
}

void cable_greet(struct cable *c)
{
    (void)c; /* nobody takes over here */
}

void cable_close(struct cable *c)
{
    for (int i = 0; i < PEERS; i++) {
        close_peer(&c->web[i]);
        close_peer(&c->cgi[i]);
    }
}

static void remove_run(void)
{
    unlink(web_address.sun_path);
    unlink(cgi_address.sun_path);
    rmdir(run);
}

static void prepare(void)
{
    signal(SIGPIPE, SIG_IGN);
    snprintf(run, sizeof run, "/tmp/belfry-fuzz-XXXXXX");
    const char *made = mkdtemp(run);
    assert(made);
    snprintf(web_address.sun_path, sizeof web_address.sun_path, "%s/fcgi.sock", run);
    snprintf(cgi_address.sun_path, sizeof cgi_address.sun_path, "%s/worker-1.sock", run);
    atexit(remove_run);
}

static void set_options(struct options *o)
{
    static char program[] = "belfry-fcgi", folder[FOLDER + 8], access[] = "--access=open",
                origins[] = "--origins=https://a.example";
    char *argv[] = {program, folder, access, origins};
    struct fault why;
    snprintf(folder, sizeof folder, "--run=%s", run);
    bool ok = options_load(o, PROGRAM_WORKER, (int)COUNT_OF(argv), argv, &why);
    assert(ok);
    o->max_event = 1024;
    o->max_body = 4096;
    o->max_channels_stream = 8;
    o->ring_events = 16;
    o->max_connections = 16;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cable c = {.in = str_make((const char *)data, size)};
    struct options o;
    struct worker w;
    struct listener l = {.lock = 0};
    struct fault why;
    memset(c.web, -1, sizeof c.web);
    memset(c.cgi, -1, sizeof c.cgi);
    if (!run[0])
        prepare();
    log_init("fuzz", LOG_LEVEL_ERROR);
    set_options(&o);
    only = &c;
    bool ok = listen_unix(web_address.sun_path, "", &l.fd, &why) && worker_open(&w, &o, 1, &why) &&
              worker_listen(&w, &l, -1, &why);
    assert(ok);
    worker_run(&w);
    worker_close(&w);
    close(l.fd);
    options_fini(&o);
    return 0;
}
