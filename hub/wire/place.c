#include "wire/place.h"

#include "wire/curve.h"
#include "wire/refusal.h"

#include <stdio.h>

static const char *const names[PLACES] = {"hub", "publish", "intake", "tap", "admin"};

const char *place_name(enum place p)
{
    return names[p];
}

bool place_ipc(enum place p, const struct options *o, char out[PLACE_ENDPOINT], struct fault *why)
{
    int n = snprintf(out, PLACE_ENDPOINT, "ipc://%s/%s.ipc", o->run, names[p]);
    return n < PLACE_ENDPOINT ||
           fail(why, REFUSE_CONFIG, "run: the path of %s.ipc is too long for a socket", names[p]);
}

bool place_tcp(enum place p, const char *name, const char *base, char out[PLACE_ENDPOINT],
               struct fault *why)
{
    uint64_t port = 0;
    const char *colon = strrchr(base, ':');
    bool ok = str_starts(str_of(base), STR("tcp://")) && colon > base + strlen("tcp://") &&
              str_to_u64(str_of(colon + 1), &port) && port && port + PLACES - 1 <= UINT16_MAX;
    int n =
        ok ? snprintf(out, PLACE_ENDPOINT, "%.*s:%u", (int)(colon - base), base, (unsigned)port + p)
           : 0;
    return (ok && n < PLACE_ENDPOINT) ||
           fail(why, REFUSE_CONFIG,
                "%s: \"%.100s\" is no tcp://HOST:PORT with a port from 1 to %d (the next %d are "
                "taken too)",
                name, base, UINT16_MAX - PLACES + 1, PLACES - 1);
}

static bool read_keys(const struct options *o, char own[CURVE_TEXT], char server[CURVE_TEXT],
                      struct fault *why)
{
    struct fault from;
    if (!o->curve_key[0] || !o->curve_server[0])
        return fail(why, REFUSE_CONFIG,
                    "hub: tcp:// is spoken with CURVE keys alone: %s is not set (see belfry keygen "
                    "--help)",
                    o->curve_key[0] ? "curve_server" : "curve_key");
    if (!curve_read_secret(o->curve_key, own, &from))
        return fail(why, REFUSE_CONFIG, "curve_key: %.200s", from.text);
    if (!curve_read_public(o->curve_server, server, &from))
        return fail(why, REFUSE_CONFIG, "curve_server: %.200s", from.text);
    return true;
}

static bool connect_tcp(struct socket *s, enum place p, const struct options *o,
                        char out[PLACE_ENDPOINT], struct fault *why)
{
    char own[CURVE_TEXT], server[CURVE_TEXT];
    bool ok = place_tcp(p, "hub", o->hub, out, why) && read_keys(o, own, server, why) &&
              socket_use_keys(s, own, server, why) && socket_connect(s, out, why);
    explicit_bzero(own, sizeof own);
    return ok;
}

bool place_connect(struct socket *s, enum place p, const struct options *o,
                   char out[PLACE_ENDPOINT], struct fault *why)
{
    if (o->hub[0])
        return connect_tcp(s, p, o, out, why);
    return place_ipc(p, o, out, why) && socket_connect(s, out, why);
}

bool place_check(const struct options *o, struct fault *why)
{
    char endpoint[PLACE_ENDPOINT], own[CURVE_TEXT], server[CURVE_TEXT];
    if (!o->hub[0])
        return true;
    bool ok = place_tcp(PLACE_HUB, "hub", o->hub, endpoint, why) && read_keys(o, own, server, why);
    explicit_bzero(own, sizeof own);
    return ok;
}
