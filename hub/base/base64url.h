/* base64url -- RFC 4648, section 5, without padding. Strict: one text for each bytes, so nothing
 * that is not in the alphabet, and no bits that would be lost. */
#ifndef BELFRY_BASE64URL_H
#define BELFRY_BASE64URL_H

#include "base/buf.h"

/* Appends the bytes. False: it is none, or they do not fit. */
MUST_USE bool base64url_decode(struct buf *out, Str text);

#endif
