/* auth -- who asks, and what that one may do. Identity comes from the web server's REMOTE_USER
 * where the options trust it, and from nothing that a client could set. Pure. */
#ifndef BELFRY_AUTH_H
#define BELFRY_AUTH_H

#include "base/options.h"
#include "request.h"
#include "wire/rights.h"

/* The strings are the request's and the options'. */
struct visitor {
    Str user; /* empty: anonymous */
    Str address;
    struct rights rights;
};

MUST_USE bool auth_visitor(const struct options *o, const struct request *r, struct visitor *out,
                           struct fault *why);
/* What a browser sends by itself (a password, a certificate) proves nothing about a page of
 * another site: a request that changes something must come from the mount's own or an allowed
 * one. */
MUST_USE bool auth_origin(const struct options *o, const struct request *r, const struct visitor *v,
                          struct fault *why);
/* Whether the address may read /metrics. */
bool auth_is_allowed(Str addresses, Str address);

#endif
