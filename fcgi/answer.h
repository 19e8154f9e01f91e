/* answer -- the head and body of an HTTP answer, written as CGI wants it: `Status:` first. Also the
 * one shape of every refusal, problem+json (RFC 9457). Pure: knows no connection. */
#ifndef BELFRY_ANSWER_H
#define BELFRY_ANSWER_H

#include "base/buf.h"
#include "base/fault.h"

#define ANSWER_HEAD_MAX 4096

/* What a page of another site may read; nothing unless its origin is one of the option's. */
struct cors {
    Str origin;      /* empty: not allowed, or nobody asked */
    bool is_for_all; /* the option has `*`: without credentials, then */
    bool is_preflight;
};

struct answer {
    int status;
    const char *title;
    const char *type;    /* NULL: no body */
    const char *cache;   /* Cache-Control; NULL: no-store */
    const char *allow;   /* NULL: none */
    const char *etag;    /* NULL: none */
    const char *more;    /* further header lines, each with its end; NULL: none */
    unsigned retry;      /* Retry-After in seconds; 0: none */
    bool is_open_ended;  /* its length is not known yet: a stream, a poll */
    bool has_no_content; /* HEAD: the head of the answer alone */
    struct cors cors;
    Str body;
};

/* `origin` as the browser sent it, judged by the option `origins`. */
struct cors cors_judge(Str origins, Str origin);
/* Whether the option `origins` has only what a browser may send, and `*`; at start. */
MUST_USE bool cors_check(Str origins, struct fault *why);

bool answer_put(struct buf *out, const struct answer *a);
/* The answer for a fault, its document written into `body`. */
struct answer answer_problem(const struct fault *why, struct buf *body);
/* {"type","title","status","detail"} and "outcome" where it is unknown. */
void problem_put(struct buf *out, const struct fault *why);

/* A refusal that passes, for an EventSource, which gives up for good at any status but 200: a
 * stream that says when to come back, says goodbye, and ends. */
bool is_passing(const struct fault *why);
struct answer answer_bye(const struct fault *why, struct buf *body);

#endif
