/* order -- channels by name, as a treap; each node knows the highest floor below it, so that both
 * a listing by prefix and "what was the highest that was pruned of room:*" take few steps however
 * many channels there are. The nodes live inside the channels. */
#ifndef BELFRY_ORDER_H
#define BELFRY_ORDER_H

#include "base/hash.h"
#include "wire/cursor.h"

struct order_node {
    struct order_node *up, *left, *right;
    Str name; /* the channel's own bytes */
    uint32_t weight;
    Position floor, highest; /* its own; of itself and all below it */
};

struct order {
    struct order_node *root;
    HashKey key; /* of the weights: nobody can choose names that unbalance it; drawn at the first */
};

/* A name that is not in yet. */
void order_add(struct order *o, struct order_node *n, Str name, Position floor);
void order_remove(struct order *o, struct order_node *n);
void order_raise(struct order_node *n, Position floor);
/* The first whose name is not below `name` (`after`: is above it), or NULL. */
struct order_node *order_first(const struct order *o, Str name, bool after);
struct order_node *order_next(const struct order_node *n);
/* The highest floor of all names from `from` on that are below `to`; empty: to the end. */
Position order_highest(const struct order *o, Str from, Str to);

#endif
