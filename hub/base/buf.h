/* buf -- bytes that grow up to a limit. A write that would pass the limit writes
 * nothing, returns false and leaves `full` set, so a chain of writes is checked once. */
#ifndef BELFRY_BUF_H
#define BELFRY_BUF_H

#include "memory.h"
#include "str.h"

struct buf {
    char *p;
    size_t len, cap, max;
    bool full;
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory */
bool buf_put(struct buf *b, Str s);
bool buf_putz(struct buf *b, const char *z);
bool buf_putc(struct buf *b, char c);
bool buf_put_u64(struct buf *b, uint64_t n); /* decimal */
bool buf_printf(struct buf *b, const char *format, ...) PRINTF(2, 3);
/* Room for `n` more bytes at the end, to be filled by the caller who then adds to len; or NULL. */
char *buf_room(struct buf *b, size_t n);
/* Takes the first n bytes off. */
void buf_drop(struct buf *b, size_t n);
/* Hands the memory over (free() it; NULL where nothing was ever put) and leaves the buffer empty.
 */
char *buf_take(struct buf *b, size_t *len);

static inline Str buf_str(const struct buf *b)
{
    return (Str){b->p, b->len};
}

#endif
