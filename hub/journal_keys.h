/* journal_keys -- idempotency keys: what was answered to a publish that came with one, for as long
 * as a repeat of it is to get the same answer. Works within the writer's transaction. */
#ifndef BELFRY_JOURNAL_KEYS_H
#define BELFRY_JOURNAL_KEYS_H

#include "journal_schema.h"

enum { KEYS_STEPS = 16 }; /* a key is kept for its age, and at most so small a part of it longer */

/* When the newest key had this number, or none had a higher one. */
struct key_mark {
    Msec mono;
    uint64_t number;
};

struct keys {
    struct db *db;
    struct ledger *ledger; /* its `keys` is how many there are */
    Msec age;
    uint64_t limit;
    uint64_t number; /* of the newest; none is given twice, rolled back or not */
    uint64_t first;  /* of the newest that was there at the start */
    Msec ahead;      /* of the log's time before the monotonic clock, at the start */
    /* Newest first: that of now, and those before it, every other a step older at least. */
    struct key_mark marks[2 * KEYS_STEPS + 2];
};

/* Before anything else; when the ledger was read. */
void keys_start(struct keys *k);

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
