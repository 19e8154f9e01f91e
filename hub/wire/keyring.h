/* keyring -- the keys that tokens are signed with, out of the text of a file and back: a JWKS, one
 * JWK, or a secret (HS256). Knows no file and no clock. */
#ifndef BELFRY_KEYRING_H
#define BELFRY_KEYRING_H

#include "base/clock.h"
#include "wire/jwt.h"

#define KEYRING_MAX   64
#define KEYRING_BYTES (256 * 1024) /* of the file */

struct keyring;

/* Of a JWKS' keys those for other uses and of other kinds are passed over. Each has the algorithm
 * it names, or else its kind's first: HS256, RS256, ES256; until `exp` where it has that member. A
 * fault is CONFIG. */
struct keyring *keyring_read(Str text, struct fault *why);
struct keyring *keyring_new(void);
void keyring_free(struct keyring *r);
size_t keyring_len(const struct keyring *r);
bool keyring_is_secret(const struct keyring *r); /* has something that must not be read */

/* Whether one of them signed `token`, whose header names `alg` and `kid` (empty: it names none, and
 * then it must be clear which is meant). *until: how long this key is valid; 0: for ever. A fault
 * is INVALID_TOKEN, and has nothing of the token's text. */
MUST_USE bool keyring_verify(const struct keyring *r, Str token, enum jwt_alg alg, Str kid,
                             Msec wall, Msec *until, struct fault *why);
/* With the first that is valid and can. */
MUST_USE bool keyring_sign(const struct keyring *r, Str payload, Msec wall, struct buf *token,
                           struct fault *why);

/* A new key becomes the first. A fault is CONFIG. */
MUST_USE bool keyring_add(struct keyring *r, enum jwt_alg alg, Str kid, struct fault *why);
/* What is there is valid until then at most; what is no longer valid goes. */
void keyring_retire(struct keyring *r, Msec until, Msec wall);
/* Appends the ring as a JWKS, or what everybody may know of it. How many keys that are. */
size_t keyring_put(struct buf *json, const struct keyring *r, bool is_private);

#endif
