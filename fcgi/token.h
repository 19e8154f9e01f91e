/* token -- a JSON Web Token: taken apart, and what it says, once its signature was found good.
 * Pure. Faults are INVALID_TOKEN; they go to the log and have nothing of the token's text. */
#ifndef BELFRY_TOKEN_H
#define BELFRY_TOKEN_H

#include "base/clock.h"
#include "wire/jwt.h"
#include "wire/rights.h"

#define TOKEN_MAX       8192 /* bytes */
#define TOKEN_GRANTS    256  /* names and patterns for one right */
#define TOKEN_AUDIENCES 32
#define TOKEN_SKEW      ((Msec)30000) /* how far the issuer's clock may be from ours */

/* The three parts, not yet believed. */
struct token_parts {
    enum jwt_alg alg;
    struct buf kid; /* empty: none */
    struct buf payload;
};

MUST_USE bool token_open(struct token_parts *p, Str text, struct fault *why);
void token_close(struct token_parts *p); /* after a fault, too */

/* What is asked of its claims; empty: see options.def. */
struct token_wants {
    Str issuer, audience;
    Msec life; /* 0: any */
};

/* Counted: whoever holds one may use its strings. */
struct token {
    unsigned refs;
    Msec expires; /* its `exp` */
    Msec issued;  /* its `iat`; 0: nobody knows */
    Str user;
    Str id;     /* as accounts.h has it; empty: it has no `jti` */
    Str public; /* JSON, shown of the user to whoever sees presence; may be empty */
    struct grants grants;
};

/* Believes `payload`. `wall`: ms since 1970. */
struct token *token_read(Str payload, const struct token_wants *wants, Msec wall,
                         struct fault *why);
/* In memory of its own. */
struct token *token_copy(const struct token *t);
/* Whether its time is not over, skew included. */
bool token_is_fresh(const struct token *t, Msec wall);
struct token *token_ref(struct token *t);
void token_unref(struct token *t); /* NULL is fine */

#endif
