/* rights -- who may do what. The one decision, pure; asked on every path, live and afterwards.
 *
 * Today's policy is `access`: open, everything but channels that begin with `user:` or `$`;
 * closed, nothing. Under both a user may subscribe to and read back the own channel `user:NAME`,
 * and everybody the channels of channels_for_all. */
#ifndef BELFRY_RIGHTS_H
#define BELFRY_RIGHTS_H

#include "base/str.h"

enum action { MAY_SUBSCRIBE, MAY_PUBLISH, MAY_HISTORY, MAY_PRESENCE };

enum access { ACCESS_CLOSED, ACCESS_OPEN };

struct rights {
    enum access access;
    bool everything; /* a local peer: the file modes of the sockets were the check */
    Str user;        /* empty: anonymous */
    Str for_all;     /* option channels_for_all: names between commas */
};

/* `channel` may be a pattern for MAY_SUBSCRIBE and MAY_HISTORY; each event's own channel is asked
 * about again when it is delivered. */
bool may(const struct rights *r, enum action action, Str channel);
const char *action_name(enum action action); /* "subscribe" */

#endif
