#include "ship.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

/* Takes off `bytes` what goes out. */
static enum shipped push(int fd, Str *bytes)
{
    while (bytes->len) {
        ssize_t n = write(fd, bytes->p, bytes->len);
        if (n > 0)
            *bytes = str_skip(*bytes, (size_t)n);
        else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return SHIP_SOME;
        else if (n == 0 || errno != EINTR)
            return SHIP_BROKEN;
    }
    return SHIP_ALL;
}

enum shipped ship_start(struct ship *s, int fd, struct chunk *c, Str bytes)
{
    assert(!s->chunk);
    enum shipped done = push(fd, &bytes);
    if (done == SHIP_SOME) {
        s->chunk = chunk_ref(c);
        s->left = bytes;
    }
    return done;
}

enum shipped ship_push(struct ship *s, int fd)
{
    enum shipped done = push(fd, &s->left);
    if (done != SHIP_SOME)
        ship_drop(s);
    return done;
}

void ship_drop(struct ship *s)
{
    chunk_unref(s->chunk);
    *s = (struct ship){0};
}
