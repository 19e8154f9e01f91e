#include "base/heap.h"

#include "base/memory.h"

#include <stdlib.h>

void heap_init(struct heap *h)
{
    *h = (struct heap){0};
}

void heap_fini(struct heap *h)
{
    for (size_t i = 0; i < h->len; i++)
        h->v[i]->at = 0;
    free(h->v);
    heap_init(h);
}

/* Places are 1-based, so that a node's parent is at half its place. */
static void place(struct heap *h, struct heap_node *node, size_t at)
{
    h->v[at - 1] = node;
    node->at = at;
}

static void settle(struct heap *h, struct heap_node *node, size_t at)
{
    for (; at > 1 && h->v[at / 2 - 1]->key > node->key; at /= 2)
        place(h, h->v[at / 2 - 1], at);
    for (size_t child; (child = at * 2) <= h->len; at = child) {
        if (child < h->len && h->v[child]->key < h->v[child - 1]->key)
            child++;
        if (h->v[child - 1]->key >= node->key)
            break;
        place(h, h->v[child - 1], at);
    }
    place(h, node, at);
}

void heap_set(struct heap *h, struct heap_node *node, uint64_t key)
{
    node->key = key;
    if (!node->at) {
        if (h->len == h->cap) {
            h->cap = h->cap ? h->cap * 2 : 16;
            h->v = must_realloc(h->v, h->cap * sizeof(struct heap_node *));
        }
        place(h, node, ++h->len);
    }
    settle(h, node, node->at);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
    if (!node->at)
        return;
    size_t at = node->at;
    struct heap_node *last = h->v[--h->len];
    node->at = 0;
    if (last != node)
        settle(h, last, at);
}

struct heap_node *heap_top(const struct heap *h)
{
    return h->len ? h->v[0] : NULL;
}
