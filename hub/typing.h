/* typing -- who is writing on a channel: said on at most once in three seconds, and ended by the
 * hub where its page does not. */
#ifndef BELFRY_TYPING_H
#define BELFRY_TYPING_H

#include "base/list.h"
#include "base/map.h"

struct event;
struct hub;

struct typing {
    struct map by_key;
    struct list order; /* whose end comes first stands first */
};

void typing_init(struct typing *t);
void typing_fini(struct typing *t);
/* Whether it is such an event: the hub says on what there is to say in its own words. */
bool typing_takes(struct hub *h, const struct event *e);
void typing_expire(struct hub *h);

#endif
