/* Open addressing with linear probing. A slot is free (no value), taken, or a grave that keeps
 * the probes of others going; `used` counts taken slots and graves. */
#include "base/map.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

/* 24 bytes; with many things in a map this counts. */
struct map_slot {
    uint32_t hash;
    uint32_t key_len;
    const char *key;
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

static uint32_t hash_of(Str key)
{
    pthread_once(&once, draw_secret);
    return (uint32_t)hash64(key, secret);
}

/* Where the probes for a hash begin: any number of slots will do. */
static uint32_t place_of(const struct map *m, uint32_t hash)
{
    return (uint32_t)((uint64_t)hash * m->cap >> 32);
}

static uint32_t after(const struct map *m, uint32_t at)
{
    return at + 1 < m->cap ? at + 1 : 0;
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

static bool has_key(const struct map_slot *slot, uint32_t hash, Str key)
{
    return is_taken(slot) && slot->hash == hash && str_eq(str_make(slot->key, slot->key_len), key);
}

static struct map_slot *find(const struct map *m, Str key, uint32_t hash)
{
    if (!m->len)
        return NULL;
    for (uint32_t i = place_of(m, hash);; i = after(m, i)) {
        struct map_slot *slot = &m->slots[i];
        if (!slot->value)
            return NULL;
        if (has_key(slot, hash, key))
            return slot;
    }
}

void *map_get(const struct map *m, Str key)
{
    struct map_slot *slot = m->len ? find(m, key, hash_of(key)) : NULL;
    return slot ? slot->value : NULL;
}

static void add(struct map *m, struct map_slot entry)
{
    uint32_t i = place_of(m, entry.hash);
    while (is_taken(&m->slots[i]))
        i = after(m, i);
    if (!m->slots[i].value)
        m->used++;
    m->slots[i] = entry;
    m->len++;
}

/* A table a little more than half full, without graves. */
static void rebuild(struct map *m)
{
    struct map old = *m;
    map_init(m);
    m->cap = (uint32_t)(old.len / 8 * 15 + SMALLEST);
    m->slots = must_alloc((size_t)m->cap * sizeof *m->slots);
    for (uint32_t i = 0; i < old.cap; i++)
        if (is_taken(&old.slots[i]))
            add(m, old.slots[i]);
    free(old.slots);
}

void map_put(struct map *m, Str key, void *value)
{
    assert(value && key.len <= UINT32_MAX);
    uint32_t hash = hash_of(key);
    struct map_slot entry = {hash, (uint32_t)key.len, key.p, value};
    struct map_slot *slot = find(m, key, hash);
    if (slot) {
        *slot = entry;
        return;
    }
    if (m->used >= m->cap / 5 * 4)
        rebuild(m);
    add(m, entry);
}

void *map_del(struct map *m, Str key)
{
    struct map_slot *slot = find(m, key, hash_of(key));
    if (!slot)
        return NULL;
    void *value = slot->value;
    uint32_t at = (uint32_t)(slot - m->slots);
    m->len--;
    if (m->slots[after(m, at)].value) {
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
