#include "gate.h"

#include "base/log.h"
#include "wire/curve.h"
#include "wire/refusal.h"

#include <stdlib.h>

enum { KNOCKS = 256, LOOK_MS = 1000, SAY_MS = 10000 };

/* The frames of a question, by ZeroMQ's RFC 27. */
enum { VERSION, REQUEST, DOMAIN, ADDRESS, IDENTITY, MECHANISM, CREDENTIALS, QUESTION };

enum reason { UNKNOWN_KEY, WRONG_ROLE, NO_HANDSHAKE, REASONS };

static const char *const reasons[REASONS] = {
    [UNKNOWN_KEY] = "its key is not in curve_clients",
    [WRONG_ROLE] = "its key has no role for this socket",
    [NO_HANDSHAKE] = "it does not speak CURVE, or has another key for this hub",
};

static const unsigned roles[PLACES] = {
    [PLACE_HUB] = CURVE_WORKER, [PLACE_PUBLISH] = CURVE_PUBLISH, [PLACE_INTAKE] = CURVE_PUBLISH,
    [PLACE_TAP] = CURVE_TAP,    [PLACE_ADMIN] = CURVE_ADMIN,
};

struct gate {
    const struct options *options;
    struct socket *const *v;
    struct socket *zap;
    char endpoint[PLACES][PLACE_ENDPOINT];
    bool is_away[PLACES]; /* from its address, while it is bound anew */
    struct curve_clients *clients;
    struct stamp stamp;
    Msec looked, cut; /* or when a cut that does not succeed was said last */
    uint64_t refused;
    struct {
        Msec at; /* when it was said last */
        uint64_t unsaid;
    } said[REASONS];
};

static bool open_place(struct gate *g, enum place p, const char *secret, struct fault *why)
{
    return place_tcp(p, "listen", g->options->listen, g->endpoint[p], why) &&
           socket_serve_keys(g->v[p], secret, place_name(p), why) && socket_watch(g->v[p], why) &&
           socket_bind(g->v[p], g->endpoint[p], -1, why);
}

static bool read_files(struct gate *g, char secret[CURVE_TEXT], struct fault *why)
{
    const struct options *o = g->options;
    struct fault from;
    if (!o->curve_key[0] || !o->curve_clients[0])
        return fail(why, REFUSE_CONFIG,
                    "listen: tcp:// is spoken with CURVE keys alone: %s is not set (see belfry "
                    "keygen --help)",
                    o->curve_key[0] ? "curve_clients" : "curve_key");
    if (!curve_read_secret(o->curve_key, secret, &from))
        return fail(why, REFUSE_CONFIG, "curve_key: %.200s", from.text);
    g->clients = curve_clients_read(o->curve_clients, &g->stamp, &from);
    return g->clients || fail(why, REFUSE_CONFIG, "curve_clients: %.200s", from.text);
}

bool gate_check(const struct options *o, struct fault *why)
{
    struct gate g = {.options = o};
    char endpoint[PLACE_ENDPOINT], secret[CURVE_TEXT] = "";
    bool ok = !o->listen[0] || (place_tcp(PLACE_HUB, "listen", o->listen, endpoint, why) &&
                                read_files(&g, secret, why));
    explicit_bzero(secret, sizeof secret);
    curve_clients_free(g.clients);
    return ok;
}

/* Who answers for the keys is there before the first can knock: ZeroMQ lets in whom nobody asks
 * for. */
static bool open_all(struct gate *g, struct socket_context *c, struct fault *why)
{
    char secret[CURVE_TEXT];
    const struct socket_limits limits = {.max_message = -1};
    bool ok = read_files(g, secret, why) && (g->zap = socket_open(c, SOCKET_REP, limits, why)) &&
              socket_bind(g->zap, "inproc://zeromq.zap.01", -1, why);
    for (enum place p = PLACE_HUB; ok && p < PLACES; p++)
        ok = open_place(g, p, secret, why);
    explicit_bzero(secret, sizeof secret);
    return ok;
}

struct gate *gate_open(const struct options *o, struct socket_context *c, struct socket *const *v,
                       struct fault *why)
{
    struct gate *g = must_alloc(sizeof *g);
    g->options = o;
    g->v = v;
    if (open_all(g, c, why)) {
        log_info("gate", kz("listen", o->listen), kn("keys", curve_clients_len(g->clients)));
        return g;
    }
    gate_close(g);
    return NULL;
}

void gate_close(struct gate *g)
{
    if (!g)
        return;
    socket_close(g->zap);
    curve_clients_free(g->clients);
    free(g);
}

struct socket *gate_socket(const struct gate *g)
{
    return g->zap;
}

const char *gate_endpoint(const struct gate *g, enum place p)
{
    return g->endpoint[p];
}

/* Whoever is refused tries again and again. */
static void refuse(struct gate *g, enum reason why, const char *place, Str address, const char *key,
                   Msec now)
{
    g->refused++;
    if (g->said[why].at && now - g->said[why].at < SAY_MS) {
        g->said[why].unsaid++;
        return;
    }
    log_warn("peer refused", kz("socket", place), kv("address", address), kz("key", key),
             kz("reason", reasons[why]), kn("unsaid", g->said[why].unsaid));
    g->said[why].at = now;
    g->said[why].unsaid = 0;
}

static bool may_enter(struct gate *g, const Str question[QUESTION], Msec now)
{
    CurveKey key;
    char text[CURVE_TEXT];
    enum place p = PLACE_HUB;
    while (p < PLACES && !str_eq(question[DOMAIN], str_of(place_name(p))))
        p++;
    if (p == PLACES || !str_eq(question[MECHANISM], STR("CURVE")) ||
        question[CREDENTIALS].len != sizeof key.at)
        return false;
    memcpy(key.at, question[CREDENTIALS].p, sizeof key.at);
    unsigned has = curve_clients_roles(g->clients, key);
    if (has & roles[p])
        return true;
    refuse(g, has ? WRONG_ROLE : UNKNOWN_KEY, place_name(p), question[ADDRESS],
           curve_print(key, text), now);
    return false;
}

void gate_turn(struct gate *g, Msec now)
{
    struct parcel asked;
    for (int i = 0; i < KNOCKS && socket_receive(g->zap, &asked); i++) {
        Str question[SOCKET_PARTS] = {{NULL, 0}};
        for (size_t k = 0; k < asked.n && k < SOCKET_PARTS; k++)
            question[k] = frame_str(asked.part[k]);
        bool ok = may_enter(g, question, now);
        const Str answer[] = {STR("1.0"), question[REQUEST], ok ? STR("200") : STR("400"),
                              STR(""),    STR(""),           STR("")};
        (void)socket_send_strs(g->zap, answer, COUNT_OF(answer));
        parcel_fini(&asked);
    }
}

/* The stamp of what was refused is kept, so that it is said once. */
static void read_again(struct gate *g, struct stamp stamp, Msec now)
{
    struct fault why;
    g->stamp = stamp;
    struct curve_clients *fresh = curve_clients_read(g->options->curve_clients, &g->stamp, &why);
    if (!fresh) {
        log_error("curve_clients", kz("reason", why.text), kz("kept", "those of before"));
        return;
    }
    bool is_less = !curve_clients_keep(fresh, g->clients);
    curve_clients_free(g->clients);
    g->clients = fresh;
    for (enum place p = PLACE_HUB; p < PLACES; p++)
        g->is_away[p] |= is_less;
    g->cut = now;
    log_info("curve_clients", kn("keys", curve_clients_len(fresh)),
             kz("connections", is_less ? "cut" : "kept"));
}

/* ZeroMQ has no way to cut off one peer: all that came over tcp are, and knock again. Its thread
 * lets go of an address somewhat later than it says. */
static void cut_all(struct gate *g, Msec now)
{
    struct fault why;
    for (enum place p = PLACE_HUB; p < PLACES; p++) {
        if (!g->is_away[p])
            continue;
        g->is_away[p] = !socket_bind_again(g->v[p], g->endpoint[p], &why);
        if (!g->is_away[p] || now - g->cut < SAY_MS)
            continue;
        g->cut = now;
        log_error("gate", kz("reason", why.text));
    }
}

uint64_t gate_tick(struct gate *g, Msec now)
{
    struct stat s;
    enum socket_change change;
    for (enum place p = PLACE_HUB; p < PLACES; p++)
        while ((change = socket_next_change(g->v[p])) != SOCKET_NO_CHANGE)
            if (change == SOCKET_REFUSED)
                refuse(g, NO_HANDSHAKE, place_name(p), STR_NONE, "", now);
    if (now - g->looked >= LOOK_MS) {
        g->looked = now;
        if (stat(g->options->curve_clients, &s) == 0 && !stamp_is_same(stamp_of(&s), g->stamp))
            read_again(g, stamp_of(&s), now);
    }
    cut_all(g, now);
    uint64_t refused = g->refused;
    g->refused = 0;
    return refused;
}
