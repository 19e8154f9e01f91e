#include "answer.h"

#include "base/json.h"
#include "base/random.h"
#include "wire/refusal.h"

enum { LIMIT_LEAST = 10000, LIMIT_MOST = 60000, PASSING_LEAST = 1000, PASSING_MOST = 5000 };

struct cors cors_judge(Str origins, Str origin)
{
    struct cors c = {0};
    if (!origin.len || str_has_control(origin))
        return c;
    c.is_for_all = !str_is_listed(origins, origin) && str_is_listed(origins, STR("*"));
    if (c.is_for_all || str_is_listed(origins, origin))
        c.origin = origin;
    return c;
}

/* SCHEME://HOST or SCHEME://HOST:PORT; `null` is what a sandboxed page sends. */
static bool is_origin(Str text)
{
    Str host = str_skip(text, str_find(text, ':'));
    return str_eq(text, STR("*")) || str_eq(text, STR("null")) ||
           (host.len < text.len && str_starts(host, STR("://")) && host.len > 3 &&
            str_find(str_skip(host, 3), '/') == host.len - 3);
}

bool cors_check(Str origins, struct fault *why)
{
    for (Str origin; str_cut(&origins, ',', &origin);) {
        origin = str_trim(origin);
        if (origin.len && !is_origin(origin))
            return fail(why, REFUSE_CONFIG,
                        "origins: %.*s is no origin as browsers send it, https://HOST or "
                        "https://HOST:PORT",
                        (int)(origin.len < 60 ? origin.len : 60), origin.p);
    }
    return true;
}

static void put_cors(struct buf *out, const struct cors *c)
{
    if (!c->origin.len)
        return;
    buf_printf(out, "Access-Control-Allow-Origin: %.*s\r\n", c->is_for_all ? 1 : (int)c->origin.len,
               c->is_for_all ? "*" : c->origin.p);
    if (!c->is_for_all)
        buf_put(out, STR("Access-Control-Allow-Credentials: true\r\n"));
    if (!c->is_preflight) {
        buf_put(out, STR("Access-Control-Expose-Headers: Retry-After\r\n"));
        return;
    }
    buf_put(out, STR("Access-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\r\n"
                     "Access-Control-Allow-Headers: Authorization, Cache-Control, Content-Type, "
                     "Idempotency-Key, Last-Event-ID, X-Requested-With\r\n"
                     "Access-Control-Max-Age: 600\r\n"));
}

static void put_line(struct buf *out, const char *name, const char *value)
{
    if (!value)
        return;
    buf_putz(out, name);
    buf_put(out, STR(": "));
    buf_putz(out, value);
    buf_put(out, STR("\r\n"));
}

static void put_number(struct buf *out, const char *name, uint64_t value)
{
    buf_putz(out, name);
    buf_put(out, STR(": "));
    buf_put_u64(out, value);
    buf_put(out, STR("\r\n"));
}

bool answer_put(struct buf *out, const struct answer *a)
{
    buf_put(out, STR("Status: "));
    buf_put_u64(out, (uint64_t)a->status);
    buf_putc(out, ' ');
    buf_putz(out, a->title);
    buf_put(out, STR("\r\n"));
    put_line(out, "Content-Type", a->type);
    if (a->type && !a->is_open_ended)
        put_number(out, "Content-Length", a->body.len);
    put_line(out, "Cache-Control", a->cache ? a->cache : "no-store");
    put_line(out, "Allow", a->allow);
    put_line(out, "ETag", a->etag);
    if (a->retry)
        put_number(out, "Retry-After", a->retry);
    if (a->more)
        buf_putz(out, a->more);
    put_line(out, "X-Content-Type-Options", "nosniff");
    put_line(out, "Vary", a->is_open_ended ? "Accept, Origin" : "Origin");
    put_cors(out, &a->cors);
    buf_put(out, STR("\r\n"));
    return a->has_no_content ? !out->full : buf_put(out, a->body);
}

void problem_put(struct buf *out, const struct fault *why)
{
    buf_printf(out, "{\"type\":\"about:blank#%s\",\"title\":", refusal_code(why->code));
    json_put_str(out, str_of(refusal_title(why->code)));
    buf_printf(out, ",\"status\":%d,\"detail\":", refusal_status(why->code));
    json_put_str(out, str_of(why->text[0] ? why->text : refusal_title(why->code)));
    if (why->code == REFUSE_UNKNOWN_OUTCOME)
        buf_put(out, STR(",\"outcome\":\"unknown\""));
    buf_putc(out, '}');
}

static const char *challenge(int code)
{
    if (code == REFUSE_INVALID_TOKEN)
        return "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n";
    return code == REFUSE_UNAUTHORIZED ? "WWW-Authenticate: Bearer\r\n" : NULL;
}

struct answer answer_problem(const struct fault *why, struct buf *body)
{
    problem_put(body, why);
    return (struct answer){
        .status = refusal_status(why->code),
        .title = refusal_title(why->code),
        .type = "application/problem+json",
        .retry = refusal_retry(why->code),
        .more = challenge(why->code),
        .body = buf_str(body),
    };
}

bool is_passing(const struct fault *why)
{
    return refusal_retry(why->code) > 0;
}

struct answer answer_bye(const struct fault *why, struct buf *body)
{
    bool is_stopping = why->code == REFUSE_STOPPING || why->code == REFUSE_HUB_AWAY;
    unsigned least = is_stopping ? PASSING_LEAST : LIMIT_LEAST;
    unsigned most = is_stopping ? PASSING_MOST : LIMIT_MOST;
    buf_printf(body, "retry: %u\nevent: bye\ndata: {\"reason\":\"%s\"}\n\n",
               least + (unsigned)(random_u64() % (most - least + 1)),
               is_stopping ? "drain" : "limit");
    return (struct answer){
        .status = 200,
        .title = "OK",
        .type = "text/event-stream; charset=utf-8",
        .cache = "no-store, no-transform",
        .is_open_ended = true,
        .body = buf_str(body),
    };
}
