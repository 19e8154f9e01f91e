#include "base/pool.h"

#include "base/memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { STEP = 8, BLOCK = 32 * 1024 };

struct pool_block {
    struct pool_block *before;
    char bytes[BLOCK - sizeof(struct pool_block *)];
};

/* The sanitizers shall see each thing by itself. */
#if defined(__SANITIZE_ADDRESS__)
enum { IS_WATCHED = true };
#elif defined(__has_feature)
enum { IS_WATCHED = __has_feature(address_sanitizer) };
#else
enum { IS_WATCHED = false };
#endif

void pool_init(struct pool *p)
{
    *p = (struct pool){0};
}

void pool_fini(struct pool *p)
{
    for (struct pool_block *b; (b = p->blocks);) {
        p->blocks = b->before;
        free(b);
    }
    pool_init(p);
}

static size_t steps(size_t size)
{
    return size ? (size + STEP - 1) / STEP : 1;
}

static bool is_pooled(size_t size)
{
    return size <= POOL_MOST && !IS_WATCHED;
}

static void *cut(struct pool *p, size_t size)
{
    if (p->left < size) {
        struct pool_block *b = must_alloc(sizeof *b);
        b->before = p->blocks;
        p->blocks = b;
        p->left = sizeof b->bytes;
    }
    p->left -= size;
    return p->blocks->bytes + p->left;
}

void *pool_alloc(struct pool *p, size_t size)
{
    if (!is_pooled(size))
        return must_alloc(size);
    void **freed = &p->freed[steps(size) - 1], *thing = *freed;
    if (!thing)
        return cut(p, steps(size) * STEP);
    memcpy(freed, thing, sizeof *freed); /* the next one's address lies in it */
    return memset(thing, 0, size);
}

void pool_free(struct pool *p, void *thing, size_t size)
{
    if (!thing)
        return;
    if (!is_pooled(size)) {
        free(thing);
        return;
    }
    void **freed = &p->freed[steps(size) - 1];
    memcpy(thing, freed, sizeof *freed);
    *freed = thing;
}
