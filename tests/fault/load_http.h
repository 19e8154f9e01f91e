/* load_http -- one connection of the load to the web server: a request at a time, kept open after
 * it where the server keeps it. Knows HTTP/1.1 alone, not what is asked. */
#ifndef BELFRY_LOAD_HTTP_H
#define BELFRY_LOAD_HTTP_H

#include "base/buf.h"

/* What one descriptor of the epoll set belongs to. */
struct http {
    int fd; /* -1: none */
    int epoll, port;
    struct buf in, out;
    struct buf body; /* decoded; the owner takes from it what it has read */
    int status;      /* 0: no head yet */
    bool is_asking;  /* a request is under way */
    bool is_chunked, is_connecting, is_last;
    size_t left; /* of the body, or of the chunk with its end of line */
    void *owner;
    void (*on_body)(struct http *h);                  /* more of the body is there; may be NULL */
    void (*on_end)(struct http *h, bool is_complete); /* of an answer, or it broke off */
};

void http_init(struct http *h, int epoll, int port, void *owner);
void http_fini(struct http *h);
/* Sends it, over a new connection where there is none. False: nobody listens. */
MUST_USE bool http_ask(struct http *h, Str request);
/* Closes without a word to the owner. */
void http_drop(struct http *h);
void http_on_ready(struct http *h, unsigned events);

#endif
