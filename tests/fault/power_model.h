/* power_model -- what the log must hold: the journal's deeds, done again in their order on a list
 * in memory. Deeds are made by dice, so that each of them is possible; what the journal answers is
 * foretold. Pure. */
#ifndef BELFRY_POWER_MODEL_H
#define BELFRY_POWER_MODEL_H

#include "journal.h"
#include "tests/sim/dice.h"

enum { CHANNELS = 24, SENDS = 6, EVENTS = 4, KEYS_TRIED = 64 };

struct model_event {
    Position at;
    uint64_t body; /* a number that no other event ever has */
    size_t data;   /* bytes */
    unsigned channel;
    Msec time; /* 0: not known */
};

struct model_channel {
    bool exists;
    Position last, floor;
    uint64_t count, bytes;
};

struct model_key {
    uint64_t key, print;
    unsigned sends;
    Position at[SENDS]; /* of each */
};

struct model {
    Position head, floor, forgotten;
    struct model_event *events;
    size_t n, cap;
    struct model_channel channels[CHANNELS];
    struct model_key *keys; /* in the order they came */
    size_t key_count, key_cap;
};

struct deed_send {
    uint64_t key, print; /* key 0: none */
    unsigned n;
    struct model_event events[EVENTS]; /* without position */
    /* foretold */
    int code;
    bool again;
    Position at;
};

/* One operation of the writer's. */
struct deed {
    enum op_kind kind;
    uint64_t key, print; /* of a whole append */
    int code;
    struct deed_send sends[SENDS];
    unsigned send_count;
    unsigned channel; /* of a prune */
    uint64_t excess;
    uint32_t most;
    bool forgets[CHANNELS];
    /* foretold of a prune */
    uint64_t rows;
    Position pruned_floor;
};

void model_fini(struct model *m);
struct model model_copy(const struct model *m);
/* Does it, and fills in what is foretold. */
void model_do(struct model *m, struct deed *d);

/* A deed that fits what is known of the log. */
struct deed deed_append(const struct model *m, struct dice *dice, uint64_t *bodies);
struct deed deed_prune(const struct model *m, struct dice *dice, bool much);
struct deed deed_forget(const struct model *m);

/* The data of an event: text that only it has. */
void body_text(const struct model_event *e, char *out);
size_t body_size(const struct model_event *e); /* as event_size() says */
const char *channel_name(unsigned channel);    /* until the next call */

#endif
