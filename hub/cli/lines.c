#include "cli/lines.h"

#include <errno.h>
#include <unistd.h>

#define READ_BYTES 65536

void lines_init(struct lines *l, int fd)
{
    *l = (struct lines){.fd = fd};
    buf_init(&l->buf, LINE_MAX_BYTES + 1 + READ_BYTES);
}

void lines_fini(struct lines *l)
{
    buf_fini(&l->buf);
}

/* What was returned is let go when room is needed, not line by line. */
static void make_room(struct lines *l)
{
    buf_drop(&l->buf, l->at);
    l->at = 0;
}

bool lines_read(struct lines *l)
{
    make_room(l);
    char *room = buf_room(&l->buf, READ_BYTES);
    ssize_t n = read(l->fd, room, READ_BYTES);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    l->is_over = n == 0;
    l->buf.len += (size_t)n;
    return true;
}

/* All that is there belongs to one line that is too long already. */
static enum line skip(struct lines *l)
{
    bool is_first = !l->is_skipping;
    l->is_skipping = !l->is_over;
    l->at = l->buf.len;
    l->number += is_first;
    return is_first ? LINE_TOO_LONG : LINE_NOT_YET;
}

enum line lines_next(struct lines *l, Str *line)
{
    Str rest = str_skip(buf_str(&l->buf), l->at);
    size_t end = str_find(rest, '\n');
    bool is_whole = end < rest.len || (l->is_over && rest.len);
    if (!is_whole && (rest.len > LINE_MAX_BYTES || (l->is_skipping && rest.len)))
        return skip(l);
    if (!is_whole)
        return l->is_over ? LINE_END : LINE_NOT_YET;
    l->at += end < rest.len ? end + 1 : end;
    if (l->is_skipping) {
        l->is_skipping = false;
        return lines_next(l, line);
    }
    l->number++;
    *line = str_make(rest.p, end);
    return end > LINE_MAX_BYTES ? LINE_TOO_LONG : LINE_HERE;
}
