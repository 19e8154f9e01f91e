/* worker -- one process that serves requests: the loop and what it turns. Everything that handles a
 * request finds here what it needs. */
#ifndef BELFRY_WORKER_H
#define BELFRY_WORKER_H

#include "base/heap.h"
#include "base/limits.h"
#include "base/list.h"
#include "link.h"
#include "loop.h"
#include "pipe.h"
#include "roster.h"

struct cable;
struct conns;
struct give;
struct handover;
struct listener;
struct request_parser;
struct take;
struct tokens;

struct worker {
    const struct options *options;
    unsigned number;           /* 1..workers; 0: a CGI program on its own */
    int ready;                 /* to the supervisor; -1: there is none */
    struct watch supervisor;   /* it went: so does this one */
    struct listener *listener; /* NULL: nobody listens */
    struct loop *loop;
    struct cable *cable;
    struct link *link;
    struct roster *roster;
    struct request_parser *parser;
    struct tokens *tokens;
    struct conns *conns;         /* NULL: nobody listens */
    struct pipes pipes;          /* answers of CGI programs */
    struct handover *handover;   /* NULL: no socket for CGI programs */
    struct give *give;           /* a successor starts, or has it all */
    struct take *take;           /* of the worker before this one, which may still give something */
    struct timer *ticks, *paces; /* the second: when streams are written to again */
    struct heap waits;           /* polls whose time runs (wait.h) */
    struct list held;            /* requests that wait for a hub that is away (held.h) */
    size_t held_count;
    struct limits limits; /* of addresses */
    size_t visits;        /* requests under way that are not streams */
    bool is_stopping;
    Msec stop_at; /* no stream is left by then */
    Msec watchdog_at, tidy_at;
    uint64_t gathered; /* requests there were when waiting for the hub was in vain; else 0 */
    uint64_t requests, refused,
        broken; /* broken: connections that spoke no FastCGI, or too slowly */
};

/* Opens the way to the hub, and nothing to listen on. After every fork: threads start here. */
MUST_USE bool worker_open(struct worker *w, const struct options *o, unsigned number,
                          struct fault *why);
/* Web servers, and CGI programs where the folder's lock is ours. The listener stays the caller's.
 * `handover`: their socket, as one before us had it; -1: a fresh one. */
MUST_USE bool worker_listen(struct worker *w, struct listener *l, int handover, struct fault *why);
/* Until everything is answered after worker_stop. */
void worker_run(struct worker *w);
/* Takes nothing new, says goodbye to the streams one after the other, answers what is owed. */
void worker_stop(struct worker *w);
/* A successor shall take over; where one does already, or this one stops, nothing happens. */
void worker_renew(struct worker *w);
/* Everything that came is dealt with, and everything that is due written: it can be given away. */
void worker_settle(struct worker *w);
/* It was: what is under way is answered, then it is done. */
void worker_leave(struct worker *w);
/* A successor has everything, and takes what comes late. */
bool worker_has_heir(const struct worker *w);
/* Whether a connection may be kept after its answer. */
bool worker_keeps(const struct worker *w);
void worker_close(struct worker *w);
/* A list of "name value": what /metrics shows of it. */
void worker_put_figures(const struct worker *w, struct buf *list);

#endif
