/* Open addressing with linear probing. A slot is free (no value), taken, or a grave that keeps
 * the probes of others going; `used` counts taken slots and graves. */
#include "base/map.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct map_slot {
    uint64_t hash;
    Str key;
    void *value;
};

enum { SMALLEST = 16 };

static char grave;
static HashKey secret;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void draw_secret(void)
{
    random_bytes(&secret, sizeof secret);
}

static uint64_t hash_of(Str key)
{
    pthread_once(&once, draw_secret);
    return hash64(key, secret);
}

void map_init(struct map *m)
{
    *m = (struct map){0};
}

void map_fini(struct map *m)
{
    free(m->slots);
    map_init(m);
}

static bool is_taken(const struct map_slot *slot)
{
    return slot->value && slot->value != &grave;
}

static struct map_slot *find(const struct map *m, Str key, uint64_t hash)
{
    if (!m->len)
        return NULL;
    for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct map_slot *slot = &m->slots[i];
        if (!slot->value)
            return NULL;
        if (is_taken(slot) && slot->hash == hash && str_eq(slot->key, key))
            return slot;
    }
}

void *map_get(const struct map *m, Str key)
{
    struct map_slot *slot = find(m, key, hash_of(key));
    return slot ? slot->value : NULL;
}

static void add(struct map *m, struct map_slot entry)
{
    size_t i = entry.hash & (m->cap - 1);
    while (is_taken(&m->slots[i]))
        i = (i + 1) & (m->cap - 1);
    if (!m->slots[i].value)
        m->used++;
    m->slots[i] = entry;
    m->len++;
}

/* A table at most half full, without graves. */
static void rebuild(struct map *m)
{
    struct map old = *m;
    map_init(m);
    m->cap = SMALLEST;
    while (m->cap < (old.len + 1) * 2)
        m->cap *= 2;
    m->slots = must_alloc(m->cap * sizeof *m->slots);
    for (size_t i = 0; i < old.cap; i++)
        if (is_taken(&old.slots[i]))
            add(m, old.slots[i]);
    free(old.slots);
}

void map_put(struct map *m, Str key, void *value)
{
    assert(value);
    uint64_t hash = hash_of(key);
    struct map_slot entry = {hash, key, value};
    struct map_slot *slot = find(m, key, hash);
    if (slot) {
        *slot = entry;
        return;
    }
    if ((m->used + 1) * 4 > m->cap * 3)
        rebuild(m);
    add(m, entry);
}

void *map_del(struct map *m, Str key)
{
    struct map_slot *slot = find(m, key, hash_of(key));
    if (!slot)
        return NULL;
    void *value = slot->value;
    size_t at = (size_t)(slot - m->slots);
    m->len--;
    if (m->slots[(at + 1) & (m->cap - 1)].value) {
        slot->value = &grave;
        return value;
    }
    slot->value = NULL; /* no probe goes on from here */
    m->used--;
    return value;
}

void *map_next(const struct map *m, size_t *at)
{
    while (*at < m->cap) {
        const struct map_slot *slot = &m->slots[(*at)++];
        if (is_taken(slot))
            return slot->value;
    }
    return NULL;
}
