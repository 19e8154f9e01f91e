/* memory_tables -- the tables of a memory_log, for the files that make it up. */
#ifndef BELFRY_SIM_MEMORY_TABLES_H
#define BELFRY_SIM_MEMORY_TABLES_H

#include "memory_log.h"
#include "wire/accounts.h"

struct memory_channel {
    uint64_t row;
    char *name;
    Position floor;
    Msec floor_time;
    struct event **events; /* rising, from `first` on */
    size_t first, n, cap;
};

struct memory_answer {
    int code;
    Position at;
    Msec time;
};

/* A publish that came with a key. */
struct memory_key {
    char *user, *key;
    uint64_t print[2];
    Position first;
    Msec time;
    struct memory_answer *answers; /* of a batch: one for each send */
    size_t n;
};

struct memory_log {
    struct memory_channel **channels;
    size_t channel_count;
    struct memory_key *keys; /* in the order they came */
    size_t key_count, keys_added;
    struct accounts accounts;
    struct epoch *epochs;
    size_t epoch_count;
    Position head, floor, forgotten;
    Msec time, forgotten_time;
    bool is_restored;
};

uint64_t memory_epoch(const struct memory_log *m, Position at);
struct memory_channel *memory_by_row(const struct memory_log *m, uint64_t row);
struct memory_channel *memory_by_name(const struct memory_log *m, Str name);

/* memory_keys.c */
enum memory_found { MEMORY_NEW, MEMORY_KNOWN, MEMORY_OTHER };
enum memory_found memory_key_find(const struct memory_log *m, Msec age, Str user, Str key,
                                  const uint64_t print[2], const struct memory_key **out);
/* Takes the answers over. */
void memory_key_add(struct memory_log *m, Str user, Str key, struct memory_key k);
bool memory_keys_have_room(struct memory_log *m, struct memory_keys keys, uint64_t n);
void memory_keys_expire(struct memory_log *m, Msec age, size_t most);
void memory_keys_copy(struct memory_log *to, const struct memory_log *from);
void memory_keys_fini(struct memory_log *m);

#endif
