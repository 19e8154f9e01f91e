/* pass -- what a stream may read. Streams that differ in the user's name alone share one, which
 * remembers its answers by channel. Pure. */
#ifndef BELFRY_PASS_H
#define BELFRY_PASS_H

#include "base/map.h"
#include "wire/rights.h"

struct passes {
    struct map by_key;
};

struct pass {
    unsigned refs;
    struct passes *passes;
    struct rights rights; /* without the user */
    bool is_user;
    struct map answers;
    Str key; /* in the same memory */
};

void passes_init(struct passes *ps);
void passes_fini(struct passes *ps); /* nobody has one any more */

/* Copies the grants; rules and for_all must live as long as the passes. */
struct pass *pass_take(struct passes *ps, const struct rights *rights);
struct pass *pass_ref(struct pass *p);
void pass_unref(struct pass *p); /* NULL is fine */

/* `user`: of the one who asks. */
bool pass_may_read(struct pass *p, Str user, Str channel);

#endif
