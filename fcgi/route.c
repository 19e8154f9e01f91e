#include "route.h"

#include "asset.h"
#include "base/log.h"
#include "consult.h"
#include "held.h"
#include "history.h"
#include "opening.h"
#include "refresh.h"
#include "send.h"
#include "state.h"
#include "subscribe.h"
#include "ticket.h"
#include "who.h"
#include "wire/names.h"
#include "wire/refusal.h"

enum { PARTS_MAX = ROUTE_MOUNT_PARTS + 2, PATH_MAX_BYTES = 8192 }; /* /user/NAME is the longest */

static const struct route routes[] = {
    {"", "GET", opening_stream, RATE_CONNECTS, false},
    {"poll", "GET", opening_poll, RATE_CONNECTS, false},
    {"subscribe", "POST", subscribe_add, RATE_SUBSCRIBES, false},
    {"unsubscribe", "POST", subscribe_remove, RATE_SUBSCRIBES, false},
    {"send", "POST", send_publish, RATE_PUBLISHES, false},
    {"history", "GET", history_page, RATE_HISTORY, false},
    {"health", "GET", state_health, RATE_COUNT, true},
    {"ready", "GET", state_ready, RATE_COUNT, true},
    {"metrics", "GET", state_metrics, RATE_COUNT, true},
    {"presence", "GET", who_page, RATE_HISTORY, false},
    {"refresh", "POST", refresh_token, RATE_SUBSCRIBES, false},
    {"ticket", "POST", ticket_give, RATE_CONNECTS, false},
    {"client.js", "GET", NULL, RATE_COUNT, false}, /* where it was not built in */
};
static const struct route stream_route = {"NAME", "GET", opening_stream, RATE_CONNECTS, false};
static const struct route asset_route = {"FILE", "GET", asset_serve, RATE_COUNT, true};

struct path {
    size_t n;
    Str part[PARTS_MAX];
    struct buf memory;
};

static bool is_part(Str part, struct fault *why)
{
    if (str_has_control(part) || !str_is_utf8(part))
        return fail(why, REFUSE_MALFORMED, "path: has control characters or is not UTF-8");
    return true;
}

/* Parts are decoded once each, so that an encoded slash stays a part of its part. */
static bool path_split(struct path *p, Str text, bool is_decoded, struct fault *why)
{
    p->n = 0;
    if (text.len > PATH_MAX_BYTES)
        return fail(why, REFUSE_NOT_FOUND, "path: more than %d bytes", PATH_MAX_BYTES);
    buf_init(&p->memory, PATH_MAX_BYTES);
    buf_room(&p->memory, text.len); /* decoding makes it no longer, so it never moves */
    for (Str piece; str_cut(&text, '/', &piece);) {
        size_t at = p->memory.len;
        if (!piece.len)
            continue;
        if (p->n == PARTS_MAX)
            return fail(why, REFUSE_NOT_FOUND, "path: more than %d parts", PARTS_MAX);
        if (is_decoded)
            buf_put(&p->memory, piece);
        else if (!percent_decode(&p->memory, piece, false, "path", why))
            return false;
        p->part[p->n] = str_make(p->memory.p + at, p->memory.len - at);
        if (!is_part(p->part[p->n++], why))
            return false;
    }
    return true;
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~!$&'()*+,;=:@/", c));
}

bool mount_check(Str mount, struct fault *why)
{
    size_t parts = 0, plain = 0;
    while (plain < mount.len && is_plain(mount.p[plain]))
        plain++;
    bool is_path = !mount.len || (mount.p[0] == '/' && !str_starts(mount, STR("//")));
    if (plain < mount.len || !is_path)
        return fail(
            why, REFUSE_CONFIG,
            "mount: %.*s is no path that begins with one / and has nothing but letters, digits "
            "and -._~!$&'()*+,;=:@/",
            (int)(mount.len < 60 ? mount.len : 60), mount.p);
    for (Str piece; str_cut(&mount, '/', &piece);)
        parts += piece.len > 0;
    return parts <= ROUTE_MOUNT_PARTS ||
           fail(why, REFUSE_CONFIG, "mount: %zu parts, %d are allowed", parts, ROUTE_MOUNT_PARTS);
}

/* Takes the mount's parts off. */
static bool path_enter(struct path *p, Str mount)
{
    size_t n = 0;
    for (Str piece; str_cut(&mount, '/', &piece);) {
        if (!piece.len)
            continue;
        if (n == p->n || !str_eq(p->part[n], piece))
            return false;
        n++;
    }
    p->n -= n;
    memmove(p->part, p->part + n, p->n * sizeof *p->part);
    return true;
}

static const struct route *find_fixed(const struct path *p)
{
    Str path = p->n ? p->part[0] : STR("");
    for (size_t i = 0; p->n <= 1 && i < COUNT_OF(routes); i++)
        if (str_eq(path, str_of(routes[i].path)))
            return &routes[i];
    return NULL;
}

static void put_name(struct buf *name, const struct path *p, bool is_user)
{
    for (size_t i = 0; i < p->n; i++) {
        if (i)
            buf_putc(name, is_user ? ':' : '/');
        buf_put(name, p->part[i]);
    }
}

/* Files come first; what is neither a file nor a route is the name of a channel. */
static const struct route *find_below(const struct path *p, struct buf *name)
{
    bool is_user = p->n == 2 && str_eq(p->part[0], STR("user"));
    put_name(name, p, is_user);
    if (name->full)
        return NULL;
    if (asset_find(buf_str(name)))
        return &asset_route;
    const struct route *fixed = find_fixed(p);
    if (fixed) {
        buf_clear(name);
        return fixed;
    }
    return is_user || p->n == 1 ? &stream_route : NULL;
}

bool route_find(Str mount, Str text, bool is_decoded, struct buf *name, const struct route **out,
                struct fault *why)
{
    struct path p;
    *out = NULL;
    buf_init(&p.memory, 0);
    bool ok = path_split(&p, text, is_decoded, why);
    if (ok && path_enter(&p, mount))
        *out = find_below(&p, name);
    buf_fini(&p.memory);
    if (ok && !*out)
        return fail(why, REFUSE_NOT_FOUND, "path: nothing is here");
    if (ok && !(*out)->handle)
        return fail(why, REFUSE_NOT_FOUND, "path: %s is not offered", (*out)->path);
    return ok;
}

/* The path and the query of REQUEST_URI, which may be a whole URL. */
static Str split_uri(Str uri, Str *query)
{
    size_t scheme = str_find(uri, ':');
    if (uri.len && uri.p[0] != '/' && str_starts(str_skip(uri, scheme), STR("://"))) {
        uri = str_skip(uri, scheme + strlen("://"));
        uri = str_skip(uri, str_find(uri, '/'));
    }
    size_t mark = str_find(uri, '?');
    *query = str_skip(uri, mark + 1);
    return str_make(uri.p, mark);
}

/* Where there is no REQUEST_URI the web server decoded the path. */
static bool find(struct visit *v, Str *query, const struct route **out, struct fault *why)
{
    Str mount = str_of(v->worker->options->mount);
    Str uri = request_var(v->request, "REQUEST_URI");
    if (uri.len)
        return route_find(mount, split_uri(uri, query), false, &v->name, out, why);
    struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    buf_put(&path, request_var(v->request, "SCRIPT_NAME"));
    buf_put(&path, request_var(v->request, "PATH_INFO"));
    bool ok = route_find(mount, buf_str(&path), true, &v->name, out, why);
    buf_fini(&path);
    return ok;
}

static const char *allowed(const struct route *r)
{
    return strcmp(r->method, "GET") == 0 ? "GET, HEAD, OPTIONS" : "POST, OPTIONS";
}

static void answer_options(struct visit *v, const struct route *r)
{
    v->cors.is_preflight = true;
    visit_answer(v, &(struct answer){.status = 204, .title = "No Content", .allow = allowed(r)});
}

static void refuse_method(struct visit *v, const struct route *r, Str method)
{
    struct fault why;
    struct buf body;
    buf_init(&body, ANSWER_HEAD_MAX);
    fail(&why, REFUSE_METHOD, "method: %.*s is not one of %s", FMT(method), allowed(r));
    struct answer a = answer_problem(&why, &body);
    a.allow = allowed(r);
    visit_answer(v, &a);
    buf_fini(&body);
}

static bool accepts_stream(Str accept)
{
    Str type = STR("text/event-stream");
    return accept.len && memmem(accept.p, accept.len, type.p, type.len);
}

/* Whoever shows tokens that are not good is soon not looked at any more; the address counts,
 * whatever user the token says. */
static bool identify(struct visit *v, struct fault *why)
{
    struct worker *w = v->worker;
    char room[ADDRESS_KEY];
    Str key = address_key(str_of(w->options->trusted_proxies), v->visitor.address, room);
    Msec now = loop_now(w->loop);
    bool is_spent = limits_is_spent(&w->limits, RATE_TOKENS, key, now);
    if (auth_visitor(w->options, w->tokens, roster_accounts(w->roster), v->request,
                     link_wall(w->link), is_spent, &v->visitor, why))
        return true;
    bool is_bad = why->code == REFUSE_INVALID_TOKEN || why->code == REFUSE_LIMIT;
    if (is_bad && !limits_admit(&w->limits, RATE_TOKENS, key, now, why))
        log_debug("bad tokens", kv("address", v->visitor.address));
    return false;
}

/* Of a body (RFC 9110, section 15.5.16). */
static bool is_uncoded(const struct request *r, struct fault *why)
{
    Str coding = request_var(r, "HTTP_CONTENT_ENCODING");
    return !coding.len || str_eq_nocase(coding, STR("identity")) ||
           fail(why, REFUSE_MEDIA_TYPE, "Content-Encoding: %.*s; a body is taken as it is, uncoded",
                (int)(coding.len < 60 ? coding.len : 60), coding.p);
}

static bool prepare(struct visit *v, const struct route *r, Str query, struct fault *why)
{
    const struct options *o = v->worker->options;
    Str given = request_var(v->request, "QUERY_STRING");
    v->wants_stream =
        r->handle == opening_stream && accepts_stream(request_var(v->request, "HTTP_ACCEPT"));
    v->visitor.address = auth_address(o, v->request);
    return (r->is_public || identify(v, why)) &&
           (strcmp(r->method, "POST") != 0 ||
            (auth_origin(o, v->request, &v->visitor, why) && is_uncoded(v->request, why))) &&
           (r->rate == RATE_COUNT || visit_admit(v, r->rate, why)) &&
           query_parse(&v->query, given.len ? given : query, "query", why);
}

static bool is_opening(const struct visit *v)
{
    return v->handle == opening_stream || v->handle == opening_poll;
}

/* Who it is from is known, as far as it says so itself. */
static void proceed(struct visit *v)
{
    consult_begin(v);
    if (consult_is_due(v))
        consult_connection(v, proceed);
    else if (v->visitor.is_pending && (!is_opening(v) || v->visitor.rights.wishes))
        held_put(v, v->handle);
    else
        v->handle(v);
}

static void enter(struct visit *v, const struct route *r)
{
    v->handle = r->handle;
    if (r->is_public)
        v->handle(v);
    else if (is_opening(v) && ticket_is_shown(v))
        ticket_take(v, proceed);
    else
        proceed(v);
}

/* Nothing was kept but the name. */
static void again(struct visit *v)
{
    buf_clear(&v->name);
    route(v);
}

/* Until it is known whose token it is, it is its address's. */
static void wait_for_user(struct visit *v, const struct route *r)
{
    struct fault why;
    if (visit_admit(v, r->rate, &why))
        held_put(v, again);
    else
        visit_refuse(v, &why);
}

void route(struct visit *v)
{
    struct fault why = {0};
    const struct route *r = NULL;
    Str query = STR_NONE;
    Str method = request_var(v->request, "REQUEST_METHOD");
    v->is_head = str_eq(method, STR("HEAD"));
    if (!find(v, &query, &r, &why) || !r)
        visit_refuse(v, &why);
    else if (str_eq(method, STR("OPTIONS")))
        answer_options(v, r);
    else if (!str_eq(v->is_head ? STR("GET") : method, str_of(r->method)))
        refuse_method(v, r, method);
    else if (prepare(v, r, query, &why))
        enter(v, r);
    else if (why.code == REFUSE_HUB_AWAY && !v->was_held)
        wait_for_user(v, r);
    else
        visit_refuse(v, &why);
}
