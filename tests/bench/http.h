/* http -- one HTTP/1.1 response as it comes in: the head is looked at, chunks are taken apart. */
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_phase { HTTP_HEAD, HTTP_SIZE, HTTP_DATA, HTTP_END, HTTP_TRAILER, HTTP_REST, HTTP_DONE };

struct http {
    enum http_phase phase;
    int status; /* 0: not known yet */
    bool is_chunked, has_length;
    uint64_t left; /* of the chunk, or of the body */
    unsigned line_len;
    char line[48]; /* its beginning is enough */
};

void http_start(struct http *h);
/* The next stretch of the body in [*at, end), whose beginning `*at` is moved behind; false: there
 * is none in what came. The answer is whole when the phase is HTTP_DONE; what was switched to
 * another protocol (101), or has neither length nor chunks, never is. */
bool http_next(struct http *h, const char **at, const char *end, const char **body, size_t *len);

#endif
