#include "auth.h"

#include "address.h"
#include "answer.h"
#include "base/log.h"
#include "wire/names.h"
#include "wire/refusal.h"

#define COOKIE STR("belfry_token")

/* What tokens are held against. */
struct judges {
    struct tokens *tokens;
    const struct accounts *accounts;
    Msec wall;
    bool is_spent;
};

/* The token of `Authorization: Bearer`; false: there is none of that kind. */
static bool read_bearer(const struct request *r, Str *token)
{
    Str value = request_var(r, "HTTP_AUTHORIZATION");
    size_t blank = str_find(value, ' ');
    if (!str_eq_nocase(str_make(value.p, blank), STR("Bearer")))
        return false;
    *token = str_trim(str_skip(value, blank));
    return true;
}

/* How many cookies of that name there are; a second one may have been put there by another site of
 * the same domain. */
static unsigned read_cookie(const struct request *r, Str *token)
{
    Str rest = request_var(r, "HTTP_COOKIE");
    unsigned n = 0;
    for (Str pair; str_cut(&rest, ';', &pair);) {
        pair = str_trim(pair);
        size_t equals = str_find(pair, '=');
        if (equals == pair.len || !str_eq(str_make(pair.p, equals), COOKIE))
            continue;
        *token = str_trim(str_skip(pair, equals + 1));
        n++;
    }
    return n;
}

/* What is wrong with it is nobody's business but the log's. */
static bool refuse_token(const struct visitor *v, const struct fault *reason, struct fault *why)
{
    log_info("token refused", kz("reason", reason->text), kv("address", v->address));
    return fail(why, REFUSE_INVALID_TOKEN, "invalid_token");
}

/* A token of ours: known by its digest. */
static struct token *find_ours(const struct accounts *a, Str text, Msec wall, struct fault *reason)
{
    char id[1 + ACCOUNT_DIGEST] = {ACCOUNT_OURS};
    account_digest(text, id + 1);
    const struct account *row = accounts_find(a, ACCOUNT_TOKEN, STR_NONE, str_of(id + 1));
    if (row && (!row->value || wall < row->value))
        return token_copy(&(struct token){
            .user = row->user, .id = str_of(id), .issued = row->time, .expires = row->value});
    fail(reason, REFUSE_INVALID_TOKEN, "is not of three parts, and %s", row ? "over" : "not ours");
    return NULL;
}

/* A JSON Web Token has dots, one of ours has none. */
static bool is_ours(Str text)
{
    return text.len <= TOKEN_MAX && str_find(text, '.') == text.len;
}

static struct token *find_token(const struct judges *d, Str text, struct fault *reason)
{
    if (is_ours(text))
        return find_ours(d->accounts, text, d->wall, reason);
    return d->is_spent ? tokens_recall(d->tokens, text, d->wall)
                       : tokens_admit(d->tokens, text, d->wall, reason);
}

static bool take_token(const struct judges *d, Str text, struct visitor *out, struct fault *why)
{
    struct fault reason = {0};
    bool ours = is_ours(text);
    if (ours && !d->accounts && d->is_spent)
        return fail(why, REFUSE_LIMIT, "rate_tokens");
    if (ours && !d->accounts)
        return fail(why, REFUSE_HUB_AWAY, "whose token it is cannot be known yet");
    out->token = find_token(d, text, &reason);
    if (!out->token && d->is_spent)
        return fail(why, REFUSE_LIMIT, "rate_tokens");
    if (!out->token)
        return refuse_token(out, &reason, why);
    const struct token *t = out->token;
    out->user = t->user;
    out->issued = t->issued;
    out->rights.grants = t->grants;
    /* In the time that clocks may differ it is good to the end of that. */
    out->expires = t->expires + (ours || d->wall < t->expires ? 0 : TOKEN_SKEW);
    return true;
}

static bool take_cookie(const struct judges *d, unsigned n, Str text, struct visitor *out,
                        struct fault *why)
{
    static const struct fault twice = {REFUSE_INVALID_TOKEN, "the cookie belfry_token came twice"};
    out->is_browsers_doing = true;
    return n > 1 ? refuse_token(out, &twice, why) : take_token(d, text, out, why);
}

bool auth_review(const struct accounts *a, struct visitor *v, struct fault *why)
{
    static const struct fault revoked = {REFUSE_INVALID_TOKEN, "was revoked, or its user"};
    v->rights.user = v->user;
    v->is_pending = !a && v->user.len > 0;
    if (!a)
        return true;
    accounts_grant(a, &v->rights);
    return accounts_admit(a, v->user, v->token ? v->token->id : STR_NONE, v->issued) ||
           refuse_token(v, &revoked, why);
}

static bool take_remote_user(const struct request *r, Msec wall, struct visitor *out,
                             struct fault *why)
{
    out->user = request_var(r, "REMOTE_USER");
    out->issued = wall;
    out->is_browsers_doing = out->user.len > 0;
    if (!out->user.len || user_is_valid(out->user, "REMOTE_USER", why))
        return true;
    if (why)
        why->code = REFUSE_FORBIDDEN;
    return false;
}

bool auth_visitor(const struct options *o, struct tokens *tokens, const struct accounts *a,
                  const struct request *r, Msec wall, bool is_spent, struct visitor *out,
                  struct fault *why)
{
    const struct judges d = {tokens, a, wall, is_spent};
    Str token = STR_NONE, cookie = STR_NONE;
    unsigned cookies = read_cookie(r, &cookie);
    bool ok = true;
    *out = (struct visitor){.address = auth_address(o, r)};
    out->rights = options_rights(o);
    if (read_bearer(r, &token))
        ok = take_token(&d, token, out, why);
    else if (cookies)
        ok = take_cookie(&d, cookies, cookie, out, why);
    else if (o->trust_remote_user)
        ok = take_remote_user(r, wall, out, why);
    return ok && auth_review(a, out, why);
}

Str auth_address(const struct options *o, const struct request *r)
{
    return address_of(str_of(o->trusted_proxies), request_var(r, "REMOTE_ADDR"),
                      request_var(r, "HTTP_X_FORWARDED_FOR"));
}

void visitor_fini(struct visitor *v)
{
    token_unref(v->token);
}

static bool is_own_host(const struct request *r, Str origin)
{
    Str host = str_skip(origin, str_find(origin, ':') + strlen("://"));
    return host.len && str_eq_nocase(host, request_var(r, "HTTP_HOST"));
}

/* A form of another site can be neither without asking first (CORS). */
static bool is_from_a_program(const struct request *r)
{
    Str type = request_var(r, "CONTENT_TYPE");
    type = str_trim(str_make(type.p, str_find(type, ';')));
    return request_var(r, "HTTP_X_REQUESTED_WITH").len ||
           str_eq_nocase(type, STR("application/json")) ||
           str_eq_nocase(type, STR("application/x-ndjson"));
}

bool auth_origin(const struct options *o, const struct request *r, const struct visitor *v,
                 struct fault *why)
{
    Str origin = request_var(r, "HTTP_ORIGIN");
    if (!v->is_browsers_doing)
        return true;
    if (!origin.len)
        return fail(why, REFUSE_FORBIDDEN, "Origin: is missing; a cookie or a password needs it");
    if (!is_own_host(r, origin) && !str_is_listed(str_of(o->origins), origin))
        return fail(why, REFUSE_FORBIDDEN, "Origin: %.*s is not among the origins", FMT(origin));
    return is_from_a_program(r) ||
           fail(why, REFUSE_FORBIDDEN,
                "Content-Type: with a cookie or a password a form needs the "
                "header X-Requested-With");
}

bool auth_is_allowed(Str addresses, Str address)
{
    Str mapped = STR("::ffff:");
    if (str_starts(address, mapped))
        address = str_skip(address, mapped.len);
    return address.len && str_is_listed(addresses, address);
}
