/* link_request -- what a link asked of the hub and has no answer to: waiting for a hub that is
 * away, or sent. Bounds, patience and outcomes; the link does the sending. For link.c alone. */
#ifndef BELFRY_LINK_REQUEST_H
#define BELFRY_LINK_REQUEST_H

#include "base/list.h"
#include "base/map.h"
#include "link.h"

#define PUBLISHES_MAX     4096
#define PUBLISH_BYTES_MAX (16 * 1024 * 1024)
#define REQUEST_REF       8 /* bytes of `ref`, with which a body begins */

struct link_request {
    struct list node; /* in the order they were asked; or among the failed */
    char ref[REQUEST_REF];
    enum verb verb;
    enum link_patience patience;
    bool is_sent, was_sent;
    bool is_repeated; /* sent more than once: the hub may have it twice */
    Msec waits;       /* since when it waits for the hub */
    Msec first_sent;  /* where it was ever sent */
    struct buf body;  /* `ref` included; a LINK_ONCE that was sent has none */
    size_t size;
    int code; /* why it failed */
    link_answer *answer;
    void *owner;
};

struct link_requests {
    const struct options *options;
    struct list all, failed;
    struct map by_ref;
    uint64_t last_ref;
    size_t publishes, publish_bytes;
    size_t crowd;   /* the most publishes since it was asked for */
    size_t waiting; /* not sent, and not patient for ever */
};

void link_requests_init(struct link_requests *q, const struct options *options);
void link_requests_fini(struct link_requests *q);
/* Takes the body. One too many has failed already. */
struct link_request *link_requests_add(struct link_requests *q, enum verb verb, struct buf *body,
                                       enum link_patience patience, Msec now);
void link_requests_remove(struct link_requests *q, struct link_request *r);
void link_requests_sent(struct link_requests *q, struct link_request *r, Msec now);
/* The body is one of such a message: its owner need not doubt it. */
bool link_request_is_answer(enum verb verb, Str body);
/* Whether messages of that kind answer requests. */
bool link_requests_answers(enum verb verb);
/* The one that such an answer is to; NULL: none waits for it (any more). */
struct link_request *link_requests_find(const struct link_requests *q, enum verb answer, Str body);
/* What was sent will not be answered. */
void link_requests_break(struct link_requests *q, Msec now);
void link_requests_expire(struct link_requests *q, Msec now);
/* Answers and frees one. */
void link_requests_answer(struct link_requests *q, struct link_request *r, Str body);
/* Tells the owners of all that failed. */
void link_requests_settle(struct link_requests *q);

#endif
