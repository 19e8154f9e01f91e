#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SMALLEST = 256 };

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_fini(struct buf *b)
{
    free(b->p);
    buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->full = false;
}

/* Memory for `n` more bytes and one that formatting may end in; never counted against the limit. */
static bool reserve(struct buf *b, size_t n)
{
    if (n > b->max - b->len) {
        b->full = true;
        return false;
    }
    size_t need = b->len + n + 1;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap : SMALLEST;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap - 1 > b->max)
        cap = b->max + 1;
    b->p = must_realloc(b->p, cap);
    b->cap = cap;
    return true;
}

char *buf_room(struct buf *b, size_t n)
{
    return reserve(b, n) ? b->p + b->len : NULL;
}

bool buf_put(struct buf *b, Str s)
{
    if (!reserve(b, s.len))
        return false;
    if (s.len)
        memcpy(b->p + b->len, s.p, s.len);
    b->len += s.len;
    return true;
}

bool buf_putz(struct buf *b, const char *z)
{
    return buf_put(b, str_of(z));
}

bool buf_putc(struct buf *b, char c)
{
    return buf_put(b, str_make(&c, 1));
}

bool buf_put_u64(struct buf *b, uint64_t n)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + n % 10);
    while (n /= 10);
    return buf_put(b, str_make(digits + at, sizeof digits - at));
}

bool buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t room = b->cap - b->len;
    int n = vsnprintf(b->cap ? b->p + b->len : NULL, room, format, args);
    bool ok = n >= 0 && reserve(b, (size_t)n);
    if (ok && (size_t)n >= room)
        vsnprintf(b->p + b->len, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
    b->len += ok ? (size_t)n : 0;
    b->full |= !ok;
    return ok;
}

void buf_drop(struct buf *b, size_t n)
{
    if (n >= b->len) {
        b->len = 0;
        return;
    }
    if (n)
        memmove(b->p, b->p + n, b->len - n);
    b->len -= n;
}

char *buf_take(struct buf *b, size_t *len)
{
    char *p = b->p;
    *len = b->len;
    buf_init(b, b->max);
    return p;
}
