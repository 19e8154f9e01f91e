#include "record.h"

enum { VERSION = 1 };

static unsigned byte_at(const char *p, size_t i)
{
    return (unsigned char)p[i];
}

bool record_unpack(const char header[RECORD_HEADER], struct record *out)
{
    *out = (struct record){
        .type = (uint8_t)byte_at(header, 1),
        .id = (uint16_t)(byte_at(header, 2) << 8 | byte_at(header, 3)),
        .length = (uint16_t)(byte_at(header, 4) << 8 | byte_at(header, 5)),
        .padding = (uint8_t)byte_at(header, 6),
    };
    return byte_at(header, 0) == VERSION;
}

bool record_put(struct buf *out, enum record_type type, uint16_t id, Str content)
{
    const char header[RECORD_HEADER] = {
        VERSION,
        (char)type,
        (char)(id >> 8),
        (char)(id & 0xff),
        (char)(content.len >> 8),
        (char)(content.len & 0xff),
    };
    char *room = content.len <= RECORD_MAX ? buf_room(out, sizeof header + content.len) : NULL;
    if (!room)
        return false;
    memcpy(room, header, sizeof header);
    if (content.len)
        memcpy(room + sizeof header, content.p, content.len);
    out->len += sizeof header + content.len;
    return true;
}

bool record_put_all(struct buf *out, enum record_type type, uint16_t id, Str content, size_t piece)
{
    while (content.len) {
        Str part = str_make(content.p, content.len < piece ? content.len : piece);
        if (!record_put(out, type, id, part))
            return false;
        content = str_skip(content, part.len);
    }
    return true;
}

bool record_put_end(struct buf *out, uint16_t id, enum record_end how)
{
    const char body[8] = {0, 0, 0, 0, (char)how};
    return record_put(out, RECORD_END, id, str_make(body, sizeof body));
}

/* One byte up to 127, else four with the highest bit set. */
static bool take_length(Str *rest, size_t *length)
{
    if (!rest->len)
        return false;
    size_t size = byte_at(rest->p, 0) & 0x80 ? 4 : 1;
    if (rest->len < size)
        return false;
    *length = byte_at(rest->p, 0) & 0x7f;
    for (size_t i = 1; i < size; i++)
        *length = *length << 8 | byte_at(rest->p, i);
    *rest = str_skip(*rest, size);
    return true;
}

bool pair_next(Str *rest, Str *name, Str *value)
{
    Str after = *rest;
    size_t name_len, value_len;
    if (!take_length(&after, &name_len) || !take_length(&after, &value_len))
        return false;
    if (name_len > after.len || value_len > after.len - name_len)
        return false;
    *name = str_make(after.p, name_len);
    *value = str_make(after.p + name_len, value_len);
    *rest = str_skip(after, name_len + value_len);
    return true;
}

static bool put_length(struct buf *out, size_t length)
{
    if (length < 0x80)
        return buf_putc(out, (char)length);
    const char bytes[4] = {(char)(length >> 24 | 0x80), (char)(length >> 16), (char)(length >> 8),
                           (char)length};
    return length < UINT32_C(0x80000000) && buf_put(out, str_make(bytes, sizeof bytes));
}

bool pair_put(struct buf *out, Str name, Str value)
{
    return put_length(out, name.len) && put_length(out, value.len) && buf_put(out, name) &&
           buf_put(out, value);
}
