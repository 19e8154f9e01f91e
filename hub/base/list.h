/* list -- a doubly linked ring of nodes that live inside the things they link. */
#ifndef BELFRY_LIST_H
#define BELFRY_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define CONTAINER_OF(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))
/* Walks; `safe` holds the next one, so `node` may be taken out. */
#define LIST_EACH(node, safe, head)                                                                \
    for ((node) = (head)->next, (safe) = (node)->next; (node) != (head);                           \
         (node) = (safe), (safe) = (node)->next)

static inline void list_init(struct list *head)
{
    head->next = head->prev = head;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

/* A zeroed node, or one taken out, is not linked. */
static inline bool list_is_linked(const struct list *node)
{
    return node->next && node->next != node;
}

static inline void list_append(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void list_remove(struct list *node)
{
    if (!node->next)
        return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#endif
