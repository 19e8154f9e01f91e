#include "wire/keyring.h"

#include "base/json.h"
#include "wire/refusal.h"

#include <stdlib.h>

enum { KID_MAX = 256 };

struct key {
    struct jwt_key *jwt;
    enum jwt_alg alg;
    char *kid;  /* empty: none */
    Msec until; /* 0: for ever */
    bool is_private;
};

struct keyring {
    size_t n;
    struct key v[KEYRING_MAX];
};

size_t keyring_len(const struct keyring *r)
{
    return r->n;
}

bool keyring_is_secret(const struct keyring *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->v[i].is_private)
            return true;
    return false;
}

struct keyring *keyring_new(void)
{
    return must_alloc(sizeof(struct keyring));
}

static void drop(struct key *k)
{
    jwt_key_free(k->jwt);
    free(k->kid);
}

void keyring_free(struct keyring *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++)
        drop(&r->v[i]);
    free(r);
}

static Str text_of(const Json *jwk, const char *name)
{
    const Json *value = json_get(jwk, name);
    return value && json_is_string(value) ? json_str(value) : STR_NONE;
}

/* What it is for, where it says so. */
static bool is_for_signatures(const Json *jwk)
{
    Str use = text_of(jwk, "use");
    const Json *ops = json_get(jwk, "key_ops");
    bool ok = !ops;
    for (size_t i = 0; ops && i < json_len(ops); i++) {
        const Json *op = json_at(ops, i);
        ok |= json_is_string(op) &&
              (str_eq(json_str(op), STR("verify")) || str_eq(json_str(op), STR("sign")));
    }
    return ok && (!use.len || str_eq(use, STR("sig")));
}

/* The one that it names, or its kind's first; NONE: none of ours. */
static enum jwt_alg alg_of(const Json *jwk)
{
    Str kty = text_of(jwk, "kty");
    if (json_get(jwk, "alg"))
        return jwt_alg_of(text_of(jwk, "alg"));
    if (str_eq(kty, STR("oct")))
        return JWT_HS256;
    if (str_eq(kty, STR("RSA")))
        return JWT_RS256;
    return str_eq(kty, STR("EC")) && str_eq(text_of(jwk, "crv"), STR("P-256")) ? JWT_ES256
                                                                               : JWT_NONE;
}

static bool read_kid(struct keyring *r, struct key *k, const Json *jwk, struct fault *why)
{
    Str kid = text_of(jwk, "kid");
    if (json_get(jwk, "kid") && (!kid.len || kid.len > KID_MAX || str_find(kid, '\0') < kid.len))
        return fail(why, REFUSE_CONFIG, "kid: is no text of 1 to %d bytes", KID_MAX);
    for (size_t i = 0; kid.len && i < r->n; i++)
        if (str_eq(kid, str_of(r->v[i].kid)))
            return fail(why, REFUSE_CONFIG, "kid: two keys have the same");
    k->kid = str_dup(kid);
    return true;
}

static bool read_until(struct key *k, const Json *jwk, struct fault *why)
{
    const Json *value = json_get(jwk, "exp");
    if (!value)
        return true;
    double n = json_is_number(value) ? json_num(value) : 0;
    if (!(n >= 1 && n < 1e12))
        return fail(why, REFUSE_CONFIG, "exp: is no number of seconds since 1970");
    k->until = (Msec)(n * 1000);
    return true;
}

/* One that is not for us adds nothing. */
static bool add_jwk(struct keyring *r, const Json *jwk, Str text, struct fault *why)
{
    enum jwt_alg alg = json_is_object(jwk) ? alg_of(jwk) : JWT_NONE;
    if (alg == JWT_NONE || !is_for_signatures(jwk))
        return true;
    if (r->n == KEYRING_MAX)
        return fail(why, REFUSE_CONFIG, "more than %d keys", KEYRING_MAX);
    struct key *k = &r->v[r->n];
    *k = (struct key){.alg = alg, .is_private = jwt_is_secret(alg) || json_get(jwk, "d")};
    if (!read_kid(r, k, jwk, why))
        return false;
    r->n++;
    k->jwt = jwt_key_of_jwk(text, alg, why);
    return k->jwt && read_until(k, jwk, why);
}

static bool add_jwks(struct keyring *r, Str text, struct fault *why)
{
    Str array;
    size_t at = 0, i = 0;
    Json *whole = json_parse(text, NULL); /* what it says of a fault quotes the text */
    const Json *keys = whole ? json_get(whole, "keys") : NULL;
    bool ok = whole || fail(why, REFUSE_CONFIG, "is not valid JSON");
    if (!keys || !json_is_array(keys) || !json_member_text(text, "keys", &array))
        ok = ok && add_jwk(r, whole, text, why);
    else
        for (Str raw; ok && json_each_text(array, &at, &raw); i++) {
            ok = add_jwk(r, json_at(keys, i), raw, why);
            if (!ok) {
                struct fault inner = *why;
                fail(why, REFUSE_CONFIG, "key %zu: %.200s", i + 1, inner.text);
            }
        }
    json_free(whole);
    return ok;
}

static bool add_secret(struct keyring *r, Str text, struct fault *why)
{
    struct key *k = &r->v[r->n++];
    *k = (struct key){.alg = JWT_HS256, .kid = str_dup(STR_NONE), .is_private = true};
    k->jwt = jwt_key_of_secret(str_trim(text), k->alg, why);
    return k->jwt;
}

struct keyring *keyring_read(Str text, struct fault *why)
{
    struct keyring *r = keyring_new();
    bool is_json = str_starts(str_trim(text), STR("{"));
    bool ok = is_json ? add_jwks(r, text, why) : add_secret(r, text, why);
    if (ok && !r->n)
        ok = fail(why, REFUSE_CONFIG, "no key for signatures by one of " JWT_ALGS);
    if (ok)
        return r;
    why->code = REFUSE_CONFIG;
    keyring_free(r);
    return NULL;
}

static bool is_valid(const struct key *k, Msec wall)
{
    return !k->until || wall < k->until;
}

/* The one that is meant, or NULL. */
static const struct key *find(const struct keyring *r, enum jwt_alg alg, Str kid, Msec wall,
                              struct fault *why)
{
    const struct key *found = NULL;
    for (size_t i = 0; i < r->n; i++) {
        const struct key *k = &r->v[i];
        if (kid.len ? !str_eq(kid, str_of(k->kid)) : k->alg != alg || !is_valid(k, wall))
            continue;
        if (found) {
            fail(why, REFUSE_INVALID_TOKEN, "kid: is missing, and several keys have this alg");
            return NULL;
        }
        found = k;
    }
    if (!found)
        fail(why, REFUSE_INVALID_TOKEN,
             kid.len ? "kid: no key has it" : "alg: no key that is valid has it");
    return found;
}

bool keyring_verify(const struct keyring *r, Str token, enum jwt_alg alg, Str kid, Msec wall,
                    Msec *until, struct fault *why)
{
    const struct key *k = find(r, alg, kid, wall, why);
    if (!k)
        return false;
    if (k->alg != alg)
        return fail(why, REFUSE_INVALID_TOKEN, "alg: is not the key's, which is %s",
                    jwt_alg_name(k->alg));
    if (!is_valid(k, wall))
        return fail(why, REFUSE_INVALID_TOKEN, "kid: the key is no longer valid");
    *until = k->until;
    return jwt_verify(k->jwt, token) || fail(why, REFUSE_INVALID_TOKEN, "signature: does not fit");
}

bool keyring_sign(const struct keyring *r, Str payload, Msec wall, struct buf *token,
                  struct fault *why)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->v[i].is_private && is_valid(&r->v[i], wall))
            return jwt_sign(token, r->v[i].jwt, str_of(r->v[i].kid), payload, why);
    return fail(why, REFUSE_CONFIG,
                "no key that is valid can sign: a secret or a private one is "
                "needed");
}

bool keyring_add(struct keyring *r, enum jwt_alg alg, Str kid, struct fault *why)
{
    if (r->n == KEYRING_MAX)
        return fail(why, REFUSE_CONFIG, "has %d keys, and may have no more", KEYRING_MAX);
    struct jwt_key *jwt = jwt_key_new(alg, kid, why);
    if (!jwt)
        return false;
    memmove(&r->v[1], &r->v[0], r->n++ * sizeof r->v[0]);
    r->v[0] = (struct key){.jwt = jwt, .alg = alg, .kid = str_dup(kid), .is_private = true};
    return true;
}

void keyring_retire(struct keyring *r, Msec until, Msec wall)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->n; i++) {
        struct key k = r->v[i];
        if (!is_valid(&k, wall)) {
            drop(&k);
            continue;
        }
        if (!k.until || k.until > until)
            k.until = until;
        r->v[kept++] = k;
    }
    r->n = kept;
}

static void put_key(struct buf *json, const struct key *k, bool is_private)
{
    struct buf jwk;
    buf_init(&jwk, KEYRING_BYTES);
    jwt_key_put(&jwk, k->jwt, is_private && k->is_private);
    buf_printf(json, "{\"alg\":\"%s\",\"use\":\"sig\",", jwt_alg_name(k->alg));
    if (k->until)
        buf_printf(json, "\"exp\":%llu,", (unsigned long long)k->until / 1000);
    buf_put(json, str_skip(buf_str(&jwk), 1));
    buf_fini(&jwk);
}

size_t keyring_put(struct buf *json, const struct keyring *r, bool is_private)
{
    size_t n = 0;
    buf_putz(json, "{\"keys\":[");
    for (size_t i = 0; i < r->n; i++) {
        if (!is_private && jwt_is_secret(r->v[i].alg))
            continue;
        buf_putz(json, n++ ? ",\n " : "\n ");
        put_key(json, &r->v[i], is_private);
    }
    buf_putz(json, "\n]}\n");
    return n;
}
