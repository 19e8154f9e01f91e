/* conn_inside -- connections as conn.c and conn_image.c see them, and nobody else. */
#ifndef BELFRY_CONN_INSIDE_H
#define BELFRY_CONN_INSIDE_H

#include "base/pool.h"
#include "conn.h"
#include "scan.h"
#include "ship.h"

enum { CONN_INPUT = 64 * 1024 };

enum PACKED conn_state {
    CONN_READING, /* a request comes, or none yet */
    CONN_SERVING, /* it is the owner's to answer */
    CONN_ENDING,  /* answered: the rest must go out */
    CONN_LINGER,  /* out: the peer closes */
    CONN_DOOMED,  /* to be freed at the end of the turn */
};

struct conn {
    struct outlet outlet; /* first */
    struct conns *all;
    struct list node;
    struct heap_node deadline;
    struct watch watch;
    struct ship *ship;
    struct scan scan;
    uint32_t pieces; /* of the answer, so far */
    enum conn_state state;
    bool is_whole; /* its end is written, too */
    bool is_held;  /* nothing of `ship` was tried: it waits for what is written next */
};

struct conns {
    struct worker *worker;
    struct listener *listener;
    struct request_parser *parser;
    struct watch watch;
    struct pool pool; /* of the connections */
    struct list open, doomed;
    struct heap deadlines;
    struct scan_limits limits;
    size_t count;
    Msec heard; /* something came, or became such that something may come */
    bool is_stopped, is_told;
    char input[CONN_INPUT];
};

void conn_doom(struct conn *c);
/* What it waits for, by its state. */
void conn_watch(struct conn *c);
/* A new one, of a descriptor that is its own from now on. */
struct conn *conn_new(struct conns *all, int fd);
#endif
