/* feed -- the link of `belfry sub`: a worker without browsers. Greets, opens, replays, follows, and
 * greets again with what it has after every loss, so that each event is shown once and none is
 * missed without a word. Does no I/O and reads no clock. */
#ifndef BELFRY_FEED_H
#define BELFRY_FEED_H

#include "base/clock.h"
#include "wire/event.h"
#include "wire/message.h"

#define FEED_CHANNELS 1000 /* so that a HELLO is one piece */

struct feed_wish {
    const Str *channels; /* names and patterns, copied */
    size_t n;
    enum start start;
    Cursor at;      /* START_CURSOR */
    uint64_t value; /* START_SINCE, START_LAST */
};

struct feed_out {
    void *ctx;
    /* Hands a message to the socket. */
    void (*send)(void *ctx, struct header header, Str body);
    void (*event)(void *ctx, const struct event *e);
    /* A line for people: a gap, the hub's coming and going. */
    void (*note)(void *ctx, const char *text);
};

struct feed;

struct feed *feed_new(const struct feed_wish *wish, const char *name, struct feed_out out);
void feed_free(struct feed *f);

void feed_on_connected(struct feed *f, Msec now);
void feed_on_disconnected(struct feed *f);
void feed_on_message(struct feed *f, Str header, Str body, Msec now);
void feed_tick(struct feed *f, Msec now); /* at least four times a second */
void feed_goodbye(struct feed *f);

bool feed_is_live(const struct feed *f);
/* The hub will not have us: protocol version, a refused channel. */
bool feed_is_refused(const struct feed *f, struct fault *why);

#endif
