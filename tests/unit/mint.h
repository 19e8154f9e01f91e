/* mint -- tokens for tests, with whatever header and claims, signed or not; and files of keys. */
#ifndef BELFRY_MINT_H
#define BELFRY_MINT_H

#include "base/buf.h"

#define MINT_SECRET "a secret that has more than thirty-two bytes"
#define MINT_BYTES  65536

/* RFC 7515, appendix A: keys as JWKs, and tokens signed with them. */
extern const char *const mint_rfc_keys[3];
extern const char *const mint_rfc_tokens[3];

void mint_base64(struct buf *out, Str bytes);
/* Appends the token `header`.`payload`, signed by HMAC-SHA256 with `secret`. */
void mint_put(struct buf *out, Str header, Str payload, Str secret);
/* The same, as text that lasts until the next call; MINT_SECRET. */
Str mint(const char *header, const char *payload);
/* With {"alg":"HS256"}; a % in `claims` is a number: `seconds`. */
Str mint_claims(const char *claims, long long seconds);

/* A file of its own with this text; gone with mint_drop. */
char *mint_file(Str text);
void mint_write(const char *path, Str text);
void mint_drop(char *path);

#endif
