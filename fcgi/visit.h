/* visit -- one request while it is served: from the first look at its path to its answer. It ends
 * by an answer, a refusal, by becoming a stream, or because the browser went; then it is freed, and
 * with it what a handler hung on it. */
#ifndef BELFRY_VISIT_H
#define BELFRY_VISIT_H

#include "address.h"
#include "answer.h"
#include "auth.h"
#include "outlet.h"
#include "query.h"
#include "worker.h"

struct consultation;
void consult_free(struct consultation *c); /* consult.c */

struct visit {
    struct worker *worker;
    struct request *request;
    struct outlet *outlet;
    struct visitor visitor;
    struct query query;
    struct buf name; /* NAME of /events/NAME: a channel; else empty */
    struct cors cors;
    bool is_head;
    bool was_held;     /* held.h */
    bool wants_stream; /* an EventSource: passing refusals must be streams */
    void *state;       /* the handler's; freed by free_state */
    void (*free_state)(void *state);
    struct link_request *asked;
    void (*on_answer)(struct visit *v, Str body);
    void (*go)(struct visit *v);       /* ticket.h, consult.h: when they know */
    void (*handle)(struct visit *v);   /* its route's */
    struct consultation *consultation; /* consult.h; NULL: nothing was asked */
};

/* Whether this one may be now; false: LIMIT. */
MUST_USE bool visit_admit(struct visit *v, enum rate rate, struct fault *why);
/* What was admitted as one is `n`. */
void visit_charge(struct visit *v, enum rate rate, uint64_t n);
/* Takes the request; the outlet is the visit's to end. */
struct visit *visit_new(struct worker *w, struct request *r, struct outlet *o);

/* Each of these is the visit's end. */
void visit_answer(struct visit *v, struct answer *a);
void visit_answer_json(struct visit *v, const struct buf *json);
void visit_refuse(struct visit *v, const struct fault *why);
/* The outlet is somebody else's now. */
void visit_leave(struct visit *v);

/* Asks the hub; takes the body, which was packed with a ref of 0. `on_answer` hears of answers
 * alone: where there is none, the visit ends with the reason. */
void visit_ask(struct visit *v, enum verb verb, struct buf *body, enum link_patience patience,
               void (*on_answer)(struct visit *v, Str body));

#endif
