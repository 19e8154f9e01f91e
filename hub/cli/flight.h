/* flight -- publishes under way: sent in order, answered in order, bounded. Knows publish.ipc's
 * answers and where each publish came from; reads no input. */
#ifndef BELFRY_FLIGHT_H
#define BELFRY_FLIGHT_H

#include "cli/local.h"
#include "cli/publish.h"

#define FLIGHT_MAX   1024
#define FLIGHT_BYTES (8 * 1024 * 1024)

struct sent {
    size_t line; /* 0: it came from the command line */
    size_t bytes;
    Msec at;
};

struct flight {
    struct local local;
    struct buf channel, options;
    bool is_acked; /* publish.ipc answers; intake.ipc does not */
    Msec timeout;
    struct sent sent[FLIGHT_MAX];
    size_t first, n, bytes;
    int code;     /* of what ended it, else of the first refusal; 0: neither */
    bool is_over; /* sending more does not help */
};

MUST_USE bool flight_open(struct flight *f, const struct options *o, bool is_acked, Msec timeout,
                          struct fault *why);
void flight_close(struct flight *f);

/* Sends; waits for answers first while too much is under way. False: is_over, and it was said. */
bool flight_send(struct flight *f, const struct publish *p, size_t line);
/* Takes what was answered, without waiting: ids on stdout, refusals on stderr. */
void flight_take(struct flight *f);
/* As flight_take, until nothing is under way any more or the outcome is unknown. */
void flight_land(struct flight *f);
/* A refusal that was found here. */
void flight_refuse(struct flight *f, size_t line, const struct fault *why);

#endif
