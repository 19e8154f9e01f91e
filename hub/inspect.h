/* inspect -- questions of tools that the journal answers: `log`, `backup`, `check`. */
#ifndef BELFRY_INSPECT_H
#define BELFRY_INSPECT_H

#include "admin.h"

/* These take what the asker holds over. False: `why`, and nothing was taken. */
bool inspect_log(struct hub *h, struct asker *a, const Json *question, struct fault *why);
bool inspect_backup(struct hub *h, struct asker *a, const Json *question, struct fault *why);
bool inspect_check(struct hub *h, struct asker *a, const Json *question, struct fault *why);

/* The hub stops, or is gone: whoever waits for a backup or a check is told. */
void inspect_stop(struct hub *h);
/* When the journal is closed: what it had no time for. */
void inspect_fini(struct hub *h);

#endif
