#include "batch.h"

#include <stdlib.h>

enum { SMALLEST = 16 };

static void put(struct item ***items, size_t *len, size_t *cap, struct item *i)
{
    if (*len == *cap) {
        *cap = *cap ? *cap * 2 : SMALLEST;
        *items = must_realloc(*items, *cap * sizeof(struct item *));
    }
    (*items)[(*len)++] = i;
}

void batch_fini(struct batch *b)
{
    batch_forget(b);
    free(b->items);
    free(b->made);
}

void batch_clear(struct batch *b)
{
    b->len = b->bytes = 0;
}

void batch_add(struct batch *b, struct item *i)
{
    put(&b->items, &b->len, &b->cap, i);
    b->bytes += i->event->data.len;
}

Position batch_last(const struct batch *b)
{
    for (size_t i = b->len; i-- > 0;)
        if (!event_is_ephemeral(b->items[i]->event))
            return b->items[i]->event->id.at;
    return 0;
}

void batch_forget(struct batch *b)
{
    for (size_t i = 0; i < b->made_len; i++)
        item_unref(b->made[i]);
    b->made_len = 0;
    chunk_unref(b->chunk);
    b->chunk = NULL;
}

static bool is_made(const struct batch *b, const struct sink_ops *ops)
{
    return b->chunk && b->ops == ops && b->made_len == b->len &&
           memcmp(b->made, b->items, b->len * sizeof b->items[0]) == 0;
}

static struct chunk *join(const struct batch *b, const struct sink_ops *ops, bool without_id)
{
    struct buf out;
    buf_init(&out, SIZE_MAX / 2);
    for (size_t i = 0; i < b->len; i++) {
        if (without_id)
            ops->render(&out, b->items[i]->event, true);
        else
            buf_put(&out, chunk_bytes(item_render(b->items[i], ops)));
    }
    return chunk_take(&out);
}

struct chunk *batch_chunk(struct batch *b, const struct sink_ops *ops, bool without_id)
{
    if (without_id)
        return join(b, ops, true);
    if (b->len == 1)
        return chunk_ref(item_render(b->items[0], ops));
    if (is_made(b, ops))
        return chunk_ref(b->chunk);
    batch_forget(b);
    b->chunk = join(b, ops, false);
    b->ops = ops;
    for (size_t i = 0; i < b->len; i++)
        put(&b->made, &b->made_len, &b->made_cap, item_ref(b->items[i]));
    return chunk_ref(b->chunk);
}
