#include "token.h"

#include "base/base64url.h"
#include "base/json.h"
#include "wire/accounts.h"
#include "wire/message.h"
#include "wire/names.h"
#include "wire/people.h"
#include "wire/refusal.h"

#include <stdlib.h>

#define SECONDS_MAX 253402300799.0 /* the end of the year 9999 */

static bool refuse(struct fault *why, const char *what)
{
    return fail(why, REFUSE_INVALID_TOKEN, "%s", what);
}

/* Members that would have us take another key, or read something else than what is there. */
static bool has_nothing_odd(const Json *header, struct fault *why)
{
    static const char *const odd[] = {"crit", "b64", "jku", "jwk", "x5u", "x5c",
                                      "zip",  "enc", "cty", "epk", "p2c"};
    for (size_t i = 0; i < COUNT_OF(odd); i++)
        if (json_get(header, odd[i]))
            return fail(why, REFUSE_INVALID_TOKEN, "header: %s is not taken", odd[i]);
    return true;
}

static bool is_typ(const Json *typ)
{
    return json_is_string(typ) && (str_eq_nocase(json_str(typ), STR("JWT")) ||
                                   str_eq_nocase(json_str(typ), STR("at+jwt")));
}

static bool read_header(struct token_parts *p, const Json *header, struct fault *why)
{
    const Json *alg = json_get(header, "alg"), *kid = json_get(header, "kid");
    const Json *typ = json_get(header, "typ");
    if (!json_is_object(header))
        return refuse(why, "header: is not an object");
    if (!alg || !json_is_string(alg))
        return refuse(why, "alg: is missing");
    p->alg = jwt_alg_of(json_str(alg));
    if (p->alg == JWT_NONE)
        return refuse(why, "alg: is none of " JWT_ALGS);
    if (typ && !is_typ(typ))
        return refuse(why, "typ: is neither JWT nor at+jwt");
    if (kid && (!json_is_string(kid) || !json_str(kid).len || !buf_put(&p->kid, json_str(kid))))
        return refuse(why, "kid: is no text of 1 to 256 bytes");
    return has_nothing_odd(header, why);
}

/* Of a fault in JSON only that there is one: the parser's words quote the text. */
static Json *parse(Str text, const char *what, struct fault *why)
{
    Json *whole = json_parse(text, NULL);
    if (!whole)
        refuse(why, what);
    return whole;
}

static bool open_header(struct token_parts *p, Str text, struct fault *why)
{
    struct buf bytes;
    buf_init(&bytes, TOKEN_MAX);
    Json *header = NULL;
    bool ok = base64url_decode(&bytes, text) || refuse(why, "header: is not base64url");
    if (ok)
        header = parse(buf_str(&bytes), "header: is not valid JSON", why);
    ok = header && read_header(p, header, why);
    json_free(header);
    buf_fini(&bytes);
    return ok;
}

bool token_open(struct token_parts *p, Str text, struct fault *why)
{
    Str header, payload;
    p->alg = JWT_NONE;
    buf_init(&p->kid, 256);
    buf_init(&p->payload, TOKEN_MAX);
    if (text.len > TOKEN_MAX)
        return fail(why, REFUSE_INVALID_TOKEN, "has %zu bytes, at most %d are read", text.len,
                    TOKEN_MAX);
    if (!str_cut(&text, '.', &header) || !str_cut(&text, '.', &payload) || !text.len ||
        str_find(text, '.') < text.len)
        return refuse(why, "is not of three parts");
    if (!open_header(p, header, why))
        return false;
    return base64url_decode(&p->payload, payload) || refuse(why, "payload: is not base64url");
}

void token_close(struct token_parts *p)
{
    buf_fini(&p->kid);
    buf_fini(&p->payload);
}

/* *out: 0 where there is none. */
static bool read_time(const Json *claims, const char *name, Msec *out, struct fault *why)
{
    const Json *value = json_get(claims, name);
    double n = value && json_is_number(value) ? json_num(value) : -1;
    *out = 0;
    if (value && !(n >= 0 && n <= SECONDS_MAX))
        return fail(why, REFUSE_INVALID_TOKEN, "%s: is no number of seconds since 1970", name);
    if (value)
        *out = (Msec)(n * 1000);
    return true;
}

static bool check_times(struct token *t, const Json *claims, Msec life, Msec wall,
                        struct fault *why)
{
    Msec begins;
    if (!read_time(claims, "exp", &t->expires, why) || !read_time(claims, "nbf", &begins, why) ||
        !read_time(claims, "iat", &t->issued, why))
        return false;
    if (!json_get(claims, "exp"))
        return refuse(why, "exp: is missing");
    if (!token_is_fresh(t, wall))
        return refuse(why, "exp: is over");
    if (begins > wall + TOKEN_SKEW)
        return refuse(why, "nbf: is still to come");
    if (t->issued > wall + TOKEN_SKEW)
        return refuse(why, "iat: is still to come");
    return !life || t->expires <= (t->issued ? t->issued : wall) + life ||
           refuse(why, "exp: is further away than token_life");
}

static bool is_text(const Json *value, Str text)
{
    return value && json_is_string(value) && str_eq(json_str(value), text);
}

static bool check_audience(const Json *aud, Str wanted, struct fault *why)
{
    if (!wanted.len)
        return !aud || refuse(why, "aud: is there, and token_audience is not set");
    if (is_text(aud, wanted))
        return true;
    size_t n = aud && json_is_array(aud) ? json_len(aud) : 0;
    if (n > TOKEN_AUDIENCES)
        return fail(why, REFUSE_INVALID_TOKEN, "aud: has %zu names, at most %d are read", n,
                    TOKEN_AUDIENCES);
    bool ok = false;
    for (size_t i = 0; i < n; i++) {
        if (!json_is_string(json_at(aud, i)))
            return refuse(why, "aud: is neither a string nor an array of strings");
        ok |= is_text(json_at(aud, i), wanted);
    }
    return ok || refuse(why, "aud: is not token_audience");
}

/* The reasons of names.h have nothing of the name. */
static bool check_user(const Json *sub, Str *user, struct fault *why)
{
    struct fault own;
    if (!sub || !json_is_string(sub))
        return refuse(why, "sub: is missing, or no string");
    *user = json_str(sub);
    return user_is_valid(*user, "sub", &own) || refuse(why, own.text);
}

static bool read_id(struct buf *id, const Json *jti, struct fault *why)
{
    if (!jti)
        return true;
    if (!json_is_string(jti) || !json_str(jti).len || json_str(jti).len > ACCOUNT_NAME_MAX)
        return fail(why, REFUSE_INVALID_TOKEN, "jti: is no text of 1 to %d bytes",
                    ACCOUNT_NAME_MAX);
    return buf_putc(id, ACCOUNT_JTI) && buf_put(id, json_str(jti));
}

static bool read_grants(struct buf *list, const Json *grants, const char *right, struct fault *why)
{
    const Json *names = json_get(grants, right);
    struct fault own;
    if (!names)
        return true;
    if (!json_is_array(names))
        return fail(why, REFUSE_INVALID_TOKEN, "belfry.%s: is not an array", right);
    if (json_len(names) > TOKEN_GRANTS)
        return fail(why, REFUSE_INVALID_TOKEN, "belfry.%s: has %zu names, at most %d are taken",
                    right, json_len(names), TOKEN_GRANTS);
    for (size_t i = 0; i < json_len(names); i++) {
        const Json *name = json_at(names, i);
        if (!json_is_string(name))
            return fail(why, REFUSE_INVALID_TOKEN, "belfry.%s: has something that is no string",
                        right);
        if (!pattern_is_valid(json_str(name), right, &own))
            return fail(why, REFUSE_INVALID_TOKEN, "belfry.%.200s", own.text);
        list_put(list, json_str(name));
    }
    return true;
}

/* As its author wrote it, but for blanks. `payload` is valid JSON. */
static bool read_public(struct buf *out, Str payload, const Json *grants, struct fault *why)
{
    Str own = STR_NONE, raw;
    if (!json_get(grants, "public"))
        return true;
    if (!json_member_text(payload, "belfry", &own) || !json_member_text(own, "public", &raw))
        return refuse(why, "belfry.public: its name is written with escapes");
    if (json_put_compact(out, raw))
        return true;
    return fail(why, REFUSE_INVALID_TOKEN, "belfry.public: at most %d bytes are taken", PUBLIC_MAX);
}

static Str keep(struct buf *room, Str s)
{
    Str kept = str_make(room->p + room->len, s.len);
    buf_put(room, s);
    return kept;
}

/* In one piece with its strings. */
struct token *token_copy(const struct token *t)
{
    const struct grants *g = &t->grants;
    size_t bytes = t->user.len + t->id.len + t->public.len + g->subscribe.len + g->publish.len +
                   g->presence.len;
    struct token *made = must_alloc(sizeof *made + bytes);
    struct buf room = {.p = (char *)(made + 1), .cap = bytes + 1, .max = bytes};
    *made = *t;
    made->refs = 1;
    made->user = keep(&room, t->user);
    made->id = keep(&room, t->id);
    made->public = keep(&room, t->public);
    made->grants = (struct grants){keep(&room, g->subscribe), keep(&room, g->publish),
                                   keep(&room, g->presence)};
    return made;
}

static struct token *read_claims(Str payload, const Json *claims, const struct token_wants *wants,
                                 Msec wall, struct fault *why)
{
    struct token t = {0};
    struct buf lists[3], id, public;
    buf_init(&public, PUBLIC_MAX);
    const Json *grants = json_get(claims, "belfry");
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        buf_init(&lists[i], TOKEN_MAX + 4 * TOKEN_GRANTS);
    buf_init(&id, ACCOUNT_NAME_MAX + 1);
    bool ok = check_times(&t, claims, wants->life, wall, why) &&
              (!wants->issuer.len || is_text(json_get(claims, "iss"), wants->issuer) ||
               refuse(why, "iss: is not token_issuer")) &&
              check_audience(json_get(claims, "aud"), wants->audience, why) &&
              check_user(json_get(claims, "sub"), &t.user, why) &&
              read_id(&id, json_get(claims, "jti"), why) &&
              (!grants || json_is_object(grants) || refuse(why, "belfry: is not an object")) &&
              read_grants(&lists[0], grants, "subscribe", why) &&
              read_grants(&lists[1], grants, "publish", why) &&
              read_grants(&lists[2], grants, "presence", why) &&
              read_public(&public, payload, grants, why);
    t.id = buf_str(&id);
    t.public = buf_str(&public);
    t.grants = (struct grants){buf_str(&lists[0]), buf_str(&lists[1]), buf_str(&lists[2])};
    struct token *made = ok ? token_copy(&t) : NULL;
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        buf_fini(&lists[i]);
    buf_fini(&id);
    buf_fini(&public);
    return made;
}

struct token *token_read(Str payload, const struct token_wants *wants, Msec wall, struct fault *why)
{
    struct token *t = NULL;
    Json *claims = parse(payload, "payload: is not valid JSON", why);
    if (claims && !json_is_object(claims))
        refuse(why, "payload: is not an object");
    else if (claims)
        t = read_claims(payload, claims, wants, wall, why);
    json_free(claims);
    return t;
}

bool token_is_fresh(const struct token *t, Msec wall)
{
    return wall < t->expires + TOKEN_SKEW;
}

struct token *token_ref(struct token *t)
{
    t->refs++;
    return t;
}

void token_unref(struct token *t)
{
    if (t && --t->refs == 0)
        free(t);
}
