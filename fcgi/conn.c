#include "conn_inside.h"

#include "base/log.h"
#include "route.h"
#include "wire/refusal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPTS = 16,
    SPARE = 256,
    REPLY = 4096,
    STDOUT_PIECE = 16 * 1024 - RECORD_HEADER,
    END_ROOM = 4 * RECORD_HEADER
};
#define LINGER ((Msec)2000) /* how long a peer may go on sending after its answer */
#define HOLD   ((Msec)50)   /* how long a stream's head waits for what follows it */
#define QUIET  ((Msec)100)  /* at a stop: so long nothing came where something may come */

void conn_doom(struct conn *c)
{
    if (c->state == CONN_DOOMED)
        return;
    c->state = CONN_DOOMED;
    watch_set(c->all->worker->loop, &c->watch, 0);
    list_remove(&c->node);
    list_append(&c->all->doomed, &c->node);
}

static void set_deadline(struct conn *c, Msec after)
{
    heap_set(&c->all->deadlines, &c->deadline, loop_now(c->all->worker->loop) + after);
}

static void no_deadline(struct conn *c)
{
    heap_remove(&c->all->deadlines, &c->deadline);
}

void conn_watch(struct conn *c)
{
    int more = c->ship && !c->is_held ? LOOP_WRITE : 0;
    watch_set(c->all->worker->loop, &c->watch, LOOP_READ | LOOP_LEFT | more);
}

/* Ready for the next request, whose head has time from its first byte on. */
static void keep_open(struct conn *c)
{
    c->state = CONN_READING;
    c->pieces = 0;
    c->is_whole = false;
    scan_next(&c->scan);
    c->all->heard = loop_now(c->all->worker->loop);
    set_deadline(c, c->all->worker->options->keep_timeout);
    conn_watch(c);
}

/* What has come, but is not read: bytes; 0: the peer's close; less: nothing. */
static ssize_t peek(const struct conn *c)
{
    char byte;
    return recv(c->watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
}

/* Closing with input unread would take back what the peer has not read yet; and a peer that still
 * has the end of its request to say (Caddy and Apache say it in a write of its own) would take the
 * closed socket for a broken worker. */
static void close_gently(struct conn *c)
{
    bool is_read = c->scan.is_ended && peek(c) < 0;
    if (is_read && !c->all->listener->is_tcp) {
        shutdown(c->watch.fd, SHUT_RDWR); /* seen with the answer, not only after this turn */
        conn_doom(c);
        return;
    }
    c->state = CONN_LINGER;
    shutdown(c->watch.fd, SHUT_WR);
    set_deadline(c, LINGER);
    conn_watch(c);
}

/* A connection that the peer wants kept is the peer's to close (FastCGI 1.0, 5.1): it may have
 * written its next request before it sees that we did. Where it goes on asking although we have to
 * stop, the moment after an answer is when that is least likely. What still comes of a refused one
 * is let go. */
static void on_all_out(struct conn *c)
{
    if (c->scan.keep && worker_keeps(c->all->worker))
        keep_open(c);
    else
        close_gently(c);
}

static void on_shipped(struct conn *c, enum shipped done)
{
    switch (done) {
    case SHIP_ALL:
        break;
    case SHIP_SOME:
        conn_watch(c);
        break;
    case SHIP_BROKEN:
        conn_doom(c);
        break;
    }
}

static void unhold(struct conn *c)
{
    c->is_held = false;
    no_deadline(c);
}

/* What was held leaves without what should have followed. */
static void release(struct conn *c)
{
    if (!c->is_held)
        return;
    unhold(c);
    on_shipped(c, ship_push(&c->ship, c->watch.fd));
}

/* With what was held before it. */
static void put_behind(struct conn *c, Str bytes)
{
    struct buf both;
    Str held = ship_left(c->ship);
    buf_init(&both, held.len + bytes.len);
    buf_put(&both, held);
    buf_put(&both, bytes);
    unhold(c);
    ship_drop(&c->ship);
    struct chunk *own = chunk_take(&both);
    on_shipped(c, ship_start(&c->ship, c->watch.fd, own, chunk_bytes(own)));
    chunk_unref(own);
}

static void put_out(struct conn *c, struct chunk *chunk, Str bytes)
{
    if (c->is_held)
        put_behind(c, bytes);
    else
        on_shipped(c, ship_start(&c->ship, c->watch.fd, chunk, bytes));
}

/* Made for this connection alone; `is_last`: with the empty STDOUT, which Apache waits for, and
 * END_REQUEST. */
static void put_own(struct conn *c, Str bytes, bool is_last)
{
    struct buf records;
    buf_init(&records, bytes.len + (bytes.len / STDOUT_PIECE + 1) * RECORD_HEADER + END_ROOM);
    record_put_all(&records, RECORD_STDOUT, c->scan.id, bytes, STDOUT_PIECE);
    if (is_last) {
        record_put(&records, RECORD_STDOUT, c->scan.id, STR_NONE);
        record_put_end(&records, c->scan.id, END_COMPLETE);
    }
    struct chunk *own = chunk_take(&records);
    put_out(c, own, chunk_bytes(own));
    chunk_unref(own);
}

/* Those of request 1 are shared; any other number has its own. */
static void put_records(struct conn *c, struct chunk *chunk)
{
    if (c->scan.id == 1)
        put_out(c, chunk, chunk_records(chunk));
    else
        put_own(c, chunk_bytes(chunk), false);
}

static struct conn *conn_of(struct outlet *o)
{
    return (struct conn *)(void *)o;
}

/* An answer in one piece: its end leaves in the same write. */
static bool is_short(const struct conn *c)
{
    return c->pieces == 1 && !c->outlet.owner_ops->draw;
}

static bool conn_write(struct outlet *o, struct chunk *chunk)
{
    struct conn *c = conn_of(o);
    if (c->state == CONN_DOOMED)
        return false;
    assert(c->state == CONN_SERVING);
    c->pieces++;
    c->is_whole = is_short(c);
    if (c->is_whole)
        put_own(c, chunk_bytes(chunk), true);
    else
        put_records(c, chunk);
    return c->state == CONN_SERVING && !c->ship;
}

/* Only of request 1, whose records are the chunk's. */
static bool conn_hold(struct outlet *o, struct chunk *chunk)
{
    struct conn *c = conn_of(o);
    if (c->state == CONN_DOOMED || c->scan.id != 1)
        return conn_write(o, chunk);
    c->pieces++;
    c->is_held = true;
    ship_hold(&c->ship, chunk, chunk_records(chunk));
    set_deadline(c, HOLD);
    return true;
}

/* Everything of the owner is out. */
static void end_request(struct conn *c)
{
    c->state = CONN_ENDING;
    if (!c->is_whole)
        put_own(c, STR_NONE, true);
    if (c->state == CONN_ENDING && !c->ship)
        on_all_out(c);
}

static void let_go(struct conn *c)
{
    c->outlet.owner_ops = NULL;
    c->outlet.owner = NULL;
}

static void conn_finish(struct outlet *o)
{
    struct conn *c = conn_of(o);
    let_go(c);
    release(c);
    if (c->state == CONN_DOOMED)
        return;
    set_deadline(c, c->all->worker->options->slow_timeout);
    if (!c->ship)
        end_request(c);
}

static void conn_abort(struct outlet *o)
{
    struct conn *c = conn_of(o);
    let_go(c);
    conn_doom(c);
}

static const struct outlet_ops ops = {conn_write, conn_finish, conn_abort, conn_hold};

static void on_room(struct conn *c)
{
    enum shipped done = ship_push(&c->ship, c->watch.fd);
    if (done == SHIP_BROKEN)
        conn_doom(c);
    if (done != SHIP_ALL)
        return;
    if (c->state == CONN_ENDING)
        on_all_out(c);
    else if (!c->outlet.owner)
        end_request(c);
    else {
        conn_watch(c);
        c->outlet.owner_ops->on_writable(c->outlet.owner);
    }
}

/* The visit begins before anything is known of it, so a refusal goes the way of every answer. */
static struct visit *begin(struct conn *c, struct request *r)
{
    c->state = CONN_SERVING;
    no_deadline(c);
    conn_watch(c);
    return visit_new(c->all->worker, r, &c->outlet);
}

static void refuse(struct conn *c, const struct fault *why)
{
    struct buf nothing;
    Str params = scan_params(&c->scan);
    buf_init(&nothing, 0);
    struct request *r = params.len ? request_parse(c->all->parser, params, &nothing) : NULL;
    scan_drop(&c->scan);
    visit_refuse(begin(c, r ? r : request_of_environment(STR_NONE, &nothing)), why);
}

static void on_request(struct conn *c)
{
    struct request *r = request_parse(c->all->parser, scan_params(&c->scan), scan_body(&c->scan));
    scan_drop(&c->scan);
    if (r)
        route(begin(c, r));
    else
        conn_doom(c);
}

/* Records of their own must go out whole between those of an answer. */
static void send_reply(struct conn *c, const struct buf *reply)
{
    if (!reply->len || c->state == CONN_DOOMED)
        return;
    release(c);
    bool is_out = !reply->full && !c->ship && c->state <= CONN_SERVING &&
                  send(c->watch.fd, reply->p, reply->len, MSG_NOSIGNAL) == (ssize_t)reply->len;
    if (!is_out)
        conn_doom(c);
}

static void on_event(struct conn *c, enum scan_event event, const struct fault *why)
{
    switch (event) {
    case SCAN_MORE:
        break;
    case SCAN_REQUEST:
        on_request(c);
        break;
    case SCAN_REFUSED:
        refuse(c, why);
        break;
    case SCAN_ABORTED:
        conn_doom(c);
        break;
    case SCAN_BROKEN:
        log_debug("connection closed", kz("reason", "what came is no FastCGI"));
        c->all->worker->broken++;
        conn_doom(c);
        break;
    }
}

/* The head's time runs from its first byte, the body's from the head's end. */
static void move_deadline(struct conn *c, enum scan_phase before)
{
    const struct options *o = c->all->worker->options;
    if (c->state != CONN_READING || c->scan.phase == before)
        return;
    if (c->scan.phase == SCAN_BODY)
        set_deadline(c, o->body_timeout);
    else if (c->scan.phase == SCAN_HEAD)
        set_deadline(c, o->head_timeout);
}

static void feed(struct conn *c, Str bytes)
{
    struct buf reply;
    buf_init(&reply, REPLY);
    while (bytes.len && c->state != CONN_DOOMED && c->state != CONN_LINGER) {
        struct fault why = {0};
        enum scan_phase before = c->scan.phase;
        enum scan_event event = scan_feed(&c->scan, &c->all->limits, &bytes, &reply, &why);
        send_reply(c, &reply);
        buf_clear(&reply);
        if (c->state != CONN_DOOMED)
            on_event(c, event, &why);
        move_deadline(c, before);
    }
    buf_fini(&reply);
}

static void on_input(struct conn *c)
{
    ssize_t n = recv(c->watch.fd, c->all->input, sizeof c->all->input, MSG_DONTWAIT);
    if (n > 0) {
        c->all->heard = loop_now(c->all->worker->loop);
        feed(c, str_make(c->all->input, (size_t)n));
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        conn_doom(c);
}

static void on_events(struct watch *w, int events)
{
    struct conn *c = CONTAINER_OF(w, struct conn, watch);
    if (c->state == CONN_DOOMED)
        return;
    bool is_answered = c->state == CONN_SERVING || c->state == CONN_ENDING;
    if (events & LOOP_ERROR || (events & LOOP_LEFT && is_answered)) {
        conn_doom(c); /* otherwise what was said before is read first, to its end */
        return;
    }
    if (events & LOOP_WRITE && c->ship)
        on_room(c);
    if (events & LOOP_READ && c->state != CONN_DOOMED)
        on_input(c);
}

struct conn *conn_new(struct conns *all, int fd)
{
    struct conn *c = pool_alloc(&all->pool, sizeof *c);
    bool ok = watch_open(all->worker->loop, &c->watch, fd, LOOP_READ | LOOP_LEFT, on_events);
    assert(ok); /* a socket can be waited for */
    c->outlet.ops = &ops;
    c->all = all;
    scan_init(&c->scan);
    list_append(&all->open, &c->node);
    all->count++;
    all->heard = loop_now(all->worker->loop);
    return c;
}

static void accept_one(struct conns *all, int fd)
{
    struct conn *c = conn_new(all, fd);
    set_deadline(c, all->worker->options->head_timeout);
    on_input(c); /* what it wants is mostly there */
}

bool conns_are_full(struct conns *all)
{
    if (all->count + all->worker->pipes.count < all->limits.max_connections)
        return false;
    if (!all->is_told)
        log_warn("no more connections are taken",
                 kn("max_connections", all->limits.max_connections));
    all->is_told = true;
    return true;
}

static void on_connect(struct watch *w, int events)
{
    struct conns *all = CONTAINER_OF(w, struct conns, watch);
    (void)events;
    for (int i = 0; i < ACCEPTS && !conns_are_full(all); i++) {
        int fd = listener_accept(all->listener);
        if (fd < 0)
            return;
        accept_one(all, fd);
    }
    if (conns_are_full(all))
        watch_set(all->worker->loop, &all->watch, 0); /* they wait in the backlog */
}

/* Some descriptors stay for the hub, which must be found again, and for CGI programs. */
static size_t most_connections(const struct options *o)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= o->max_connections + SPARE)
        return o->max_connections;
    size_t most = files.rlim_cur > 2 * SPARE ? files.rlim_cur - SPARE : files.rlim_cur / 2;
    log_warn("fewer connections than max_connections", kn("descriptors", files.rlim_cur),
             kn("connections", most));
    return most;
}

struct conns *conns_new(struct worker *w, struct listener *l, struct request_parser *parser)
{
    struct conns *all = must_alloc(sizeof *all);
    all->worker = w;
    all->listener = l;
    all->parser = parser;
    all->limits.max_body = w->options->max_body;
    all->limits.max_connections = most_connections(w->options);
    list_init(&all->open);
    list_init(&all->doomed);
    heap_init(&all->deadlines);
    pool_init(&all->pool);
    watch_open(w->loop, &all->watch, l->fd, LOOP_READ, on_connect);
    return all;
}

static void conn_free(struct conn *c)
{
    list_remove(&c->node);
    no_deadline(c);
    watch_close(c->all->worker->loop, &c->watch);
    close(c->watch.fd);
    ship_drop(&c->ship);
    scan_fini(&c->scan);
    c->all->count--;
    pool_free(&c->all->pool, c, sizeof *c);
}

void conns_reap(struct conns *all)
{
    while (!list_is_empty(&all->doomed)) {
        struct conn *c = CONTAINER_OF(all->doomed.next, struct conn, node);
        void *owner = c->outlet.owner;
        if (owner) {
            const struct outlet_owner_ops *owner_ops = c->outlet.owner_ops;
            let_go(c);
            owner_ops->on_gone(owner);
        }
        conn_free(c);
    }
    if (!all->is_stopped && !conns_are_full(all))
        watch_set(all->worker->loop, &all->watch, LOOP_READ);
}

/* A body that does not come is answered; for the rest there is nobody to tell. */
static void on_deadline(struct conn *c)
{
    struct fault why;
    if (c->is_held) {
        release(c);
        return;
    }
    if (c->state != CONN_READING || c->scan.phase != SCAN_BODY) {
        c->all->worker->broken += c->state == CONN_READING && c->scan.phase == SCAN_HEAD;
        conn_doom(c);
        return;
    }
    fail(&why, REFUSE_SLOW_BODY, "body: not whole within body_timeout, %llu ms",
         (unsigned long long)c->all->worker->options->body_timeout);
    scan_refuse(&c->scan);
    refuse(c, &why);
}

void conns_tick(struct conns *all, Msec now)
{
    for (struct heap_node *top; (top = heap_top(&all->deadlines)) && top->key <= now;) {
        heap_remove(&all->deadlines, top);
        on_deadline(CONTAINER_OF(top, struct conn, deadline));
    }
}

void conns_stop(struct conns *all)
{
    for (int fd;
         !all->is_stopped && !conns_are_full(all) && (fd = listener_accept(all->listener)) >= 0;)
        accept_one(all, fd);
    all->is_stopped = true;
    watch_set(all->worker->loop, &all->watch, 0);
}

size_t conns_count(const struct conns *all)
{
    return all->count;
}

bool conns_are_idle(struct conns *all)
{
    struct list *node, *safe;
    bool is_quiet = loop_now(all->worker->loop) >= all->heard + QUIET;
    LIST_EACH(node, safe, &all->open)
    {
        const struct conn *c = CONTAINER_OF(node, struct conn, node);
        bool is_kept = c->state == CONN_READING && c->scan.phase == SCAN_IDLE;
        bool may_close = is_kept && is_quiet && !worker_has_heir(all->worker) && peek(c) <= 0;
        if (c->state != CONN_LINGER && !may_close)
            return false;
    }
    return true;
}

void conns_free(struct conns *all)
{
    if (!all)
        return;
    while (!list_is_empty(&all->open))
        conn_doom(CONTAINER_OF(all->open.next, struct conn, node));
    conns_reap(all);
    watch_close(all->worker->loop, &all->watch);
    heap_fini(&all->deadlines);
    pool_fini(&all->pool);
    free(all);
}
