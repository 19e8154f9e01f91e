#include "base/tally.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

struct entry {
    uint64_t n;
    Str key;
    char bytes[];
};

void tally_init(struct tally *t)
{
    map_init(&t->by_key);
}

void tally_fini(struct tally *t)
{
    struct entry *e;
    for (size_t at = 0; (e = map_next(&t->by_key, &at));)
        free(e);
    map_fini(&t->by_key);
}

uint64_t tally_of(const struct tally *t, Str key)
{
    const struct entry *e = map_get(&t->by_key, key);
    return e ? e->n : 0;
}

void tally_add(struct tally *t, Str key, uint64_t n)
{
    if (!key.len || !n)
        return;
    struct entry *e = map_get(&t->by_key, key);
    if (!e) {
        e = must_alloc(sizeof *e + key.len);
        memcpy(e->bytes, key.p, key.len);
        e->key = str_make(e->bytes, key.len);
        map_put(&t->by_key, e->key, e);
    }
    e->n += n;
}

void tally_take(struct tally *t, Str key, uint64_t n)
{
    if (!key.len || !n)
        return;
    struct entry *e = map_get(&t->by_key, key);
    assert(e && e->n >= n);
    e->n -= n;
    if (e->n)
        return;
    map_del(&t->by_key, e->key);
    free(e);
}
