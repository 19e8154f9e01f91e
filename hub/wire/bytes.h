/* bytes -- the kinds of fields of message.def as they lie on the wire: big end first, a str after
 * its length. For message.c, event.c and image.c alone.
 *
 * put_x() writes whole or not at all. take_x() takes a field off `rest`: zero where nothing is left
 * (the sender knew fewer fields), false where it is cut short. */
#ifndef BELFRY_BYTES_H
#define BELFRY_BYTES_H

#include "base/buf.h"
#include "wire/cursor.h"

static inline bool put_number(struct buf *out, uint64_t n, size_t size)
{
    char *p = buf_room(out, size);
    if (!p)
        return false;
    for (size_t i = size; i-- > 0; n >>= 8)
        p[i] = (char)(n & 0xff);
    out->len += size;
    return true;
}

static inline bool put_u8(struct buf *out, uint8_t n)
{
    return put_number(out, n, 1);
}

static inline bool put_u32(struct buf *out, uint32_t n)
{
    return put_number(out, n, 4);
}

static inline bool put_u64(struct buf *out, uint64_t n)
{
    return put_number(out, n, 8);
}

static inline bool put_cur(struct buf *out, Cursor c)
{
    return put_number(out, c.epoch, 8) && put_number(out, c.at, 8);
}

static inline bool put_str(struct buf *out, Str s)
{
    return s.len <= UINT32_MAX && put_u32(out, (uint32_t)s.len) && buf_put(out, s);
}

static inline bool take_number(Str *rest, uint64_t *n, size_t size)
{
    *n = 0;
    if (!rest->len)
        return true;
    if (rest->len < size)
        return false;
    for (size_t i = 0; i < size; i++)
        *n = *n << 8 | (unsigned char)rest->p[i];
    *rest = str_skip(*rest, size);
    return true;
}

static inline bool take_u8(Str *rest, uint8_t *out)
{
    uint64_t n;
    bool ok = take_number(rest, &n, 1);
    *out = (uint8_t)n;
    return ok;
}

static inline bool take_u32(Str *rest, uint32_t *out)
{
    uint64_t n;
    bool ok = take_number(rest, &n, 4);
    *out = (uint32_t)n;
    return ok;
}

static inline bool take_u64(Str *rest, uint64_t *out)
{
    return take_number(rest, out, 8);
}

/* An epoch has 40 bits: what has more cannot be written down. */
static inline bool take_cur(Str *rest, Cursor *out)
{
    *out = CURSOR_NONE;
    if (rest->len && rest->len < 16)
        return false;
    return take_number(rest, &out->epoch, 8) && take_number(rest, &out->at, 8) &&
           out->epoch < (UINT64_C(1) << CURSOR_EPOCH_BITS);
}

static inline bool take_str(Str *rest, Str *out)
{
    uint32_t len;
    *out = STR_NONE;
    if (!take_u32(rest, &len) || len > rest->len)
        return false;
    if (len)
        *out = str_make(rest->p, len);
    *rest = str_skip(*rest, len);
    return true;
}

#endif
