#include "door.h"

#include "base/log.h"
#include "base/notify.h"
#include "courier.h"
#include "gate.h"
#include "wire/hooking.h"
#include "wire/refusal.h"
#include "wire/socket.h"

#include <grp.h>
#include <stdlib.h>

enum {
    DRAIN = 256, /* messages of one socket in a turn */
    DONE = 4096, /* operations of the journal in a turn */
    TICK_MS = 100,
    STOP_MS = 10000,  /* how long a stop waits for the journal */
    STUCK_MS = 30000, /* publishes that wait so long: the journal does not get on */
    ANSWERS = 65536,  /* that wait for one publisher who does not read them */
    WAITING = 1000,   /* messages of the other sockets; and publishes of one that are unread */
    BODIES = 4,       /* ZeroMQ's own limit, in max_body */
};

static const struct {
    enum socket_kind kind;
    int high_water, inwards;
} places[PLACES] = {
    [PLACE_HUB] = {SOCKET_ROUTER, 0, 0},
    [PLACE_PUBLISH] = {SOCKET_ROUTER, ANSWERS, WAITING},
    [PLACE_INTAKE] = {SOCKET_PULL, WAITING, 0},
    [PLACE_TAP] = {SOCKET_XPUB, WAITING, 0},
    [PLACE_ADMIN] = {SOCKET_ROUTER, WAITING, 0},
};

struct door {
    const struct options *o;
    struct socket_context *context;
    struct socket *v[PLACES];
    char endpoint[PLACES][PLACE_ENDPOINT];
    struct gate *gate;       /* NULL: nobody comes over tcp */
    struct courier *courier; /* NULL: there is no application */
    struct hub *hub;         /* while the loop runs */
    Now now;
    bool is_knocked; /* at the gate */
    bool is_tapped;  /* somebody listened once */
    Msec ticked, answered, petted, tidy_at;
    bool ready[PLACES]; /* asking ZeroMQ for what is not there is a system call each time */
};

Now door_now(void)
{
    return (Now){clock_mono(), clock_wall()};
}

static bool send_to_link(void *ctx, Str peer, Str header, struct frame *body)
{
    struct door *d = ctx;
    if (!d->v[PLACE_HUB])
        return false;
    struct frame *parts[] = {frame_copy(peer), frame_copy(header), body};
    enum socket_sent sent = socket_send(d->v[PLACE_HUB], parts, COUNT_OF(parts));
    frame_unref(parts[0]);
    frame_unref(parts[1]);
    return sent != SOCKET_GONE;
}

static void send_answer(void *ctx, enum tool tool, Str peer, const Str *said, size_t n)
{
    struct door *d = ctx;
    struct socket *s = d->v[tool == TOOL_ADMIN ? PLACE_ADMIN : PLACE_PUBLISH];
    Str parts[SOCKET_PARTS] = {peer};
    for (size_t i = 0; i < n && i + 1 < SOCKET_PARTS; i++)
        parts[i + 1] = said[i];
    if (s && socket_send_strs(s, parts, n + 1) == SOCKET_FULL)
        log_warn("answer dropped", kz("socket", tool == TOOL_ADMIN ? "admin" : "publish"));
}

static void send_tap(void *ctx, const struct event *e)
{
    struct door *d = ctx;
    char id[CURSOR_TEXT];
    if (!d->is_tapped)
        return;
    Str parts[] = {e->channel, cursor_print(e->id, id), e->name, e->data};
    (void)socket_send_strs(d->v[PLACE_TAP], parts, COUNT_OF(parts));
}

static void send_hook(void *ctx, uint64_t id, Str text)
{
    struct door *d = ctx;
    courier_send(d->courier, id, text); /* the hub says nothing where there is none */
}

struct door *door_new(const struct options *o)
{
    struct door *d = must_alloc(sizeof *d);
    d->o = o;
    d->context = socket_context_new();
    return d;
}

struct hub_out door_out(struct door *d)
{
    return (struct hub_out){d, send_to_link, send_answer, send_tap, send_hook};
}

static bool find_group(const char *name, int *group, struct fault *why)
{
    *group = -1;
    if (!name || !name[0])
        return true;
    const struct group *g = getgrnam(name);
    if (!g)
        return fail(why, REFUSE_CONFIG, "group: \"%s\" is not there", name);
    *group = (int)g->gr_gid;
    return true;
}

bool door_check(const struct options *o, struct fault *why)
{
    int group;
    return find_group(o->group, &group, why) && gate_check(o, why) && hook_check(o, why);
}

static bool open_place(struct door *d, enum place i, int group, struct fault *why)
{
    struct socket_limits limits = {.high_water = places[i].high_water,
                                   .inwards = places[i].inwards,
                                   .max_message = (int64_t)(d->o->max_body * BODIES)};
    if (!place_ipc(i, d->o, d->endpoint[i], why))
        return false;
    d->v[i] = socket_open(d->context, places[i].kind, limits, why);
    return d->v[i] && socket_bind(d->v[i], d->endpoint[i], group, why);
}

bool door_open(struct door *d, struct fault *why)
{
    int group;
    if (!find_group(d->o->group, &group, why))
        return false;
    for (enum place i = PLACE_HUB; i < PLACES; i++)
        if (!open_place(d, i, group, why))
            return false;
    if (d->o->listen[0])
        d->gate = gate_open(d->o, d->context, d->v, why);
    if (d->o->listen[0] && !d->gate)
        return false;
    if (hook_is_on(d->o))
        d->courier = courier_open(d->o, d->context, why);
    return d->courier || !hook_is_on(d->o);
}

void door_close(struct door *d)
{
    if (!d)
        return;
    for (enum place i = PLACE_HUB; i < PLACES; i++)
        socket_close(d->v[i]);
    gate_close(d->gate);
    courier_close(d->courier);
    socket_context_free(d->context);
    free(d);
}

void door_announce(const struct door *d)
{
    fputs("ready", stderr);
    for (enum place i = PLACE_HUB; i < PLACES; i++)
        fprintf(stderr, " %s=%s", place_name(i), d->endpoint[i]);
    if (d->gate)
        fprintf(stderr, " listen=%s", gate_endpoint(d->gate, PLACE_HUB));
    fputc('\n', stderr);
}

static void hand_in(struct door *d, enum place i, const Str *v, size_t n)
{
    if (i == PLACE_INTAKE)
        hub_on_intake(d->hub, v, n, d->now);
    else if (i == PLACE_HUB)
        hub_on_message(d->hub, v[0], n == 3 ? v[1] : STR_NONE, n == 3 ? v[2] : STR_NONE, d->now);
    else if (i == PLACE_PUBLISH)
        hub_on_publish(d->hub, v[0], v + 1, n - 1, d->now);
    else
        hub_on_admin(d->hub, v[0], v + 1, n - 1, d->now);
}

/* True: there may be more. */
static bool drain(struct door *d, enum place i)
{
    struct parcel parcel;
    for (int k = 0; d->ready[i] && k < DRAIN; k++) {
        if (((i == PLACE_PUBLISH || i == PLACE_INTAKE) && hub_is_full(d->hub)) ||
            !socket_receive(d->v[i], &parcel))
            return false;
        Str v[SOCKET_PARTS] = {{NULL, 0}};
        size_t n = parcel.n < SOCKET_PARTS ? parcel.n : SOCKET_PARTS;
        for (size_t part = 0; part < n; part++)
            v[part] = frame_str(parcel.part[part]);
        hand_in(d, i, v, n);
        parcel_fini(&parcel);
    }
    return d->ready[i];
}

static bool take_done(struct door *d, struct journal *j)
{
    for (int i = 0; i < DONE; i++) {
        struct op *op = j->ops->take(j);
        if (!op)
            return false;
        if (op->kind == OP_APPEND) /* reads come back also while the disk hangs */
            d->answered = d->now.mono;
        hub_on_done(d->hub, op, d->now);
    }
    return true;
}

/* True: there is more to do at once. */
static bool turn(struct door *d, struct journal *j)
{
    d->now = door_now();
    bool more = take_done(d, j);
    if (d->is_knocked)
        gate_turn(d->gate, d->now.mono);
    more |= drain(d, PLACE_HUB);
    more |= drain(d, PLACE_PUBLISH);
    more |= drain(d, PLACE_INTAKE);
    more |= drain(d, PLACE_ADMIN);
    if (d->ready[PLACE_TAP])
        d->is_tapped = socket_was_listened_to(d->v[PLACE_TAP], DRAIN);
    if (d->courier)
        courier_turn(d->courier, d->hub, d->now);
    if (d->now.mono >= d->ticked + TICK_MS) {
        d->ticked = d->now.mono;
        hub_tick(d->hub, d->now);
        memory_tidy(d->now.mono, &d->tidy_at);
        if (d->gate)
            hub_on_turned_away(d->hub, gate_tick(d->gate, d->now.mono));
    }
    return hub_turn(d->hub, d->now) || more;
}

/* Only while publishes come back does the process count as alive. */
static void pet_watchdog(struct door *d, Msec interval)
{
    if (!hub_is_waiting(d->hub))
        d->answered = d->now.mono;
    if (!interval || d->now.mono < d->petted + interval || d->now.mono > d->answered + STUCK_MS)
        return;
    d->petted = d->now.mono;
    notify_watchdog();
}

static void rest(struct door *d, int fd, bool more)
{
    struct socket *v[PLACES + 2], *hook = d->courier ? courier_socket(d->courier) : NULL;
    enum place which[PLACES];
    bool ready[PLACES + 2], fd_ready;
    size_t n = 0;
    for (enum place i = PLACE_HUB; i < PLACES; i++) {
        d->ready[i] = false;
        if (hub_is_full(d->hub) && (i == PLACE_PUBLISH || i == PLACE_INTAKE))
            continue;
        which[n] = i;
        v[n++] = d->v[i];
    }
    size_t knocks = n;
    if (d->gate)
        v[n++] = gate_socket(d->gate);
    if (hook)
        v[n++] = hook;
    (void)socket_wait(v, n, fd, more ? 0 : TICK_MS, ready, &fd_ready);
    d->is_knocked = d->gate && ready[knocks];
    for (size_t i = 0; i < knocks; i++)
        d->ready[which[i]] = ready[i];
}

void door_loop(struct door *d, struct hub *h, struct journal *j, const volatile sig_atomic_t *stop)
{
    Msec interval = notify_interval(), until = 0;
    int fd = d->courier ? courier_fd(d->courier, j->ops->fd(j)) : j->ops->fd(j);
    d->hub = h;
    d->now = door_now();
    d->answered = d->now.mono;
    while (!j->ops->is_broken(j)) {
        bool more = turn(d, j);
        pet_watchdog(d, interval);
        if (*stop && !until) {
            until = d->now.mono + STOP_MS;
            notify_stopping();
            hub_stop(h, d->now);
            continue;
        }
        if (until && (hub_is_stopped(h) || d->now.mono >= until))
            return;
        rest(d, fd, more);
    }
}
