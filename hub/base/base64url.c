#include "base/base64url.h"

/* 0..63; 64: no such letter. */
static unsigned value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0') + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : 64;
}

bool base64url_decode(struct buf *out, Str text)
{
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned value = value_of(text.p[i]);
        if (value == 64)
            return false;
        bits = bits << 6 | value;
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        if (!buf_putc(out, (char)(unsigned char)(bits >> have)))
            return false;
        bits &= (1u << have) - 1;
    }
    return have < 6 && bits == 0;
}
