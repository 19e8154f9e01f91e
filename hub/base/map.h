/* map -- from a slice of bytes to a pointer. Keys are not copied: they live in the
 * value. Hashed with a random key (SipHash), so that names from outside cannot collide it. */
#ifndef BELFRY_MAP_H
#define BELFRY_MAP_H

#include "str.h"

struct map_slot;
struct map {
    struct map_slot *slots;
    size_t len;
    uint32_t used, cap;
};

void map_init(struct map *m);
void map_fini(struct map *m); /* frees no values */
void *map_get(const struct map *m, Str key);
/* Adds, or replaces key and value. */
void map_put(struct map *m, Str key, void *value);
/* Takes out and returns the value, or NULL. */
void *map_del(struct map *m, Str key);
/* Walks from *at = 0; NULL at the end. What is returned may be deleted meanwhile; nothing may be
 * put. */
void *map_next(const struct map *m, size_t *at);

#endif
