#include "courier.h"

#include "advice.h"
#include "base/file.h"
#include "base/list.h"
#include "wire/curve.h"
#include "wire/fetch.h"
#include "wire/hooking.h"
#include "wire/jwt.h"
#include "wire/refusal.h"
#include "wire/socket.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SECRET_MAX = 4096, HEADER_MAX = 160, DRAIN = 256, WAITING = 1000, REPLY_PARTS = 3 };

/* One that is under way. */
struct delivery {
    struct list node;
    uint64_t id;
    struct fetch *fetch; /* HTTP */
    Msec until;          /* ZeroMQ: nothing more is expected of it */
    bool is_lost;        /* it could not even be sent */
};

struct courier {
    const struct options *options;
    struct list under_way;
    struct fetcher *fetcher; /* HTTP */
    struct buf secret;       /* by which it is signed; empty: it is not */
    struct socket *socket;   /* ZeroMQ */
};

static bool read_secret(struct courier *c, struct fault *why)
{
    struct fault own;
    if (!c->options->hook_secret[0])
        return true;
    if (!file_read(c->options->hook_secret, &c->secret, NULL, &own))
        return fail(why, REFUSE_CONFIG, "hook_secret: %.200s", own.text);
    Str secret = str_trim(buf_str(&c->secret));
    buf_drop(&c->secret, (size_t)(secret.p - c->secret.p));
    c->secret.len = secret.len;
    return secret.len >= JWT_SECRET_MIN ||
           fail(why, REFUSE_CONFIG, "hook_secret: %.100s has %zu bytes, at least %d are needed",
                c->options->hook_secret, secret.len, JWT_SECRET_MIN);
}

static bool use_keys(struct courier *c, struct fault *why)
{
    const struct options *o = c->options;
    char own[CURVE_TEXT], server[CURVE_TEXT];
    struct fault from;
    if (!str_starts(str_of(o->hook), STR("tcp://")))
        return true;
    if (!o->curve_key[0] || !o->hook_server[0])
        return fail(
            why, REFUSE_CONFIG,
            "hook: tcp:// is spoken with CURVE keys alone: %s is not set (see belfry keygen "
            "--help)",
            o->curve_key[0] ? "hook_server" : "curve_key");
    bool ok = curve_read_secret(o->curve_key, own, &from) &&
              curve_read_public(o->hook_server, server, &from);
    if (!ok)
        fail(why, REFUSE_CONFIG, "hook: %.200s", from.text);
    ok = ok && socket_use_keys(c->socket, own, server, why);
    explicit_bzero(own, sizeof own);
    return ok;
}

static bool open_socket(struct courier *c, struct socket_context *context, struct fault *why)
{
    c->socket = socket_open(
        context, SOCKET_DEALER,
        (struct socket_limits){.high_water = WAITING, .max_message = ADVICE_BYTES}, why);
    return c->socket && use_keys(c, why) && socket_watch(c->socket, why) &&
           socket_connect(c->socket, c->options->hook, why);
}

struct courier *courier_open(const struct options *o, struct socket_context *context,
                             struct fault *why)
{
    struct courier *c = must_alloc(sizeof *c);
    c->options = o;
    list_init(&c->under_way);
    buf_init(&c->secret, SECRET_MAX);
    if (hook_is_http(o))
        c->fetcher = fetcher_new();
    if (hook_is_http(o) ? read_secret(c, why) : open_socket(c, context, why))
        return c;
    courier_close(c);
    return NULL;
}

static void drop(struct delivery *d)
{
    list_remove(&d->node);
    fetch_stop(d->fetch);
    free(d);
}

void courier_close(struct courier *c)
{
    if (!c)
        return;
    while (!list_is_empty(&c->under_way))
        drop(CONTAINER_OF(c->under_way.next, struct delivery, node));
    fetcher_free(c->fetcher);
    socket_close(c->socket);
    if (c->secret.p)
        explicit_bzero(c->secret.p, c->secret.len);
    buf_fini(&c->secret);
    free(c);
}

/* Belfry-Signature: t=SECONDS,v1=HMAC of "SECONDS.BODY": an old request cannot be shown again. */
static void sign(const struct courier *c, Str text, char header[HEADER_MAX])
{
    char mac[JWT_DIGEST];
    struct buf signed_text;
    Msec now = clock_wall() / 1000;
    int n = snprintf(header, HEADER_MAX, "Belfry-Signature: t=%" PRIu64 ",v1=", now);
    buf_init(&signed_text, text.len + HEADER_MAX);
    buf_printf(&signed_text, "%" PRIu64 ".", now);
    buf_put(&signed_text, text);
    jwt_hmac(buf_str(&c->secret), buf_str(&signed_text), mac);
    buf_fini(&signed_text);
    for (size_t i = 0; i < sizeof mac; i++)
        n += snprintf(header + n, (size_t)(HEADER_MAX - n), "%02x", (unsigned char)mac[i]);
}

static void post(struct courier *c, struct delivery *d, Str text)
{
    char header[HEADER_MAX];
    struct fetch_ask ask = {
        .method = "POST",
        .url = c->options->hook,
        .accept = "application/json",
        .body = text,
        .most = ADVICE_BYTES,
        .timeout = c->options->hook_timeout,
        .is_direct = true,
    };
    if (c->secret.len) {
        sign(c, text, header);
        ask.header = header;
    }
    d->fetch = fetch_start(c->fetcher, &ask);
}

/* A REP sees the text alone; a ROUTER gets number, empty, text, and gives the first two back. */
static void send_parts(struct courier *c, struct delivery *d, Str text)
{
    char id[sizeof d->id];
    memcpy(id, &d->id, sizeof id);
    Str parts[REPLY_PARTS] = {str_make(id, sizeof id), STR_NONE, text};
    d->until = clock_mono() + c->options->hook_timeout;
    d->is_lost = socket_send_strs(c->socket, parts, COUNT_OF(parts)) != SOCKET_SENT;
}

void courier_send(struct courier *c, uint64_t id, Str text)
{
    struct delivery *d = must_alloc(sizeof *d);
    d->id = id;
    list_append(&c->under_way, &d->node);
    if (c->fetcher)
        post(c, d, text);
    else
        send_parts(c, d, text);
}

/* What is not 2xx is no answer; of a notice nobody reads the body. */
static bool is_good(const struct fetch *one, struct fault *why)
{
    const char *error = fetch_error(one);
    if (error)
        return fail(why, REFUSE_HOOK_AWAY, "hook: %.200s", error);
    return fetch_status(one) / 100 == 2 ||
           fail(why, REFUSE_HOOK_AWAY, "hook: status %ld", fetch_status(one));
}

static void take_fetches(struct courier *c, struct hub *h, Now now)
{
    struct list *node, *safe;
    fetcher_turn(c->fetcher, 0);
    LIST_EACH(node, safe, &c->under_way)
    {
        struct delivery *d = CONTAINER_OF(node, struct delivery, node);
        struct fault why;
        if (!fetch_is_over(d->fetch))
            continue;
        bool ok = is_good(d->fetch, &why);
        hub_on_hook(h, d->id, fetch_body(d->fetch), ok ? NULL : &why, now);
        drop(d);
    }
}

static struct delivery *find(const struct courier *c, Str id)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &c->under_way)
    {
        struct delivery *d = CONTAINER_OF(node, struct delivery, node);
        if (id.len == sizeof d->id && memcmp(id.p, &d->id, sizeof d->id) == 0)
            return d;
    }
    return NULL;
}

static void take_replies(struct courier *c, struct hub *h, Now now)
{
    struct parcel p;
    for (int i = 0; i < DRAIN && socket_receive(c->socket, &p); i++) {
        struct delivery *d = p.n == REPLY_PARTS ? find(c, frame_str(p.part[0])) : NULL;
        if (d) {
            hub_on_hook(h, d->id, frame_str(p.part[REPLY_PARTS - 1]), NULL, now);
            drop(d);
        }
        parcel_fini(&p);
    }
}

static void take_losses(struct courier *c, struct hub *h, Now now)
{
    static const struct fault away = {REFUSE_HOOK_AWAY, "hook: nobody is there"},
                              late = {REFUSE_HOOK_AWAY, "hook: no answer in hook_timeout"};
    struct list *node, *safe;
    LIST_EACH(node, safe, &c->under_way)
    {
        struct delivery *d = CONTAINER_OF(node, struct delivery, node);
        if (!d->is_lost && d->until > now.mono)
            continue;
        hub_on_hook(h, d->id, STR_NONE, d->is_lost ? &away : &late, now);
        drop(d);
    }
}

/* A peer that broke ZeroMQ's rules (its reply was too long) is never connected to again by itself.
 */
static void take_changes(struct courier *c)
{
    enum socket_change change;
    while ((change = socket_next_change(c->socket)) != SOCKET_NO_CHANGE)
        if (change == SOCKET_DISCONNECTED)
            socket_reconnect(c->socket, c->options->hook);
}

void courier_turn(struct courier *c, struct hub *h, Now now)
{
    if (c->fetcher) {
        take_fetches(c, h, now);
        return;
    }
    take_changes(c);
    take_replies(c, h, now);
    take_losses(c, h, now);
}

int courier_fd(struct courier *c, int other)
{
    return c->fetcher ? fetcher_fd(c->fetcher, other) : other;
}

struct socket *courier_socket(struct courier *c)
{
    return c->socket;
}
