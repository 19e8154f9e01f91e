/* jwt -- the signatures of JSON Web Tokens: made and checked. Knows keys and bytes, not what a
 * token says. A key has one algorithm, and no other is ever tried with it. cjose and OpenSSL are
 * known to jwt.c alone; of cjose only its JWS and JWK calls are used. */
#ifndef BELFRY_JWT_H
#define BELFRY_JWT_H

#include "base/buf.h"
#include "base/fault.h"

enum jwt_alg { JWT_NONE, JWT_HS256, JWT_HS384, JWT_HS512, JWT_RS256, JWT_PS256, JWT_ES256 };

#define JWT_ALGS       "HS256, HS384, HS512, RS256, PS256, ES256"
#define JWT_SECRET_MIN 32 /* bytes */
#define JWT_RSA_MIN    2048
#define JWT_DIGEST     32

enum jwt_alg jwt_alg_of(Str name);          /* NONE: none of ours */
const char *jwt_alg_name(enum jwt_alg alg); /* "HS256" */
bool jwt_is_secret(enum jwt_alg alg);       /* who can check can sign */

struct jwt_key;

/* `jwk`: an object of RFC 7517. A fault is CONFIG. */
struct jwt_key *jwt_key_of_jwk(Str jwk, enum jwt_alg alg, struct fault *why);
struct jwt_key *jwt_key_of_secret(Str secret, enum jwt_alg alg, struct fault *why);
struct jwt_key *jwt_key_new(enum jwt_alg alg, Str kid, struct fault *why);
void jwt_key_free(struct jwt_key *k);
/* Appends its JWK. */
bool jwt_key_put(struct buf *json, const struct jwt_key *k, bool is_private);

/* Whether the signature of `token` is by this key, with this key's algorithm; its header must say
 * so already. */
bool jwt_verify(const struct jwt_key *k, Str token);
/* Appends the token. `kid` may be empty. A fault is CONFIG: the key cannot sign. */
MUST_USE bool jwt_sign(struct buf *token, const struct jwt_key *k, Str kid, Str payload,
                       struct fault *why);

/* HMAC with SHA-256. */
void jwt_hmac(Str secret, Str bytes, char out[JWT_DIGEST]);
/* SHA-256. */
void jwt_digest(Str bytes, char out[JWT_DIGEST]);

#endif
