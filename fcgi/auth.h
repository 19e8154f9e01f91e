/* auth -- who asks, and what that one may do. Identity comes from a token that was verified (a
 * bearer's, or a cookie's), or from the web server's REMOTE_USER where the options trust it, and
 * from nothing that a client could set. */
#ifndef BELFRY_AUTH_H
#define BELFRY_AUTH_H

#include "base/options.h"
#include "request.h"
#include "tokens.h"
#include "wire/accounts.h"

/* The strings are the request's, the options' and the token's. */
struct visitor {
    Str user; /* empty: anonymous */
    Str address;
    struct rights rights;
    struct token *token;    /* NULL: none was shown */
    Msec issued;            /* wall clock: since when the user is known */
    Msec expires;           /* wall clock: when the rights end; 0: never */
    Msec asked_until;       /* … when those end that the application gave; 0: never */
    bool is_pending;        /* what is granted to the user is not known yet */
    bool is_browsers_doing; /* identity that a browser sends by itself, whoever made the page */
};

/* A fault is INVALID_TOKEN or FORBIDDEN, fit for the public; the log has more. `accounts` NULL:
 * they are not known yet; a token of ours is then HUB_AWAY. `is_spent`: this address showed too
 * many tokens that were not good, so of those that cost a look at their signature none is taken;
 * LIMIT. */
MUST_USE bool auth_visitor(const struct options *o, struct tokens *tokens,
                           const struct accounts *accounts, const struct request *r, Msec wall,
                           bool is_spent, struct visitor *out, struct fault *why);
/* The same visitor, by what is known of users now. */
MUST_USE bool auth_review(const struct accounts *accounts, struct visitor *v, struct fault *why);
void visitor_fini(struct visitor *v);
/* What a browser sends by itself (a cookie, a password, a certificate) proves nothing about a page
 * of another site: a request that changes something must then come from the mount's own or a listed
 * origin, and in a shape that no plain form has. */
MUST_USE bool auth_origin(const struct options *o, const struct request *r, const struct visitor *v,
                          struct fault *why);
/* Where the request came from (address.h). */
Str auth_address(const struct options *o, const struct request *r);
/* Whether the address may read /metrics. */
bool auth_is_allowed(Str addresses, Str address);

#endif
