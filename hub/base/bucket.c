#include "base/bucket.h"

#include "base/memory.h"

#include <stdlib.h>

struct bucket {
    struct list node;
    uint64_t clear; /* us: when all of it is made up for */
    Str key;
    char bytes[];
};

void buckets_init(struct buckets *b)
{
    map_init(&b->by_key);
    list_init(&b->used);
}

static void forget(struct buckets *b, struct bucket *one)
{
    map_del(&b->by_key, one->key);
    list_remove(&one->node);
    free(one);
}

static struct bucket *oldest(const struct buckets *b)
{
    return list_is_empty(&b->used) ? NULL : CONTAINER_OF(b->used.next, struct bucket, node);
}

void buckets_fini(struct buckets *b)
{
    for (struct bucket *one; (one = oldest(b));)
        forget(b, one);
    map_fini(&b->by_key);
}

/* Two go for each that comes, so that those who stay away don't stay here. */
static void make_room(struct buckets *b, uint64_t now)
{
    struct bucket *one;
    for (int i = 0; i < 2 && (one = oldest(b)); i++)
        if (one->clear <= now || b->by_key.len >= BUCKETS_MOST)
            forget(b, one);
}

static struct bucket *need(struct buckets *b, Str key, uint64_t now)
{
    struct bucket *one = map_get(&b->by_key, key);
    if (!one) {
        make_room(b, now);
        one = must_alloc(sizeof *one + key.len);
        memcpy(one->bytes, key.p, key.len);
        one->key = str_make(one->bytes, key.len);
        map_put(&b->by_key, one->key, one);
    }
    list_remove(&one->node);
    list_append(&b->used, &one->node);
    return one;
}

void buckets_charge(struct buckets *b, Str key, const struct bucket_rate *r, uint64_t cost,
                    Msec now)
{
    if (!r->rate || !cost)
        return;
    uint64_t us = now * 1000, most = cost < BUCKET_COST_MOST ? cost : BUCKET_COST_MOST;
    struct bucket *one = need(b, key, us);
    if (one->clear < us)
        one->clear = us;
    one->clear += most * 1000000 * r->share / r->rate;
}

bool buckets_may(const struct buckets *b, Str key, const struct bucket_rate *r, Msec now)
{
    const struct bucket *one = r->rate ? map_get(&b->by_key, key) : NULL;
    return !one || one->clear < (now + r->burst) * 1000;
}

bool buckets_take(struct buckets *b, Str key, const struct bucket_rate *r, uint64_t cost, Msec now)
{
    if (!buckets_may(b, key, r, now))
        return false;
    buckets_charge(b, key, r, cost, now);
    return true;
}
