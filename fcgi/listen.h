/* listen -- the socket that web servers connect to: handed over by systemd or by who started us, or
 * bound here so that its path never vanishes. */
#ifndef BELFRY_LISTEN_H
#define BELFRY_LISTEN_H

#include "base/options.h"
#include "base/str.h"

struct listener {
    int fd;
    int lock; /* -1: there is none */
    bool is_tcp;
    char where[160]; /* for the ready line */
};

MUST_USE bool listener_open(struct listener *l, const struct options *o, struct fault *why);
/* Of descriptors that another process opened so. `where`: as it named it; empty: to be found out.
 */
void listener_inherit(struct listener *l, int fd, int lock, Str where);
/* Nonblocking, close-on-exec. -1: nobody waits, or it could not be taken. */
int listener_accept(struct listener *l);
void listener_close(struct listener *l);

/* Binds beside what may be there and renames over it: mode 0660 and the group, then listening. */
MUST_USE bool listen_unix(const char *path, const char *group, int *fd, struct fault *why);

#endif
