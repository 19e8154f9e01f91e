/* rights -- who may do what. The one decision, pure; asked on every path, live and afterwards.
 *
 * What a channel asks for is its access: the first rule whose pattern takes it in says which, or
 * else the default does. Channels that begin with `user:` or `$` are never more than granted by the
 * default. Whatever the access, a user may subscribe to and read back the own channel `user:NAME`,
 * and everybody the channels of channels_for_all. */
#ifndef BELFRY_RIGHTS_H
#define BELFRY_RIGHTS_H

#include "base/str.h"

struct buf;

enum action { MAY_SUBSCRIBE, MAY_PUBLISH, MAY_HISTORY, MAY_PRESENCE, ACTION_COUNT };

/* Each lets in whom the one before it does, and more. */
enum access {
    ACCESS_UNSAID,
    ACCESS_CLOSED,        /* nobody */
    ACCESS_GRANTED,       /* whose token says so, or the database */
    ACCESS_ASK,           /* whom the application lets in, too (hooking.h) */
    ACCESS_AUTHENTICATED, /* every user */
    ACCESS_OPEN,          /* everybody */
};

/* A `[channel PATTERN]` of belfry.conf. What it does not say of history is as for subscribe. */
struct channel_rule {
    Str pattern;
    enum access access[ACTION_COUNT]; /* UNSAID: as the default */
    bool takes_names;                 /* clients without a user may say who they are */
};

/* Lists (message.h) of names and patterns. Who may subscribe may read back, too. */
struct grants {
    Str subscribe, publish, presence;
};

struct rights {
    enum access access; /* where no rule says otherwise */
    const struct channel_rule *rules;
    size_t rule_count;
    Str for_all;          /* option channels_for_all: names between commas */
    Str user;             /* empty: anonymous */
    struct grants grants; /* of the token */
    struct grants stored; /* of the user, in the hub's database */
    struct grants shared; /* of every user, there */
    struct grants asked;  /* of the application, on what it was asked about */
    struct buf *wishes; /* where what it is to be asked about is written down (channels.h), and let
                           in for now; NULL: nowhere */
};

/* `channel` may be a pattern for MAY_SUBSCRIBE and MAY_HISTORY, and is then allowed where one rule
 * or grant takes in all of it; each event's own channel is asked about again when it is
 * delivered. */
bool may(const struct rights *r, enum action action, Str channel);
/* The same but for the own channel: true or false for everybody who differs in the name alone. */
bool may_by_rule(const struct rights *r, bool is_user, enum action action, Str channel);
/* Whether that is for the application to say. */
bool rights_ask(const struct rights *r, enum action action, Str channel);
bool is_own_channel(Str user, Str channel);
bool is_for_all(Str names, Str channel); /* `names`: the option's */
/* Whether an anonymous client is shown by the name it gives itself. */
bool rights_take_names(const struct rights *r, Str channel);
const char *action_name(enum action action); /* "subscribe" */

#endif
