#include "cli/local.h"

#include "wire/refusal.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define RETRY_MS 20 /* connected, but the socket does not take it yet */

bool local_open(struct local *l, const struct options *o, enum place place, enum socket_kind kind,
                struct socket_limits limits, struct fault *why)
{
    *l = (struct local){0};
    l->context = socket_context_new();
    l->socket = socket_open(l->context, kind, limits, why);
    if (l->socket && socket_watch(l->socket, why) &&
        place_connect(l->socket, place, o, l->endpoint, why))
        return true;
    local_close(l);
    return false;
}

void local_close(struct local *l)
{
    if (l->socket)
        socket_close(l->socket);
    if (l->context)
        socket_context_free(l->context);
    *l = (struct local){0};
}

bool local_away(const struct local *l, struct fault *why)
{
    struct fault refusal;
    const char *path = l->endpoint + strlen("ipc://");
    if (!socket_is_agreed(l->socket, &refusal))
        return fail(why, refusal.code, "%s: %.150s", l->endpoint, refusal.text);
    if (!str_starts(str_of(l->endpoint), STR("ipc://")))
        return fail(why, REFUSE_HUB_AWAY, "no hub answers at %s", l->endpoint);
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return fail(why, REFUSE_HUB_AWAY, "no hub: there is no %s (is belfryd running? see --run)",
                    path);
    if (access(path, R_OK | W_OK) != 0)
        return fail(why, REFUSE_FORBIDDEN, "%s: %s (members of the hub's group may)", path,
                    strerror(errno));
    return fail(why, REFUSE_HUB_AWAY, "the hub does not answer at %s", path);
}

static void look(struct local *l)
{
    enum socket_change change;
    while ((change = socket_next_change(l->socket)) != SOCKET_NO_CHANGE)
        l->is_lost |= change == SOCKET_DISCONNECTED && l->awaited;
}

void local_forget(struct local *l)
{
    look(l);
    l->awaited = 0;
    l->is_lost = false;
}

static void wait(struct local *l, size_t sockets, Msec ms)
{
    bool ready, is_changed;
    socket_wait(&l->socket, sockets, socket_watch_fd(l->socket),
                ms > INT32_MAX ? INT32_MAX : (int)ms, &ready, &is_changed);
}

static bool lost(struct fault *why)
{
    return fail(why, REFUSE_UNKNOWN_OUTCOME, "the hub went away before it answered");
}

bool local_send(struct local *l, const Str *parts, size_t n, Msec ms, struct fault *why)
{
    Msec end = clock_mono() + ms;
    for (;;) {
        look(l);
        if (l->is_lost)
            return lost(why);
        if (socket_send_strs(l->socket, parts, n) == SOCKET_SENT) {
            l->awaited++;
            return true;
        }
        Msec now = clock_mono();
        if (now >= end)
            return local_away(l, why);
        wait(l, 0, end - now < RETRY_MS ? end - now : RETRY_MS);
    }
}

bool local_take(struct local *l, struct parcel *out)
{
    look(l);
    if (!l->awaited || !socket_receive(l->socket, out))
        return false;
    l->awaited--;
    return true;
}

bool local_receive(struct local *l, struct parcel *out, Msec ms, struct fault *why)
{
    Msec end = clock_mono() + ms;
    for (;;) {
        bool is_lost = l->is_lost; /* then everything that will ever come is here */
        if (local_take(l, out))
            return true;
        if (is_lost)
            return lost(why);
        Msec now = clock_mono();
        if (now >= end)
            return fail(why, REFUSE_UNKNOWN_OUTCOME, "no answer from the hub within %llu ms",
                        (unsigned long long)ms);
        wait(l, 1, l->is_lost ? 0 : end - now);
    }
}
