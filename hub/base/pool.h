/* pool -- memory for small things of which there are many, and which live long: without the words
 * that malloc puts before each, and apart from what comes and goes. What is freed is kept for
 * others of its size; the pool's end gives all of it back. */
#ifndef BELFRY_POOL_H
#define BELFRY_POOL_H

#include <stddef.h>

#define POOL_MOST 1024 /* bytes; what is larger comes from malloc */

struct pool_block;
struct pool {
    struct pool_block *blocks; /* the newest first */
    size_t left;               /* bytes of it that were never given out */
    void *freed[POOL_MOST / 8];
};

void pool_init(struct pool *p);
void pool_fini(struct pool *p);                           /* everything was freed before */
void *pool_alloc(struct pool *p, size_t size);            /* zeroed */
void pool_free(struct pool *p, void *thing, size_t size); /* as large as it was asked for */

#endif
