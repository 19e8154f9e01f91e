/* fetch -- HTTP requests, several at once, with what has come so far always at hand. libcurl is
 * known to fetch.c alone. */
#ifndef BELFRY_FETCH_H
#define BELFRY_FETCH_H

#include "base/clock.h"
#include "base/fault.h"
#include "base/str.h"

#define FETCH_BODY_MAX (1024 * 1024) /* a longer answer is cut off */

struct fetcher;
struct fetch;

struct fetch_ask {
    const char *method; /* "GET", "HEAD", "POST" */
    const char *url;
    const char *accept; /* may be NULL */
    Str body;           /* JSON, for POST */
    bool gzip;          /* the answer may be compressed; it is unpacked as it comes */
    const char *agent;  /* how we call ourselves; NULL: "belfry" */
    const char *header; /* one more, whole; may be NULL */
    size_t most;        /* a longer answer is an error; 0: FETCH_BODY_MAX */
    Msec timeout;       /* of all of it; 0: none */
    bool is_direct;     /* whatever the environment says of proxies */
};

struct fetcher *fetcher_new(void);
void fetcher_free(struct fetcher *f); /* all its fetches must be stopped */
/* Works until something came, `ms` at most. */
void fetcher_turn(struct fetcher *f, Msec ms);
/* For a loop: readable when fetcher_turn has something to do, or `other` is. */
int fetcher_fd(struct fetcher *f, int other);

struct fetch *fetch_start(struct fetcher *f, const struct fetch_ask *ask);
void fetch_stop(struct fetch *one); /* cuts it where it is not over; NULL is fine */
bool fetch_is_over(const struct fetch *one);
/* What went wrong on the way, or NULL. */
const char *fetch_error(const struct fetch *one);
long fetch_status(const struct fetch *one); /* 0: no head yet */
/* The value of a header, "" where there is none. */
Str fetch_header(const struct fetch *one, const char *name);
Str fetch_body(const struct fetch *one); /* so far */

#endif
