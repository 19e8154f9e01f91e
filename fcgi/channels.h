/* channels -- the channels that a request names: each checked, none twice, bounded. Pure. */
#ifndef BELFRY_CHANNELS_H
#define BELFRY_CHANNELS_H

#include "base/buf.h"
#include "base/fault.h"
#include "base/json.h"
#include "query.h"
#include "wire/rights.h"

struct channels {
    struct buf list; /* as message.h has them */
    size_t n, max;
    bool with_patterns;
    enum action action;
    const struct rights *rights; /* asked for each; NULL: anybody may */
};

void channels_init(struct channels *c, size_t max, enum action action, const struct rights *rights);
void channels_fini(struct channels *c);
/* Whether it is allowed, or the application is to be asked: then that is written down. */
bool channels_allow(const struct rights *rights, enum action action, Str name);
/* `field` is named in faults: WRONG_FIELD for names and numbers, FORBIDDEN. */
MUST_USE bool channels_add(struct channels *c, Str name, const char *field, struct fault *why);
/* The channel of a user: `user:NAME`. */
MUST_USE bool channels_add_user(struct channels *c, Str user, const char *field, struct fault *why);
/* All parameters of that name, each a name or several between commas. */
MUST_USE bool channels_add_query(struct channels *c, const struct query *q, const char *name,
                                 struct fault *why);
/* A string, or an array of strings; NULL is none. */
MUST_USE bool channels_add_json(struct channels *c, const Json *value, bool is_array,
                                const char *field, struct fault *why);

#endif
