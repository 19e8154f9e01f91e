/* fleeting -- the ephemeral events of the last seconds: a poll client that comes back gets those
 * that passed between its polls. */
#ifndef BELFRY_FLEETING_H
#define BELFRY_FLEETING_H

#include "base/list.h"
#include "wire/event.h"

#define FLEETING_MS  5000
#define FLEETING_GET 32 /* at most so many for one poll */

struct fleeting {
    struct list items;
    size_t n, bytes;
    uint64_t last; /* number of the newest ever; they are numbered from 1 */
};

void fleeting_init(struct fleeting *f);
void fleeting_fini(struct fleeting *f);
void fleeting_add(struct fleeting *f, struct event *e, Msec mono);
void fleeting_expire(struct fleeting *f, Msec mono);
/* The newest with a number above `since` that went to `client` or to a name of the list, oldest
 * first. They are borrowed. */
size_t fleeting_get(const struct fleeting *f, uint64_t since, Str client, Str names,
                    const struct event *out[FLEETING_GET]);

#endif
