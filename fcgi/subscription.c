#include "subscription.h"

#include "wire/names.h"

#include <assert.h>
#include <stdlib.h>

/* An ADD that crossed a LEAVE comes within the lease of a link. */
enum { CROSSING = 5000 };

void subscriptions_init(struct subscriptions *ss)
{
    map_init(&ss->by_name);
    list_init(&ss->all);
    list_init(&ss->patterns);
    list_init(&ss->lingering);
    list_init(&ss->left);
}

static void forget(struct subscriptions *ss, struct subscription *sub)
{
    map_del(&ss->by_name, sub->name);
    list_remove(&sub->node);
    list_remove(&sub->patterns);
    list_remove(&sub->lingers);
    free(sub);
}

void subscriptions_fini(struct subscriptions *ss)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &ss->all)
    forget(ss, CONTAINER_OF(node, struct subscription, node));
    LIST_EACH(node, safe, &ss->left)
    forget(ss, CONTAINER_OF(node, struct subscription, node));
    map_fini(&ss->by_name);
}

struct subscription *subscription_find(const struct subscriptions *ss, Str name)
{
    return map_get(&ss->by_name, name);
}

static struct subscription *make(struct subscriptions *ss, Str name)
{
    struct subscription *sub = must_alloc(sizeof *sub + name.len);
    char *text = (char *)(sub + 1);
    memcpy(text, name.p, name.len);
    sub->name = str_make(text, name.len);
    list_init(&sub->seats);
    list_append(&ss->all, &sub->node);
    if (is_pattern(name))
        list_append(&ss->patterns, &sub->patterns);
    map_put(&ss->by_name, sub->name, sub);
    return sub;
}

static void revive(struct subscriptions *ss, struct subscription *sub)
{
    sub->is_left = sub->is_joined = false;
    sub->is_back = true;
    list_remove(&sub->node);
    list_append(&ss->all, &sub->node);
    if (is_pattern(sub->name))
        list_append(&ss->patterns, &sub->patterns);
}

struct subscription *subscription_take(struct subscriptions *ss, Str name)
{
    struct subscription *sub = subscription_find(ss, name);
    if (!sub)
        sub = make(ss, name);
    if (sub->is_left)
        revive(ss, sub);
    list_remove(&sub->lingers);
    sub->refs++;
    return sub;
}

void subscription_release(struct subscriptions *ss, struct subscription *sub, Msec now)
{
    assert(sub->refs > 0);
    if (--sub->refs)
        return;
    sub->since = now;
    list_append(&ss->lingering, &sub->lingers);
}

void subscription_join(struct subscription *sub, Cursor join)
{
    if (sub->is_joined)
        return;
    sub->is_joined = true;
    sub->is_back = false;
    sub->covered = join;
}

static void leave(struct subscriptions *ss, struct subscription *sub, Msec now)
{
    sub->is_left = true;
    sub->is_back = false;
    sub->is_joined = false;
    sub->since = now;
    list_remove(&sub->lingers);
    list_remove(&sub->patterns);
    list_remove(&sub->node);
    list_append(&ss->left, &sub->node);
}

void subscriptions_expire(struct subscriptions *ss, Msec now, Msec linger, struct buf *left)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &ss->left)
    {
        struct subscription *sub = CONTAINER_OF(node, struct subscription, node);
        if (now - sub->since < CROSSING)
            break;
        forget(ss, sub);
    }
    LIST_EACH(node, safe, &ss->lingering)
    {
        struct subscription *sub = CONTAINER_OF(node, struct subscription, lingers);
        if (now - sub->since < linger)
            break;
        if (!list_put(left, sub->name))
            break; /* the rest goes with the next piece */
        leave(ss, sub, now);
    }
}

void subscriptions_put(const struct subscriptions *ss, struct buf *list)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &ss->all)
    {
        const struct subscription *sub = CONTAINER_OF(node, struct subscription, node);
        if (sub->is_joined)
            list_put(list, sub->name);
    }
}
