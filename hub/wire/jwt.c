#include "wire/jwt.h"

#include "wire/refusal.h"

#include <assert.h>
#include <cjose/cjose.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

enum { RSA_BITS = 3072 };

struct jwt_key {
    cjose_jwk_t *jwk;
    enum jwt_alg alg;
};

/* `signature`: its bytes; 0: as many as the key's modulus has. */
static const struct {
    const char *name;
    cjose_jwk_kty_t kty;
    size_t signature;
} algs[] = {
    [JWT_NONE] = {"none", 0, 0},
    [JWT_HS256] = {"HS256", CJOSE_JWK_KTY_OCT, 32},
    [JWT_HS384] = {"HS384", CJOSE_JWK_KTY_OCT, 48},
    [JWT_HS512] = {"HS512", CJOSE_JWK_KTY_OCT, 64},
    [JWT_RS256] = {"RS256", CJOSE_JWK_KTY_RSA, 0},
    [JWT_PS256] = {"PS256", CJOSE_JWK_KTY_RSA, 0},
    [JWT_ES256] = {"ES256", CJOSE_JWK_KTY_EC, 64},
};

enum jwt_alg jwt_alg_of(Str name)
{
    for (size_t i = JWT_HS256; i < COUNT_OF(algs); i++)
        if (str_eq(name, str_of(algs[i].name)))
            return (enum jwt_alg)i;
    return JWT_NONE;
}

const char *jwt_alg_name(enum jwt_alg alg)
{
    return algs[alg].name;
}

bool jwt_is_secret(enum jwt_alg alg)
{
    return algs[alg].kty == CJOSE_JWK_KTY_OCT;
}

/* cjose takes any key for any algorithm until it signs or verifies. */
static bool is_fit(const cjose_jwk_t *jwk, enum jwt_alg alg, struct fault *why)
{
    cjose_err error;
    size_t bits = cjose_jwk_get_keysize(jwk, &error);
    if (cjose_jwk_get_kty(jwk, &error) != algs[alg].kty)
        return fail(why, REFUSE_CONFIG, "kty: is not one of %s", algs[alg].name);
    if (jwt_is_secret(alg) && bits < 8 * JWT_SECRET_MIN)
        return fail(why, REFUSE_CONFIG, "the secret has %zu bytes, at least %d are needed",
                    bits / 8, JWT_SECRET_MIN);
    if (algs[alg].kty == CJOSE_JWK_KTY_RSA && bits < JWT_RSA_MIN)
        return fail(why, REFUSE_CONFIG, "n: has %zu bits, at least %d are needed", bits,
                    JWT_RSA_MIN);
    if (alg == JWT_ES256 && cjose_jwk_EC_get_curve(jwk, &error) != CJOSE_JWK_EC_P_256)
        return fail(why, REFUSE_CONFIG, "crv: is not P-256");
    return true;
}

static struct jwt_key *key_of(cjose_jwk_t *jwk, enum jwt_alg alg, const cjose_err *error,
                              struct fault *why)
{
    if (!jwk) {
        fail(why, REFUSE_CONFIG, "no key: %s", error->message ? error->message : "not readable");
        return NULL;
    }
    if (!is_fit(jwk, alg, why)) {
        cjose_jwk_release(jwk);
        return NULL;
    }
    struct jwt_key *k = must_alloc(sizeof *k);
    k->jwk = jwk;
    k->alg = alg;
    return k;
}

struct jwt_key *jwt_key_of_jwk(Str jwk, enum jwt_alg alg, struct fault *why)
{
    cjose_err error = {0};
    return key_of(cjose_jwk_import(jwk.p, jwk.len, &error), alg, &error, why);
}

struct jwt_key *jwt_key_of_secret(Str secret, enum jwt_alg alg, struct fault *why)
{
    cjose_err error = {0};
    if (secret.len < JWT_SECRET_MIN) {
        fail(why, REFUSE_CONFIG, "the secret has %zu bytes, at least %d are needed", secret.len,
             JWT_SECRET_MIN);
        return NULL;
    }
    const uint8_t *bytes = (const uint8_t *)secret.p;
    return key_of(cjose_jwk_create_oct_spec(bytes, secret.len, &error), alg, &error, why);
}

struct jwt_key *jwt_key_new(enum jwt_alg alg, Str kid, struct fault *why)
{
    cjose_err error = {0};
    cjose_jwk_t *jwk = NULL;
    if (algs[alg].kty == CJOSE_JWK_KTY_OCT)
        jwk = cjose_jwk_create_oct_random(8 * algs[alg].signature, &error);
    else if (algs[alg].kty == CJOSE_JWK_KTY_RSA)
        jwk = cjose_jwk_create_RSA_random(RSA_BITS, NULL, 0, &error);
    else if (algs[alg].kty == CJOSE_JWK_KTY_EC)
        jwk = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, &error);
    if (jwk && kid.len && !cjose_jwk_set_kid(jwk, kid.p, kid.len, &error)) {
        cjose_jwk_release(jwk);
        jwk = NULL;
    }
    return key_of(jwk, alg, &error, why);
}

void jwt_key_free(struct jwt_key *k)
{
    if (!k)
        return;
    cjose_jwk_release(k->jwk);
    free(k);
}

bool jwt_key_put(struct buf *json, const struct jwt_key *k, bool is_private)
{
    cjose_err error;
    char *text = cjose_jwk_to_json(k->jwk, is_private, &error);
    bool ok = text && buf_putz(json, text);
    cjose_get_dealloc()(text);
    return ok;
}

static size_t signature_size(const struct jwt_key *k)
{
    cjose_err error;
    size_t fixed = algs[k->alg].signature;
    return fixed ? fixed : (cjose_jwk_get_keysize(k->jwk, &error) + 7) / 8;
}

/* Of so many bytes without padding. */
static size_t base64_size(size_t bytes)
{
    return (8 * bytes + 5) / 6;
}

/* The signature's size is checked here: cjose takes what comes. */
bool jwt_verify(const struct jwt_key *k, Str token)
{
    cjose_err error;
    const char *dot = memrchr(token.p, '.', token.len);
    size_t size = dot ? token.len - (size_t)(dot - token.p) - 1 : 0;
    if (size != base64_size(signature_size(k)))
        return false;
    cjose_jws_t *jws = cjose_jws_import(token.p, token.len, &error);
    if (!jws)
        return false;
    const char *alg = cjose_header_get(cjose_jws_get_protected(jws), CJOSE_HDR_ALG, &error);
    bool ok = alg && strcmp(alg, algs[k->alg].name) == 0 && cjose_jws_verify(jws, k->jwk, &error);
    cjose_jws_release(jws);
    return ok;
}

static cjose_header_t *header_of(const struct jwt_key *k, Str kid)
{
    cjose_err error;
    char *name = str_dup(kid);
    cjose_header_t *h = cjose_header_new(&error);
    bool ok = h && cjose_header_set(h, CJOSE_HDR_ALG, algs[k->alg].name, &error) &&
              cjose_header_set(h, "typ", "JWT", &error) &&
              (!kid.len || cjose_header_set(h, CJOSE_HDR_KID, name, &error));
    assert(ok);
    free(name);
    return h;
}

bool jwt_sign(struct buf *token, const struct jwt_key *k, Str kid, Str payload, struct fault *why)
{
    cjose_err error = {0};
    const char *text = NULL;
    cjose_header_t *h = header_of(k, kid);
    cjose_jws_t *jws = cjose_jws_sign(k->jwk, h, (const uint8_t *)payload.p, payload.len, &error);
    bool ok = jws && cjose_jws_export(jws, &text, &error) && buf_putz(token, text);
    cjose_jws_release(jws);
    cjose_header_release(h);
    return ok || fail(why, REFUSE_CONFIG, "the key cannot sign: %s",
                      error.message ? error.message : "a private one is needed");
}

void jwt_hmac(Str secret, Str bytes, char out[JWT_DIGEST])
{
    const unsigned char *text = (const unsigned char *)bytes.p;
    unsigned len = JWT_DIGEST;
    const unsigned char *made =
        HMAC(EVP_sha256(), secret.p, (int)secret.len, text, bytes.len, (unsigned char *)out, &len);
    assert(made && len == JWT_DIGEST);
}

void jwt_digest(Str bytes, char out[JWT_DIGEST])
{
    int ok = EVP_Digest(bytes.p, bytes.len, (unsigned char *)out, NULL, EVP_sha256(), NULL);
    assert(ok);
}
