/* users -- what tools ask and say about users: `users`, `user`, `token`, `grant`, `revoke`, `kick`.
 */
#ifndef BELFRY_USERS_H
#define BELFRY_USERS_H

#include "admin.h"

/* Appends the answer. */
bool users_list(const struct hub *h, const Json *question, struct buf *out, struct fault *why);
/* These take what the asker holds over, or else say why not. */
bool users_change(struct hub *h, struct asker *a, const Json *question, struct fault *why);
bool users_token(struct hub *h, struct asker *a, const Json *question, struct fault *why);
bool users_grant(struct hub *h, struct asker *a, const Json *question, struct fault *why);
bool users_revoke(struct hub *h, struct asker *a, const Json *question, struct fault *why);
bool users_kick(struct hub *h, struct asker *a, const Json *question, struct fault *why);

#endif
