/* lines -- a file descriptor, read line by line without ever waiting. */
#ifndef BELFRY_LINES_H
#define BELFRY_LINES_H

#include "base/buf.h"

#define LINE_MAX_BYTES (1024 * 1024) /* the most that an event's data can ever be */

struct lines {
    int fd;
    struct buf buf;
    size_t at;        /* where the next line begins in buf */
    size_t number;    /* of the line that was returned last, from 1 */
    bool is_over;     /* nothing more comes from fd */
    bool is_skipping; /* in a line that is too long */
};

enum line { LINE_HERE, LINE_NOT_YET, LINE_TOO_LONG, LINE_END };

void lines_init(struct lines *l, int fd);
void lines_fini(struct lines *l);
/* The next line without its newline, valid until the next call; a last line needs no newline.
 * NOT_YET: call lines_read when fd is readable. */
enum line lines_next(struct lines *l, Str *line);
/* Reads once. False: errno says why. */
bool lines_read(struct lines *l);

#endif
