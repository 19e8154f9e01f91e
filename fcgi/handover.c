#include "handover.h"

#include "conn.h"
#include "listen.h"
#include "pipe.h"
#include "route.h"
#include "scan.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CALLS_MAX = 64, PASSED_MAX = 4, PIECE = 64 * 1024, PATH_BYTES = 4096, PATIENCE_S = 5 };
#define CROWDED ((Msec)500) /* what a call may take where others wait for its place */
static const char magic[4] = "BLF1";

/* One CGI program while it says what it wants. */
struct call {
    struct list node;
    struct handover *all;
    struct watch watch;
    struct buf bytes;
    int fd, passed; /* passed: -1 until it came */
    Msec deadline;
    bool is_doomed;
};

struct handover {
    struct worker *worker;
    struct watch watch;
    struct list open, doomed;
    size_t count;
    int fd;          /* -1: stopped */
    bool is_resting; /* no descriptor was left to accept with: the next tick tries again */
};

static void put_u32(char *out, size_t n)
{
    for (int i = 3; i >= 0; i--, n >>= 8)
        out[i] = (char)(n & 0xff);
}

static size_t get_u32(const char *p)
{
    size_t n = 0;
    for (int i = 0; i < 4; i++)
        n = n << 8 | (unsigned char)p[i];
    return n;
}

void handover_head_pack(char out[HANDOVER_HEAD], size_t environment, size_t body)
{
    memcpy(out, magic, sizeof magic);
    put_u32(out + 4, environment);
    put_u32(out + 8, body);
}

bool handover_head_unpack(Str bytes, size_t max_body, size_t *environment, size_t *body)
{
    if (bytes.len < HANDOVER_HEAD || memcmp(bytes.p, magic, sizeof magic) != 0)
        return false;
    *environment = get_u32(bytes.p + 4);
    *body = get_u32(bytes.p + 8);
    return *environment <= PARAMS_MAX && *body <= max_body;
}

static bool socket_path(char out[PATH_BYTES], const struct options *o, unsigned number)
{
    int n = snprintf(out, PATH_BYTES, "%s/worker-%u.sock", o->run, number);
    return n > 0 && n < PATH_BYTES;
}

static int connect_to(const struct options *o, unsigned number)
{
    char path[PATH_BYTES];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    if (!socket_path(path, o, number) || strlen(path) >= sizeof address.sun_path)
        return -1;
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool send_all(int fd, Str bytes)
{
    while (bytes.len) {
        ssize_t n = send(fd, bytes.p, bytes.len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes = str_skip(bytes, (size_t)n);
    }
    return true;
}

/* The head, with the descriptor beside it. */
static bool send_head(int fd, Str head, int passed)
{
    char *bytes = must_copy(head.p, head.len);
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {bytes, head.len};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof passed), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &passed, sizeof passed);
    bool ok = sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)head.len;
    free(bytes);
    return ok;
}

/* A worker that has everything and is silent may be at it: to ask another would do it twice. */
static bool is_taken(int fd)
{
    char answer;
    ssize_t n = recv(fd, &answer, 1, 0);
    return n == 1 || (n < 0 && errno == EAGAIN);
}

static bool pass_to(int fd, Str environment, Str body, int passed)
{
    char head[HANDOVER_HEAD];
    handover_head_pack(head, environment.len, body.len);
    return send_head(fd, str_make(head, sizeof head), passed) && send_all(fd, environment) &&
           send_all(fd, body) && is_taken(fd);
}

/* They share the load by chance. */
bool handover_pass(const struct options *o, Str environment, Str body, int passed)
{
    unsigned n = (unsigned)o->workers;
    unsigned first = (unsigned)getpid() % n;
    bool ok = false;
    for (unsigned i = 0; !ok && i < n; i++) {
        int fd = connect_to(o, (first + i) % n + 1);
        if (fd < 0)
            continue;
        ok = pass_to(fd, environment, body, passed);
        close(fd);
    }
    return ok;
}

static void doom(struct call *c)
{
    if (c->is_doomed)
        return;
    c->is_doomed = true;
    watch_set(c->all->worker->loop, &c->watch, 0);
    list_remove(&c->node);
    list_append(&c->all->doomed, &c->node);
}

static void serve(struct call *c, size_t environment_len)
{
    struct worker *w = c->all->worker;
    if (conns_are_full(w->conns)) {
        doom(c); /* the program goes elsewhere, or does it itself */
        return;
    }
    Str all = buf_str(&c->bytes), rest = str_skip(all, HANDOVER_HEAD);
    struct buf body;
    buf_init(&body, w->options->max_body);
    buf_put(&body, str_skip(rest, environment_len));
    struct request *r = request_of_environment(str_make(rest.p, environment_len), &body);
    /* The program goes when it hears this; its browser is ours already. */
    (void)!send(c->fd, "k", 1, MSG_NOSIGNAL);
    struct outlet *o = pipe_new(&w->pipes, c->passed);
    c->passed = -1;
    doom(c);
    route(visit_new(w, r, o));
}

static void look(struct call *c)
{
    size_t environment, body;
    Str bytes = buf_str(&c->bytes);
    if (bytes.len < HANDOVER_HEAD)
        return;
    if (!handover_head_unpack(bytes, c->all->worker->options->max_body, &environment, &body) ||
        c->passed < 0 || bytes.len > HANDOVER_HEAD + environment + body)
        doom(c);
    else if (bytes.len == HANDOVER_HEAD + environment + body)
        serve(c, environment);
}

/* One descriptor is asked for; what comes besides is closed. */
static void take_descriptors(struct call *c, struct msghdr *message)
{
    for (struct cmsghdr *m = CMSG_FIRSTHDR(message); m; m = CMSG_NXTHDR(message, m)) {
        if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (m->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(m) + i * sizeof fd, sizeof fd);
            if (c->passed < 0)
                c->passed = fd;
            else
                close(fd);
        }
    }
}

static void on_input(struct watch *w, int events)
{
    struct call *c = CONTAINER_OF(w, struct call, watch);
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(PASSED_MAX * sizeof(int))];
    } control;
    char *room = c->is_doomed ? NULL : buf_room(&c->bytes, PIECE);
    (void)events;
    if (!room)
        return;
    struct iovec part = {room, PIECE};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t n = recvmsg(c->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n >= 0)
        take_descriptors(c, &message); /* else there is nothing in `control` */
    if (n <= 0) {
        doom(c);
        return;
    }
    c->bytes.len += (size_t)n;
    look(c);
}

static struct call *call_new(struct handover *h, int fd, int passed, Msec deadline)
{
    struct call *c = must_alloc(sizeof *c);
    c->all = h;
    c->fd = fd;
    c->passed = passed;
    c->deadline = deadline;
    buf_init(&c->bytes, HANDOVER_HEAD + PARAMS_MAX + h->worker->options->max_body + PIECE);
    bool ok = watch_open(h->worker->loop, &c->watch, fd, LOOP_READ, on_input);
    assert(ok); /* a socket can be waited for */
    list_append(&h->open, &c->node);
    if (++h->count >= CALLS_MAX)
        watch_set(h->worker->loop, &h->watch, 0); /* the others wait in the backlog */
    return c;
}

static void on_connect(struct watch *w, int events)
{
    struct handover *h = CONTAINER_OF(w, struct handover, watch);
    (void)events;
    int fd = accept4(h->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        h->is_resting = errno != EAGAIN;
        if (h->is_resting)
            watch_set(h->worker->loop, &h->watch, 0);
        return;
    }
    call_new(h, fd, -1, loop_now(h->worker->loop) + h->worker->options->head_timeout);
}

struct handover *handover_new(struct worker *w, int fd, struct fault *why)
{
    char path[PATH_BYTES];
    struct handover *h = must_alloc(sizeof *h);
    h->worker = w;
    list_init(&h->open);
    list_init(&h->doomed);
    h->fd = fd;
    if (fd < 0 && (!socket_path(path, w->options, w->number) ||
                   !listen_unix(path, w->options->socket_group, &h->fd, why))) {
        free(h);
        return NULL;
    }
    watch_open(w->loop, &h->watch, h->fd, LOOP_READ, on_connect);
    return h;
}

void handover_tick(struct handover *h, Msec now)
{
    struct list *node, *safe;
    Msec patience = h->worker->options->head_timeout;
    Msec hurry = h->count >= CALLS_MAX && patience > CROWDED ? patience - CROWDED : 0;
    LIST_EACH(node, safe, &h->open)
    {
        struct call *c = CONTAINER_OF(node, struct call, node);
        if (c->deadline <= now + hurry)
            doom(c);
    }
    if (h->is_resting && h->fd >= 0 && h->count < CALLS_MAX)
        watch_set(h->worker->loop, &h->watch, LOOP_READ);
    h->is_resting = false;
}

void handover_reap(struct handover *h)
{
    while (!list_is_empty(&h->doomed)) {
        struct call *c = CONTAINER_OF(h->doomed.next, struct call, node);
        list_remove(&c->node);
        watch_close(h->worker->loop, &c->watch);
        close(c->fd);
        if (c->passed >= 0)
            close(c->passed);
        buf_fini(&c->bytes);
        free(c);
        if (h->count-- == CALLS_MAX && h->fd >= 0)
            watch_set(h->worker->loop, &h->watch, LOOP_READ);
    }
}

bool handover_is_idle(const struct handover *h)
{
    return list_is_empty(&h->open);
}

/* Who waits in the backlog is told by the close, and goes elsewhere; where a successor has the
 * socket, it is that one's. */
void handover_stop(struct handover *h)
{
    if (h->fd < 0)
        return;
    watch_close(h->worker->loop, &h->watch);
    close(h->fd);
    h->fd = -1;
}

void handover_free(struct handover *h)
{
    if (!h)
        return;
    while (!list_is_empty(&h->open))
        doom(CONTAINER_OF(h->open.next, struct call, node));
    handover_reap(h);
    handover_stop(h);
    free(h);
}

int handover_socket(const struct handover *h)
{
    return h->fd;
}

bool handover_give(const struct handover *h, Msec now, image_giver *give, void *ctx)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &h->open)
    {
        const struct call *c = CONTAINER_OF(node, struct call, node);
        struct image_outlet m = {
            .kind = IMAGE_CALL,
            .fds = c->passed >= 0 ? 2 : 1,
            .deadline = c->deadline > now ? c->deadline - now : 1,
            .body = buf_str(&c->bytes),
        };
        if (!give(ctx, &m, (const int[]){c->fd, c->passed}))
            return false;
    }
    return true;
}

void handover_abandon(struct handover *h)
{
    handover_stop(h);
    while (!list_is_empty(&h->open))
        doom(CONTAINER_OF(h->open.next, struct call, node));
}

void handover_restore(struct handover *h, int fd, int passed, const struct image_outlet *m,
                      Msec now)
{
    struct call *c = call_new(h, fd, passed, now + m->deadline);
    if (!buf_put(&c->bytes, m->body))
        doom(c); /* less is allowed now */
}
