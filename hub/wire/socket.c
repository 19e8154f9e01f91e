#include "wire/socket.h"

#include "base/clock.h"
#include "base/random.h"
#include "wire/refusal.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

enum {
    HANDSHAKE_MS = 10000, /* a peer that says nothing for so long is cut off */
    IDLE_S = 30,          /* then a tcp peer is asked whether it is still there */
    ENDPOINT = 320,
    COPY_BELOW = 64, /* sharing costs more than copying so few bytes */
    WAIT_MAX = 16,   /* sockets in one socket_wait */
};

struct socket_context {
    void *zmq; /* made with its first socket, which can say why there is none */
};

struct socket {
    void *context, *zmq;
    enum socket_kind kind;
    bool is_unlimited; /* no high-water mark */
    int fd;
    bool is_used;  /* since it was last found empty: its descriptor may not tell what is there */
    void *monitor; /* NULL: not watched */
    int monitor_fd;
    bool is_connected; /* as far as the monitor said */
    int refused;       /* the event that said so last, 0: none since */
    bool has_keys, is_server;
    bool was_listened_to; /* an XPUB */
};

/* `bytes` lie in `room`, in `own`, or in what was received, which then lies in `room`. ZeroMQ's
 * thread drops references too. */
struct frame {
    atomic_uint refs;
    bool is_received;
    Str bytes;
    char *own;
    _Alignas(zmq_msg_t) char room[];
};

struct socket_context *socket_context_new(void)
{
    return must_alloc(sizeof(struct socket_context));
}

void socket_context_free(struct socket_context *c)
{
    if (!c)
        return;
    while (c->zmq && zmq_ctx_term(c->zmq) != 0 && errno == EINTR)
        ;
    free(c);
}

static bool set_int(void *zmq, int option, int value)
{
    return zmq_setsockopt(zmq, option, &value, sizeof value) == 0;
}

static bool set_options(struct socket *s, struct socket_limits limits)
{
    bool ok =
        set_int(s->zmq, ZMQ_SNDHWM, limits.high_water) &&
        set_int(s->zmq, ZMQ_RCVHWM, limits.inwards ? limits.inwards : limits.high_water) &&
        set_int(s->zmq, ZMQ_LINGER, limits.linger_ms) &&
        set_int(s->zmq, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) &&
        zmq_setsockopt(s->zmq, ZMQ_MAXMSGSIZE, &limits.max_message, sizeof limits.max_message) == 0;
    if (s->kind == SOCKET_ROUTER)
        ok = ok && set_int(s->zmq, ZMQ_ROUTER_MANDATORY, 1);
    if (s->kind == SOCKET_PUSH)
        ok = ok && set_int(s->zmq, ZMQ_IMMEDIATE, 1);
    return ok;
}

static int fd_of(void *zmq)
{
    int fd = -1;
    size_t size = sizeof fd;
    zmq_getsockopt(zmq, ZMQ_FD, &fd, &size);
    return fd;
}

struct socket *socket_open(struct socket_context *c, enum socket_kind kind,
                           struct socket_limits limits, struct fault *why)
{
    static const int types[] = {
        [SOCKET_ROUTER] = ZMQ_ROUTER, [SOCKET_DEALER] = ZMQ_DEALER, [SOCKET_PULL] = ZMQ_PULL,
        [SOCKET_PUSH] = ZMQ_PUSH,     [SOCKET_XPUB] = ZMQ_XPUB,     [SOCKET_SUB] = ZMQ_SUB,
        [SOCKET_REP] = ZMQ_REP,
    };
    struct socket *s = must_alloc(sizeof *s);
    if (!c->zmq)
        c->zmq = zmq_ctx_new();
    s->context = c->zmq;
    s->kind = kind;
    s->is_unlimited = limits.high_water == 0;
    s->monitor_fd = -1;
    s->zmq = c->zmq ? zmq_socket(c->zmq, types[kind]) : NULL;
    if (s->zmq && set_options(s, limits)) {
        s->fd = fd_of(s->zmq);
        s->is_used = true;
        return s;
    }
    fail(why, REFUSE_INTERNAL, "cannot open a ZeroMQ socket: %s", zmq_strerror(errno));
    socket_close(s);
    return NULL;
}

void socket_close(struct socket *s)
{
    if (!s)
        return;
    if (s->monitor) {
        zmq_socket_monitor(s->zmq, NULL, 0);
        zmq_close(s->monitor);
    }
    if (s->zmq)
        zmq_close(s->zmq);
    free(s);
}

/* *path: of the socket's file; empty for inproc and tcp. */
static bool check_endpoint(const struct socket *s, const char *endpoint, Str *path,
                           struct fault *why)
{
    Str text = str_of(endpoint);
    *path = STR_NONE;
    if (str_starts(text, STR("inproc://")))
        return true;
    if (str_starts(text, STR("tcp://")))
        return (s->has_keys && (!strchr(endpoint, '[') || set_int(s->zmq, ZMQ_IPV6, 1))) ||
               fail(why, REFUSE_CONFIG, "endpoint %s: tcp:// is spoken with CURVE keys alone",
                    endpoint);
    if (!str_starts(text, STR("ipc://")))
        return fail(why, REFUSE_CONFIG, "endpoint %s: does not begin with ipc://", endpoint);
    *path = str_skip(text, strlen("ipc://"));
    if (!path->len || path->p[0] == '@' || path->p[0] == '*')
        return fail(why, REFUSE_CONFIG, "endpoint %s: needs the path of a file after ipc://",
                    endpoint);
    return true;
}

bool socket_bind(struct socket *s, const char *endpoint, int group, struct fault *why)
{
    Str path;
    if (!check_endpoint(s, endpoint, &path, why))
        return false;
    mode_t before = umask(0117);
    int bound = zmq_bind(s->zmq, endpoint);
    umask(before);
    if (bound != 0)
        return fail(why, REFUSE_CONFIG, "endpoint %s: cannot bind: %s", endpoint,
                    zmq_strerror(errno));
    if (path.len && group >= 0 && chown(path.p, (uid_t)-1, (gid_t)group) != 0)
        return fail(why, REFUSE_CONFIG, "endpoint %s: cannot give it to group %d: %s", endpoint,
                    group, strerror(errno));
    return true;
}

bool socket_connect(struct socket *s, const char *endpoint, struct fault *why)
{
    Str path;
    if (!check_endpoint(s, endpoint, &path, why))
        return false;
    if (zmq_connect(s->zmq, endpoint) != 0)
        return fail(why, REFUSE_CONFIG, "endpoint %s: cannot connect: %s", endpoint,
                    zmq_strerror(errno));
    return true;
}

void socket_reconnect(struct socket *s, const char *endpoint)
{
    s->is_used = true;
    zmq_disconnect(s->zmq, endpoint);
    zmq_connect(s->zmq, endpoint); /* it did once: the endpoint is well formed */
}

bool socket_bind_again(struct socket *s, const char *endpoint, struct fault *why)
{
    char last[ENDPOINT]; /* as ZeroMQ resolved it */
    size_t size = sizeof last;
    s->is_used = true;
    if (zmq_getsockopt(s->zmq, ZMQ_LAST_ENDPOINT, last, &size) == 0)
        zmq_unbind(s->zmq, last);
    return socket_bind(s, endpoint, -1, why);
}

bool socket_subscribe(struct socket *s, Str prefix)
{
    s->is_used = true;
    return zmq_setsockopt(s->zmq, ZMQ_SUBSCRIBE, prefix.len ? prefix.p : "", prefix.len) == 0;
}

void socket_make_keys(char public[CURVE_TEXT], char secret[CURVE_TEXT])
{
    if (zmq_curve_keypair(public, secret) != 0)
        abort(); /* ZeroMQ was built without CURVE */
}

static bool set_text(void *zmq, int option, const char *text)
{
    return zmq_setsockopt(zmq, option, text, strlen(text)) == 0;
}

/* A machine that vanished without a word is noticed. */
static bool keep_keys(struct socket *s, bool ok, struct fault *why)
{
    s->has_keys = ok && set_int(s->zmq, ZMQ_TCP_KEEPALIVE, 1) &&
                  set_int(s->zmq, ZMQ_TCP_KEEPALIVE_IDLE, IDLE_S) &&
                  set_int(s->zmq, ZMQ_TCP_KEEPALIVE_INTVL, IDLE_S / 3) &&
                  set_int(s->zmq, ZMQ_TCP_KEEPALIVE_CNT, 3);
    return s->has_keys ||
           fail(why, REFUSE_CONFIG, "ZeroMQ does not take the CURVE keys: %s", zmq_strerror(errno));
}

bool socket_serve_keys(struct socket *s, const char *secret, const char *domain, struct fault *why)
{
    s->is_server = true;
    return keep_keys(s,
                     set_int(s->zmq, ZMQ_CURVE_SERVER, 1) &&
                         set_text(s->zmq, ZMQ_CURVE_SECRETKEY, secret) &&
                         set_text(s->zmq, ZMQ_ZAP_DOMAIN, domain),
                     why);
}

bool socket_use_keys(struct socket *s, const char *secret, const char *server, struct fault *why)
{
    char public[CURVE_TEXT];
    return keep_keys(s,
                     zmq_curve_public(public, secret) == 0 &&
                         set_text(s->zmq, ZMQ_CURVE_PUBLICKEY, public) &&
                         set_text(s->zmq, ZMQ_CURVE_SECRETKEY, secret) &&
                         set_text(s->zmq, ZMQ_CURVE_SERVERKEY, server),
                     why);
}

bool socket_watch(struct socket *s, struct fault *why)
{
    char endpoint[sizeof "inproc://watch-" + RANDOM_NAME] = "inproc://watch-";
    random_name(endpoint + strlen(endpoint));
    int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
                 ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                 (s->is_server ? 0 : ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
    s->monitor = zmq_socket(s->context, ZMQ_PAIR);
    /* Without a high-water mark: ZeroMQ's thread would wait for a reader that is late. */
    if (s->monitor && set_int(s->monitor, ZMQ_RCVHWM, 0) && set_int(s->monitor, ZMQ_LINGER, 0) &&
        zmq_socket_monitor(s->zmq, endpoint, events) == 0 &&
        zmq_connect(s->monitor, endpoint) == 0) {
        s->monitor_fd = fd_of(s->monitor);
        return true;
    }
    return fail(why, REFUSE_INTERNAL, "cannot watch a ZeroMQ socket: %s", zmq_strerror(errno));
}

static bool receive_part(void *zmq, zmq_msg_t *part)
{
    int n;
    do
        n = zmq_msg_recv(part, zmq, ZMQ_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n >= 0;
}

/* The next event's number, 0 where there is none. Its second part is the endpoint. */
static unsigned next_event(void *monitor)
{
    uint16_t event = 0;
    bool more = true;
    for (size_t i = 0; more; i++) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        bool ok = receive_part(monitor, &part);
        if (ok && i == 0 && zmq_msg_size(&part) >= sizeof event)
            memcpy(&event, zmq_msg_data(&part), sizeof event);
        more = ok && zmq_msg_more(&part);
        zmq_msg_close(&part);
    }
    return event;
}

/* One event of many peers, where it serves: only those who are refused are told apart. */
enum socket_change socket_next_change(struct socket *s)
{
    for (unsigned event; s->monitor && (event = next_event(s->monitor)) != 0;) {
        bool is_connected = event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
        bool is_refused = !is_connected && event != ZMQ_EVENT_DISCONNECTED;
        bool was_connected = s->is_connected;
        if (is_refused && !s->has_keys)
            continue; /* without keys a handshake breaks off where a peer dies, and no more */
        s->is_connected = is_connected;
        if (is_refused || is_connected)
            s->refused = is_refused ? (int)event : 0;
        if (is_refused)
            return SOCKET_REFUSED;
        if (is_connected != was_connected)
            return is_connected ? SOCKET_CONNECTED : SOCKET_DISCONNECTED;
    }
    return SOCKET_NO_CHANGE;
}

bool socket_is_agreed(const struct socket *s, struct fault *why)
{
    if (!s->refused)
        return true;
    if (s->refused == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        return fail(why, REFUSE_FORBIDDEN,
                    "the hub does not let this key in: its curve_clients has it not, or not with "
                    "this role");
    return fail(why, REFUSE_HUB_AWAY,
                "no handshake: the hub's key is not the one of curve_server, or CURVE is not "
                "spoken there");
}

int socket_fd(const struct socket *s)
{
    return s->fd;
}

int socket_watch_fd(const struct socket *s)
{
    return s->monitor_fd;
}

bool socket_is_readable(struct socket *s)
{
    int events = 0;
    size_t size = sizeof events;
    s->is_used = zmq_getsockopt(s->zmq, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN);
    return s->is_used;
}

bool socket_is_quiet(struct socket *s)
{
    return !s->is_used || !socket_is_readable(s);
}

/* What ZeroMQ has to tell it tells a descriptor once, and every send and receive may take that
 * away: so those that were used since they were last empty are asked first. */
static bool ask_used(struct socket *const *v, size_t n, bool *ready)
{
    bool any = false;
    for (size_t i = 0; i < n; i++)
        any |= ready[i] = !socket_is_quiet(v[i]);
    return any;
}

static bool ask_told(struct socket *const *v, size_t n, const struct pollfd *fds, bool *ready)
{
    bool any = false;
    for (size_t i = 0; i < n; i++)
        any |= ready[i] |= fds[i].revents && socket_is_readable(v[i]);
    return any;
}

bool socket_wait(struct socket *const *v, size_t n, int fd, int ms, bool *ready, bool *fd_ready)
{
    struct pollfd fds[WAIT_MAX + 1];
    Msec begin = clock_mono(), past = 0;
    assert(n <= WAIT_MAX);
    for (size_t i = 0; i < n; i++)
        fds[i] = (struct pollfd){v[i]->fd, POLLIN, 0};
    fds[n] = (struct pollfd){fd, POLLIN, 0}; /* a negative one is passed over */
    bool any = ask_used(v, n, ready), ok = true;
    int told;
    do { /* ZeroMQ's threads also tell what is none of ours */
        int left = ms < 0 || any ? ms : ms - (int)past;
        told = poll(fds, n + 1, any ? 0 : left);
        ok = told >= 0;
        any |= ok && (ask_told(v, n, fds, ready) || fds[n].revents);
        past = clock_mono() - begin;
    } while (told > 0 && !any && (ms < 0 || past < (Msec)ms));
    if (fd_ready)
        *fd_ready = ok && fds[n].revents;
    return ok;
}

static struct frame *frame_new(size_t room)
{
    struct frame *f = must_room(sizeof *f + room);
    atomic_init(&f->refs, 1);
    f->is_received = false;
    f->own = NULL;
    f->bytes = str_make(f->room, room);
    return f;
}

static zmq_msg_t *received(struct frame *f)
{
    return (zmq_msg_t *)(void *)f->room;
}

struct frame *frame_copy(Str bytes)
{
    struct frame *f = frame_new(bytes.len);
    if (bytes.len)
        memcpy(f->room, bytes.p, bytes.len);
    return f;
}

struct frame *frame_take(struct buf *b)
{
    struct frame *f = frame_new(0);
    f->own = buf_take(b, &f->bytes.len);
    f->bytes.p = f->own;
    return f;
}

struct frame *frame_ref(struct frame *f)
{
    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    return f;
}

void frame_unref(struct frame *f)
{
    if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (f->is_received)
        zmq_msg_close(received(f));
    free(f->own);
    free(f);
}

Str frame_str(const struct frame *f)
{
    return f->bytes;
}

/* NULL when there is nothing. */
static struct frame *receive_frame(struct socket *s, bool *more)
{
    struct frame *f = frame_new(sizeof(zmq_msg_t));
    f->is_received = true;
    zmq_msg_init(received(f));
    s->is_used = receive_part(s->zmq, received(f));
    if (!s->is_used) {
        frame_unref(f);
        return NULL;
    }
    f->bytes = str_make(zmq_msg_data(received(f)), zmq_msg_size(received(f)));
    *more = zmq_msg_more(received(f));
    return f;
}

bool socket_receive(struct socket *s, struct parcel *out)
{
    *out = (struct parcel){0};
    bool more = true;
    while (more) {
        struct frame *f = receive_frame(s, &more);
        if (!f)
            break;
        if (out->n < SOCKET_PARTS)
            out->part[out->n] = f;
        else
            frame_unref(f);
        out->n++;
    }
    return out->n > 0;
}

void parcel_fini(struct parcel *p)
{
    for (size_t i = 0; i < p->n && i < SOCKET_PARTS; i++)
        frame_unref(p->part[i]);
    p->n = 0;
}

/* That nobody wants a prefix any more is not to be believed: ZeroMQ passes it on of one that others
 * still want. Their messages may hold what is no subscription, before one, too. */
bool socket_was_listened_to(struct socket *s, size_t max)
{
    struct frame *f;
    for (bool more; max-- && (f = receive_frame(s, &more)); frame_unref(f)) {
        Str what = frame_str(f);
        s->was_listened_to |= what.len && what.p[0] == 1;
    }
    return s->was_listened_to;
}

static void let_go(void *data, void *frame)
{
    (void)data;
    frame_unref(frame);
}

static void fill_copy(zmq_msg_t *part, Str bytes)
{
    if (zmq_msg_init_size(part, bytes.len) != 0)
        memory_is_out();
    if (bytes.len)
        memcpy(zmq_msg_data(part), bytes.p, bytes.len);
}

static void fill_shared(zmq_msg_t *part, struct frame *f)
{
    if (f->bytes.len < COPY_BELOW) {
        fill_copy(part, f->bytes);
        return;
    }
    char *bytes = f->is_received ? zmq_msg_data(received(f)) : f->own ? f->own : f->room;
    if (zmq_msg_init_data(part, bytes, f->bytes.len, let_go, frame_ref(f)) != 0)
        memory_is_out();
}

static bool send_part(struct socket *s, zmq_msg_t *part, bool more)
{
    int n;
    s->is_used = true;
    do
        n = zmq_msg_send(part, s->zmq, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        int error = errno;
        zmq_msg_close(part);
        errno = error;
    }
    return n >= 0;
}

static enum socket_sent why_not_sent(const struct socket *s)
{
    bool nobody = errno != EAGAIN || (s->is_unlimited && s->kind != SOCKET_ROUTER);
    return nobody ? SOCKET_GONE : SOCKET_FULL;
}

static void close_parts(zmq_msg_t *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        zmq_msg_close(&parts[i]);
}

/* The first part decides. A later one fails only when the peer goes away in between; ZeroMQ then
 * takes back what it had of the message, and has to be given the rest to drop it. */
static enum socket_sent send_all(struct socket *s, zmq_msg_t *parts, size_t n)
{
    if (s->monitor && !s->is_server && !s->is_connected) {
        close_parts(parts, n);
        return SOCKET_GONE;
    }
    if (!send_part(s, &parts[0], n > 1)) {
        enum socket_sent sent = why_not_sent(s);
        close_parts(parts + 1, n - 1);
        return sent;
    }
    bool ok = true;
    for (size_t i = 1; i < n; i++)
        ok = send_part(s, &parts[i], i + 1 < n) && ok;
    return ok ? SOCKET_SENT : SOCKET_GONE;
}

static void check_count(const struct socket *s, size_t n)
{
    assert(n <= SOCKET_PARTS && n > (s->kind == SOCKET_ROUTER));
}

enum socket_sent socket_send(struct socket *s, struct frame *const *parts, size_t n)
{
    zmq_msg_t v[SOCKET_PARTS];
    check_count(s, n);
    for (size_t i = 0; i < n; i++)
        fill_shared(&v[i], parts[i]);
    return send_all(s, v, n);
}

enum socket_sent socket_send_strs(struct socket *s, const Str *parts, size_t n)
{
    zmq_msg_t v[SOCKET_PARTS];
    check_count(s, n);
    for (size_t i = 0; i < n; i++)
        fill_copy(&v[i], parts[i]);
    return send_all(s, v, n);
}
