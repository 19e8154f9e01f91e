/* accounts -- what is kept of users, row by row: who may what on which channel beyond what tokens
 * say, tokens of our own, and what is no longer good. The hub has it in its journal; it and every
 * worker have all of it in memory, so that no decision waits for anybody. Pure. */
#ifndef BELFRY_ACCOUNTS_H
#define BELFRY_ACCOUNTS_H

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "wire/message.h"
#include "wire/rights.h"

enum account_kind {
    ACCOUNT_NONE,
    ACCOUNT_USER,  /* value 1: disabled */
    ACCOUNT_GRANT, /* name: a channel or pattern; value: a bit for each action (1 << MAY_PUBLISH) */
    ACCOUNT_TOKEN, /* name: its digest; value: ms since 1970 when it ends, 0: never */
    ACCOUNT_BEFORE, /* value: tokens issued before (ms since 1970) are no longer good */
    ACCOUNT_ID,     /* name: the token with this `jti` is no longer good; of no user */
    ACCOUNT_SEEN,   /* value: when the user's last client was gone; the hub's alone (seen.h) */
    ACCOUNT_KINDS,
};
const char *account_kind_name(int kind); /* "grant" */
int account_kind_of(Str name);           /* NONE: there is no such kind */

#define ACCOUNT_NAME_MAX 256 /* bytes */

/* A user empty, in GRANT and BEFORE, stands for every user. */
struct account {
    struct list node; /* of its user's rows */
    uint8_t kind;
    Str user, name;
    uint64_t value;
    Msec time; /* when it was written */
    Str key;
    char bytes[];
};

struct accounts {
    struct map rows;
    struct map holders; /* users that have rows */
};

void accounts_init(struct accounts *a);
void accounts_fini(struct accounts *a);
/* A list of packed `account`: each is put in the place of the one before it, or taken away. What
 * cannot be is left out. */
void accounts_take(struct accounts *a, Str list);
/* Rows from *at = 0 on, as such a list, until it has `most` bytes. False: that was all. */
bool accounts_put(const struct accounts *a, size_t *at, size_t most, struct buf *list);
bool account_put(struct buf *list, const struct msg_account *row);
MUST_USE bool account_is_valid(const struct msg_account *row, struct fault *why);

const struct account *accounts_find(const struct accounts *a, enum account_kind kind, Str user,
                                    Str name);
/* Walks the rows of a user; NULL at the end. */
const struct account *accounts_of(const struct accounts *a, Str user, const struct account *after);
/* Adds what is granted to the user and to every user; good until the next accounts_take(). */
void accounts_grant(const struct accounts *a, struct rights *rights);
/* What a token is known by: one of these, then its `jti` or its digest. */
#define ACCOUNT_JTI  '='
#define ACCOUNT_OURS '~'
/* Whether one who was identified at `issued`, by a token with this id (none: empty), may still
 * come. */
bool accounts_admit(const struct accounts *a, Str user, Str id, Msec issued);

/* Of a token of ours only its SHA-256 is kept: it is made of 32 random bytes, so there is nothing
 * that a slow hash would keep from being guessed. */
#define ACCOUNT_DIGEST 65 /* in hexadecimal, and a NUL */
void account_digest(Str token, char out[ACCOUNT_DIGEST]);

#endif
