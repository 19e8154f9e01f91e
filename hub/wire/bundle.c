#include "wire/bundle.h"

#include "wire/bytes.h"

enum { COPIED_MOST = 4096, FULL = 64 * 1024, ITEM_HEAD = 4 + MESSAGE_HEADER };

void bundle_init(struct bundle *b)
{
    buf_init(&b->items, FULL);
    b->n = 0;
}

void bundle_fini(struct bundle *b)
{
    buf_fini(&b->items);
    b->n = 0;
}

bool bundle_put(struct bundle *b, struct header header, Str body)
{
    char bytes[MESSAGE_HEADER];
    if (body.len > COPIED_MOST || b->items.len + ITEM_HEAD + body.len > FULL)
        return false;
    put_u32(&b->items, (uint32_t)(MESSAGE_HEADER + body.len));
    header_pack(bytes, header);
    buf_put(&b->items, str_make(bytes, sizeof bytes));
    buf_put(&b->items, body);
    b->n++;
    return true;
}

bool bundle_take(struct bundle *b, struct header *header, struct buf *body)
{
    bool is_one = b->n == 1;
    if (!b->n)
        return false;
    if (is_one && !header_unpack(str_make(b->items.p + sizeof(uint32_t), MESSAGE_HEADER), header))
        return false; /* it was packed here */
    if (!is_one)
        *header = (struct header){PROTOCOL_VERSION, VERB_BUNDLE, 0};
    *body = b->items;
    if (is_one)
        buf_drop(body, ITEM_HEAD);
    bundle_init(b);
    return true;
}

bool bundle_next(Str *rest, Str *header, Str *body)
{
    Str after = *rest, item;
    if (!list_next(&after, &item) || item.len < MESSAGE_HEADER)
        return false;
    *header = str_make(item.p, MESSAGE_HEADER);
    *body = str_skip(item, MESSAGE_HEADER);
    *rest = after;
    return true;
}
