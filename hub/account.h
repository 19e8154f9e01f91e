/* account -- what the hub knows of users (wire/accounts.h), from its journal; changed there first,
 * then in memory, then in every worker. */
#ifndef BELFRY_ACCOUNT_H
#define BELFRY_ACCOUNT_H

#include "admin.h"

struct hub;
struct peer;

/* What the journal has. */
void account_start(struct hub *h, Str rows);
void account_fini(struct hub *h);
/* A worker that was just welcomed gets all of it before anything else. */
void account_welcome(struct hub *h, struct peer *p);
/* Writes rows (list of packed `account`, taken over); the asker is answered when they hold
 * everywhere. Takes what the asker holds, too. One at a time (is_changing): what becomes of a row
 * depends on what it is. False: LIMIT, and nothing was taken. */
MUST_USE bool account_change(struct hub *h, struct asker *a, struct buf *rows, struct fault *why);
/* Now and then drops what says nothing any more: revoked ids that no token can have, tokens of ours
 * that are over. */
void account_expire(struct hub *h);
/* FORBIDDEN where the user is disabled. */
MUST_USE bool account_is_good(const struct hub *h, Str user, struct fault *why);

#endif
