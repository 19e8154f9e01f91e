/* people -- who is on a channel, as browsers and tools are told. Pure. */
#ifndef BELFRY_PEOPLE_H
#define BELFRY_PEOPLE_H

#include "base/buf.h"
#include "base/clock.h"

#define PUBLIC_MAX     1024 /* bytes of JSON that are shown of a user */
#define PEOPLE_SHOWN   200  /* where there are more they are only counted */

/* A key is a letter and a name: of a user, or what anonymous clients call themselves. */
#define PERSON_USER    'u'
#define PERSON_LABEL   'n'
#define PERSON_KEY_MAX 65

struct person {
    Str key;
    uint32_t devices;
    Msec since;
    Str public; /* JSON; empty: nothing */
};
/* {"user","verified","devices","since","public"} */
bool person_put(struct buf *out, const struct person *p);
/* {"user","verified"} */
bool person_put_key(struct buf *out, Str key);

struct people {
    Str channel;
    uint64_t version;
    uint32_t count, anonymous; /* `count`: these, too */
    bool is_crowd;             /* `users` is not said */
    Str users;                 /* what person_put wrote, between commas */
};
/* {"channel","version","state":{"count","anonymous","users":[…]}} */
bool people_put(struct buf *out, const struct people *p);

#endif
