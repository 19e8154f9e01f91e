/* desk -- a worker's core without a loop: link, roster and browsers on it. The test says what the
 * hub says, and reads what the hub and the browsers got. */
#ifndef BELFRY_DESK_H
#define BELFRY_DESK_H

#include "outlet.h"
#include "poll.h"
#include "roster.h"
#include "sse.h"
#include "stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define EPOCH UINT64_C(1)

struct said { /* by the worker */
    enum verb verb;
    struct buf body;
};

struct browser {
    struct outlet outlet; /* first */
    struct buf text;      /* all it got */
    size_t read;          /* up to where the test has read */
    size_t chunks;
    bool is_full, is_finished, is_aborted;
    struct stream *stream;
    struct browser *next;
};

struct desk {
    struct options options;
    struct link *link;
    struct roster *roster;
    Msec now;
    uint64_t seq;
    bool is_deaf; /* nobody is connected */
    struct said said[256];
    size_t said_len, said_read;
    struct browser *browsers; /* they leave with the desk */
};

int desk_setup(void **state);      /* welcomed at position 100 */
int desk_setup_cold(void **state); /* nothing said yet */
int desk_teardown(void **state);

Cursor at(Position p);
/* The hub's messages; the numbers are the desk's. */
void hub_says(struct desk *d, enum verb verb, const struct buf *body);
#define HUB_SAYS(d, VERB, type, ...)                                                               \
    do {                                                                                           \
        struct buf body_;                                                                          \
        buf_init(&body_, SIZE_MAX / 2);                                                            \
        msg_##type##_pack(&body_, &(struct msg_##type){__VA_ARGS__});                              \
        hub_says(d, VERB_##VERB, &body_);                                                          \
        buf_fini(&body_);                                                                          \
    } while (0)
void hub_welcomes(struct desk *d, Cursor from, enum gap_reason reason);
/* The link broke before. */
void hub_comes_back(struct desk *d, Cursor from, enum gap_reason reason);
void hub_publishes(struct desk *d, const char *channel, Position position, const char *data);
void hub_event(struct desk *d, const struct event *e);
void hub_beats(struct desk *d, Position through);
/* The next message of this verb that the worker said and the test has not read; NULL: none. */
const struct said *worker_said(struct desk *d, enum verb verb);

/* Answers the next OPEN: its own channels, join and from; no gap. */
void hub_opens(struct desk *d, Position join, Position from);
struct msg_open next_open(struct desk *d);
struct msg_fetch next_fetch(struct desk *d);
/* Answers it with rows of one channel at these positions (0 ends them). */
void hub_rows(struct desk *d, uint64_t ref, const char *channel, const Position *positions,
              Position next, bool more);

/* channels between commas */
struct stream_request want(const char *channels);
struct browser *browser_open(struct desk *d, const struct stream_request *q);
struct browser *browser_poll(struct desk *d, struct stream_request q);
/* The same browser, as far as it has read, on another desk; nobody writes to it yet. */
struct browser *browser_move(struct desk *to, const struct browser *b);
void browser_unblock(struct browser *b);
/* What it got since the last call, NUL-terminated; head and `retry:` are dropped. */
const char *browser_got(struct browser *b);
/* "open, on room:1, at the present, joined at `join`, live" in one go. */
struct browser *browser_live(struct desk *d, const char *channels, Position join);

void turn(struct desk *d);
void pass(struct desk *d, Msec ms); /* time, in steps of a tick */

/* Where a channel begins that a client has by POST, as the hub hears of it. */
Position remembered_from(struct desk *d, const char *channel);

#endif
