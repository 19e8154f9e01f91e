#include "ship.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct ship {
    struct chunk *chunk;
    Str left; /* of its bytes, or of its records */
};

/* To a socket, as nearly all are, by the shorter way into the kernel: a quarter cheaper. */
static ssize_t put(int fd, Str bytes)
{
    ssize_t n = send(fd, bytes.p, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n < 0 && errno == ENOTSOCK ? write(fd, bytes.p, bytes.len) : n;
}

/* Takes off `bytes` what goes out. */
static enum shipped push(int fd, Str *bytes)
{
    while (bytes->len) {
        ssize_t n = put(fd, *bytes);
        if (n > 0)
            *bytes = str_skip(*bytes, (size_t)n);
        else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return SHIP_SOME;
        else if (n == 0 || errno != EINTR)
            return SHIP_BROKEN;
    }
    return SHIP_ALL;
}

static struct ship *ship_new(struct chunk *c, Str left)
{
    struct ship *s = must_alloc(sizeof *s);
    s->chunk = c;
    s->left = left;
    return s;
}

enum shipped ship_start(struct ship **s, int fd, struct chunk *c, Str bytes)
{
    assert(!*s);
    enum shipped done = push(fd, &bytes);
    if (done == SHIP_SOME)
        *s = ship_new(chunk_ref(c), bytes);
    return done;
}

void ship_hold(struct ship **s, struct chunk *c, Str bytes)
{
    assert(!*s);
    *s = ship_new(chunk_ref(c), bytes);
}

enum shipped ship_push(struct ship **s, int fd)
{
    enum shipped done = push(fd, &(*s)->left);
    if (done != SHIP_SOME)
        ship_drop(s);
    return done;
}

void ship_drop(struct ship **s)
{
    if (!*s)
        return;
    chunk_unref((*s)->chunk);
    free(*s);
    *s = NULL;
}

Str ship_left(const struct ship *s)
{
    return s ? s->left : STR_NONE;
}

struct ship *ship_restore(Str left)
{
    struct chunk *c = left.len ? chunk_copy(left) : NULL;
    return c ? ship_new(c, chunk_bytes(c)) : NULL;
}
