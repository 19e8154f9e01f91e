#include "cable.h"

#include "base/log.h"
#include "wire/place.h"
#include "wire/refusal.h"

#include <stdio.h>
#include <stdlib.h>

enum { MESSAGES = 256, NAME = 16 };
#define SILENCE ((Msec)3000)

struct cable {
    struct worker *worker;
    struct socket_context *context;
    struct socket *socket;
    struct watch messages, changes;
    bool is_changed; /* the watch said so: asking ZeroMQ is a system call each time */
    Msec linked;     /* the link was up, or the connection made */
    int refusal;     /* that was said last; 0: none since the connection */
    char endpoint[PLACE_ENDPOINT];
};

static bool send_message(void *ctx, struct header header, struct buf *body)
{
    struct cable *c = ctx;
    char bytes[MESSAGE_HEADER];
    header_pack(bytes, header);
    struct frame *parts[] = {frame_copy(str_make(bytes, sizeof bytes)), frame_take(body)};
    enum socket_sent sent = socket_send(c->socket, parts, COUNT_OF(parts));
    frame_unref(parts[0]);
    frame_unref(parts[1]);
    return sent == SOCKET_SENT;
}

static void put_counters(void *ctx, struct buf *list)
{
    struct cable *c = ctx;
    worker_put_figures(c->worker, list);
}

/* That something came is all there is to know: the turn's end takes it in. */
static void on_readable(struct watch *w, int events)
{
    (void)w;
    (void)events;
}

static void on_change(struct watch *w, int events)
{
    (void)events;
    CONTAINER_OF(w, struct cable, changes)->is_changed = true;
}

static bool connect_socket(struct cable *c, struct fault *why)
{
    struct worker *w = c->worker;
    const struct socket_limits limits = {
        .high_water = 0, .max_message = 4 * (int64_t)w->options->max_body, .linger_ms = 500};
    c->is_changed = true;
    c->context = socket_context_new();
    c->socket = socket_open(c->context, SOCKET_DEALER, limits, why);
    if (!c->socket || !socket_watch(c->socket, why) ||
        !place_connect(c->socket, PLACE_HUB, w->options, c->endpoint, why))
        return false;
    watch_open(w->loop, &c->messages, socket_fd(c->socket), LOOP_READ, on_readable);
    watch_open(w->loop, &c->changes, socket_watch_fd(c->socket), LOOP_READ, on_change);
    return true;
}

struct cable *cable_open(struct worker *w, struct fault *why)
{
    char name[NAME];
    struct cable *c = must_alloc(sizeof *c);
    c->worker = w;
    snprintf(name, sizeof name, "w%u", w->number);
    w->link = link_new(w->options, str_of(name), (struct link_out){send_message, put_counters, c});
    if (connect_socket(c, why))
        return c;
    cable_close(c);
    return NULL;
}

/* It is tried again and again: each reason is said once. */
static void say_refused(struct cable *c)
{
    struct fault why;
    if (socket_is_agreed(c->socket, &why) || why.code == c->refusal)
        return;
    c->refusal = why.code;
    log_error("hub", kz("endpoint", c->endpoint), kz("reason", why.text));
}

static void take_changes(struct cable *c, Msec now)
{
    while (c->is_changed) {
        switch (socket_next_change(c->socket)) {
        case SOCKET_NO_CHANGE:
            c->is_changed = false;
            break;
        case SOCKET_REFUSED:
            say_refused(c);
            break;
        case SOCKET_CONNECTED:
            c->refusal = REFUSE_NOT;
            link_on_connected(c->worker->link, now);
            break;
        case SOCKET_DISCONNECTED:
            link_on_disconnected(c->worker->link, now);
            break;
        }
    }
}

void cable_tick(struct cable *c, Msec now)
{
    if (!c->linked || link_is_up(c->worker->link))
        c->linked = now;
    if (now - c->linked < SILENCE)
        return;
    socket_reconnect(c->socket, c->endpoint);
    c->linked = now;
}

void cable_drain(struct cable *c, Msec now)
{
    struct parcel p;
    take_changes(c, now);
    for (int i = 0; i < MESSAGES && socket_receive(c->socket, &p); i++) {
        if (p.n == 2)
            link_on_message(c->worker->link, frame_str(p.part[0]), frame_str(p.part[1]), now);
        parcel_fini(&p);
    }
}

bool cable_flush(struct cable *c, Msec now)
{
    link_flush(c->worker->link, now);
    return !socket_is_quiet(c->socket);
}

bool cable_wait(struct cable *c, int ms)
{
    bool ready = false;
    return socket_wait(&c->socket, 1, -1, ms, &ready, NULL) && ready;
}

void cable_greet(struct cable *c)
{
    c->is_changed = true; /* the loop may not have turned since */
    take_changes(c, clock_mono());
}

void cable_close(struct cable *c)
{
    if (!c)
        return;
    watch_close(c->worker->loop, &c->messages);
    watch_close(c->worker->loop, &c->changes);
    socket_close(c->socket);
    socket_context_free(c->context);
    free(c);
}
