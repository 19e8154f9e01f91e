/* scan -- what a FastCGI peer sends, looked at record by record and bounded, before anything else
 * believes it. Gathers one request; answers or drops what is not part of it; then goes on looking,
 * while the request is served, for the peer's second thoughts. Pure: bytes in, events out. */
#ifndef BELFRY_SCAN_H
#define BELFRY_SCAN_H

#include "base/fault.h"
#include "image.h"
#include "record.h"

#define PARAMS_MAX (64 * 1024) /* bytes of a request's head */

struct scan_limits {
    size_t max_body;
    uint64_t max_connections; /* what GET_VALUES is told */
};

enum scan_phase {
    SCAN_IDLE,   /* before a request */
    SCAN_HEAD,   /* its params come */
    SCAN_BODY,   /* its body comes */
    SCAN_SERVED, /* it was handed over, or refused */
};

/* A record or a request that is not whole, or not taken over yet. */
struct intake {
    const struct scan_limits *limits;
    bool has_size; /* CONTENT_LENGTH said how long the body is */
    uint8_t have;  /* bytes of the record's header */
    uint8_t got;   /* bytes of BEGIN's body */
    char header[RECORD_HEADER], begin[RECORD_BEGIN_BODY];
    struct record record;
    size_t left, padding; /* of the record's content and padding */
    size_t size;
    struct buf params, body;
};

struct scan {
    struct intake *intake; /* NULL while nothing comes, as under every stream */
    enum scan_phase phase;
    uint16_t id;       /* of the request */
    bool keep : 1;     /* the peer wants the connection kept */
    bool is_ended : 1; /* the empty STDIN came: nothing more of the request will */
};

enum scan_event {
    SCAN_MORE,    /* all bytes are used */
    SCAN_REQUEST, /* whole: its params (pairs, all of them well formed) and body */
    SCAN_REFUSED, /* `why` says it; the peer can be told */
    SCAN_ABORTED, /* the peer gave its request up */
    SCAN_BROKEN,  /* this is no FastCGI: to be closed */
};

void scan_init(struct scan *s);
void scan_fini(struct scan *s);
/* Takes bytes off the front up to the next event. What the peer must be told by records of their
 * own (management, a second request) is appended to `reply`. */
enum scan_event scan_feed(struct scan *s, const struct scan_limits *limits, Str *bytes,
                          struct buf *reply, struct fault *why);
Str scan_params(const struct scan *s);
/* Only after SCAN_REQUEST; may be taken out of it. */
struct buf *scan_body(struct scan *s);
/* Frees what was gathered: it was taken over, or nobody wants it. */
void scan_drop(struct scan *s);
/* The request is refused before it is whole: what still comes of it is let go. A whole head stays
 * there, until scan_drop: the answer depends on who asked. */
void scan_refuse(struct scan *s);
/* The request is answered: ready for the next one on this connection. What still comes of it is let
 * go. */
void scan_next(struct scan *s);

/* What of it goes into a connection's image, whose slices are the scanner's; and back. */
void scan_put_image(const struct scan *s, struct image_outlet *m);
void scan_restore(struct scan *s, const struct image_outlet *m, const struct scan_limits *limits);

#endif
