/* heap -- the smallest key first. Nodes live inside the things they order. */
#ifndef BELFRY_HEAP_H
#define BELFRY_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    uint64_t key;
    size_t at; /* 1-based; 0: not in a heap */
};

struct heap {
    struct heap_node **v;
    size_t len, cap;
};

void heap_init(struct heap *h);
void heap_fini(struct heap *h);
/* Puts in, or moves to where the new key belongs. */
void heap_set(struct heap *h, struct heap_node *node, uint64_t key);
void heap_remove(struct heap *h, struct heap_node *node); /* one that is not in is fine */
struct heap_node *heap_top(const struct heap *h);         /* NULL when empty */

#endif
