/* route -- which handler serves a request: by the path below the mount and the method. */
#ifndef BELFRY_ROUTE_H
#define BELFRY_ROUTE_H

#include "base/fault.h"
#include "visit.h"

/* Serves what was just accepted. */
void route(struct visit *v);

struct route {
    const char *path;                /* below the mount, without its first slash */
    const char *method;              /* the only one besides HEAD (of a GET) and OPTIONS */
    void (*handle)(struct visit *v); /* NULL: this mount does not offer it */
    enum rate rate;                  /* how often; RATE_COUNT: as often as one likes */
    bool is_public;                  /* whoever asks: a token is not looked at */
};

/* Whether it can stand in a URL as it is: a path of letters, digits and -._~!$&'()*+,;=:@/ (RFC
 * 3986, section 3.3) that begins with one slash and has ROUTE_MOUNT_PARTS at most, or nothing,
 * which is the root as / is. A fault is CONFIG. */
#define ROUTE_MOUNT_PARTS 6
MUST_USE bool mount_check(Str mount, struct fault *why);

/* The route of `path`, as it stands in REQUEST_URI or (decoded already) in PATH_INFO. `name`: what
 * it says in the place of NAME; user:NAME where it says user/NAME. */
MUST_USE bool route_find(Str mount, Str path, bool is_decoded, struct buf *name,
                         const struct route **out, struct fault *why);

#endif
