#include "order.h"

#include "base/random.h"

static void measure(struct order_node *n)
{
    n->highest = n->floor;
    if (n->left && n->left->highest > n->highest)
        n->highest = n->left->highest;
    if (n->right && n->right->highest > n->highest)
        n->highest = n->right->highest;
}

static void replace(struct order *o, struct order_node *old, struct order_node *by)
{
    if (!old->up)
        o->root = by;
    else if (old->up->left == old)
        old->up->left = by;
    else
        old->up->right = by;
    if (by)
        by->up = old->up;
}

/* Puts n, a child, in its parent's place. */
static void rotate_up(struct order *o, struct order_node *n)
{
    struct order_node *p = n->up;
    replace(o, p, n);
    struct order_node *moved;
    if (p->left == n) {
        moved = n->right;
        p->left = moved;
        n->right = p;
    } else {
        moved = n->left;
        p->right = moved;
        n->left = p;
    }
    if (moved)
        moved->up = p;
    p->up = n;
    measure(p);
    measure(n);
}

/* A floor that came in below `n`. */
static void spread(struct order_node *n, Position floor)
{
    for (; n && n->highest < floor; n = n->up)
        n->highest = floor;
}

void order_add(struct order *o, struct order_node *n, Str name, Position floor)
{
    *n = (struct order_node){.name = name, .floor = floor, .highest = floor};
    if (!o->key.a)
        o->key = (HashKey){random_u64() | 1, random_u64()};
    n->weight = (uint32_t)hash64(name, o->key);
    struct order_node **place = &o->root;
    while (*place) {
        n->up = *place;
        place = str_cmp(name, n->up->name) < 0 ? &n->up->left : &n->up->right;
    }
    *place = n;
    while (n->up && n->up->weight < n->weight)
        rotate_up(o, n);
    if (n->up)
        spread(n->up, floor);
}

void order_remove(struct order *o, struct order_node *n)
{
    while (n->left && n->right)
        rotate_up(o, n->left->weight > n->right->weight ? n->left : n->right);
    replace(o, n, n->left ? n->left : n->right);
    for (struct order_node *p = n->up; p; p = p->up)
        measure(p);
}

void order_raise(struct order_node *n, Position floor)
{
    if (floor > n->floor)
        n->floor = floor;
    spread(n, floor);
}

struct order_node *order_first(const struct order *o, Str name, bool after)
{
    struct order_node *found = NULL;
    for (struct order_node *n = o->root; n;) {
        int c = str_cmp(n->name, name);
        if (c < 0 || (after && c == 0)) {
            n = n->right;
        } else {
            found = n;
            n = n->left;
        }
    }
    return found;
}

struct order_node *order_next(const struct order_node *n)
{
    if (n->right) {
        struct order_node *down = n->right;
        while (down->left)
            down = down->left;
        return down;
    }
    struct order_node *up = n->up;
    for (; up && up->right == n; up = up->up)
        n = up;
    return up;
}

static bool is_below(Str name, Str to)
{
    return !to.len || str_cmp(name, to) < 0;
}

static bool is_in(Str name, Str from, Str to)
{
    return str_cmp(name, from) >= 0 && is_below(name, to);
}

/* Of `n` and the nodes below it; only the left end of the range lies among them, or the right. */
static Position highest_on_side(const struct order_node *n, Str from, Str to, bool is_left)
{
    Position highest = 0;
    while (n) {
        bool in = is_in(n->name, from, to);
        const struct order_node *inner = is_left ? n->right : n->left;
        if (in && n->floor > highest)
            highest = n->floor;
        if (in && inner && inner->highest > highest)
            highest = inner->highest;
        n = in == is_left ? n->left : n->right;
    }
    return highest;
}

Position order_highest(const struct order *o, Str from, Str to)
{
    const struct order_node *n = o->root;
    while (n && !is_in(n->name, from, to))
        n = is_below(n->name, to) ? n->right : n->left;
    if (!n)
        return 0;
    Position highest = n->floor;
    Position left = highest_on_side(n->left, from, to, true);
    Position right = highest_on_side(n->right, from, to, false);
    highest = left > highest ? left : highest;
    return right > highest ? right : highest;
}
