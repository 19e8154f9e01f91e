/* journal_keys -- idempotency keys: what was answered to a publish that came with one, for as long
 * as a repeat of it is to get the same answer. Works within the writer's transaction. */
#ifndef BELFRY_JOURNAL_KEYS_H
#define BELFRY_JOURNAL_KEYS_H

#include "journal_schema.h"

struct keys {
    struct db *db;
    struct ledger *ledger; /* its `time` is now, its `keys` how many there are */
    Msec age;
    uint64_t limit;
    Msec mono, time;    /* when the log's time was looked at last, and what it was */
    Msec ahead, jumped; /* how far it ran ahead of the time that passed; since when */
};

/* What is kept with a key. */
struct kept {
    uint64_t print[2];
    Position first;
    uint64_t n;
    Msec time;
    struct buf answers; /* of a batch: text of who keeps it */
};

enum key_state { KEY_NEW, KEY_KNOWN, KEY_OTHER };
/* KEY_OTHER: the key was used with something of another print. With KEY_KNOWN `out` is filled. */
enum key_state keys_find(struct keys *k, Str user, Str key, const uint64_t print[2],
                         struct kept *out);
void keys_add(struct keys *k, Str user, Str key, const struct kept *what);
/* Whether `n` more fit, after expired ones went. */
bool keys_have_room(struct keys *k, uint64_t n);
/* Looks at the oldest `most` and drops those that are too old. */
void keys_expire(struct keys *k, uint64_t most);
void kept_fini(struct kept *k);

#endif
