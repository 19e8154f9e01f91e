/* admin -- questions to the hub's admin.ipc: JSON out, JSON in, with a deadline. Reads only and
 * housekeeping, so whatever goes wrong may be tried again. Knows no question. */
#ifndef BELFRY_CLI_ADMIN_H
#define BELFRY_CLI_ADMIN_H

#include "base/json.h"
#include "base/options.h"
#include "cli/local.h"

#define ADMIN_MS   5000
#define ADMIN_SLOW (24 * 3600 * (Msec)1000) /* for what walks through the whole journal */

struct admin {
    struct local local;
    struct parcel answer; /* the one that admin_ask returned last */
    Json *whole;
};

MUST_USE bool admin_open(struct admin *a, const struct options *o, struct fault *why);
void admin_close(struct admin *a);

/* The answer, valid until the next question; NULL: `why` has the hub's own code and text. */
MUST_USE const Json *admin_ask(struct admin *a, Str question, Msec ms, struct fault *why);
/* The bytes of that answer. */
Str admin_text(const struct admin *a);

/* One question for a command that prints the answer: as it is with `json`, else by `print`.
 * Returns the exit code. */
int admin_command(const struct options *o, Str question, Msec ms, bool json,
                  int (*print)(const Json *answer));

/* A member of an object: 0, "" where it is missing or of another kind. */
uint64_t admin_u64(const Json *object, const char *name);
Str admin_str(const Json *object, const char *name);

#endif
