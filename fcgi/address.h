/* address -- whose a request is, as far as nobody says who he is: where it came from. Of the header
 * X-Forwarded-For only what a trusted proxy wrote counts. Pure. */
#ifndef BELFRY_ADDRESS_H
#define BELFRY_ADDRESS_H

#include "base/fault.h"
#include "base/memory.h"
#include "base/str.h"

enum { ADDRESS_KEY = 64 };

/* `trusted`: between commas. A slice of `remote`, or, where that is trusted, of `forwarded`: the
 * last address there that is not trusted. What is no address ends the chain. */
Str address_of(Str trusted, Str remote, Str forwarded);
/* What is counted as one: an IPv4 address, or the /64 of an IPv6 address; another text is itself.
 * Empty: none, or a trusted proxy's own, which are not counted. */
Str address_key(Str trusted, Str address, char key[ADDRESS_KEY]);
/* Each is an address, or "unix:". */
MUST_USE bool address_check(Str trusted, struct fault *why);

#endif
