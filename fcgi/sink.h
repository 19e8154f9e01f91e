/* sink -- what a stream writes into: Server-Sent Events (sse.h) or the answer of a long-poll
 * (poll.h); in tests, a model of a browser. The worker's one vtable of that kind. */
#ifndef BELFRY_SINK_H
#define BELFRY_SINK_H

#include "chunk.h"
#include "wire/event.h"
#include "wire/message.h"

struct stream;

/* The forms an event is rendered in; each once for all streams. */
enum form { FORM_PLAIN, FORM_ENVELOPE, FORM_JSON, FORM_COUNT };

struct connected {
    Str client;
    Str user;     /* empty: null */
    Str channels; /* list of names */
    Cursor cursor;
    bool has_id; /* false with last=: the browser shall ask with last= again */
    bool resumed;
    unsigned ping; /* seconds */
};

struct gap {
    Str requested; /* as the client wrote it; empty: null */
    Cursor oldest;
    enum gap_reason reason;
    Str channels; /* list of names */
};

enum bye { BYE_DRAIN, BYE_SLOW, BYE_EXPIRED, BYE_KICKED, BYE_LIMIT };
const char *bye_name(enum bye reason);

struct sink_ops {
    enum form form;
    /* First of all: whom it is to tell of room, and of the browser's end. */
    void (*attach)(void *to, struct stream *s);
    /* Each returns whether more may be written at once; false: stream_on_writable comes. */
    bool (*connected)(void *to, const struct connected *c);
    bool (*gap)(void *to, const struct gap *g);
    /* `rendered` is what render() made of these events, one after the other. `last` is the position
     * of the last that has one; 0: none has (ephemeral events, the late addition of a channel). */
    bool (*events)(void *to, struct chunk *rendered, size_t count, Position last);
    /* The stream has everything up to `through`; none: it is not live, just keep it open. */
    bool (*beat)(void *to, Cursor through);
    /* Nothing more follows for now, the stream is at `at`. False: that was the answer of a poll
     * that had something to say, and its end. */
    bool (*idle)(void *to, Cursor at, bool more);
    /* What was gathered and not sent is forgotten, and comes again: so many events. */
    size_t (*rewind)(void *to);
    /* Says goodbye and ends the answer; a poll answers with what it has, be it nothing. Only when
     * it may be written to. The sink is no more. */
    void (*bye)(void *to, enum bye reason);
    /* Ends without a word: a browser that went, or one that does not read (abort). */
    void (*close)(void *to, bool abort);
    /* One event in the sink's form, appended. The same for all sinks of a form. */
    void (*render)(struct buf *out, const struct event *e, bool without_id);
    /* The stream's rights end soon; `expires`: ms since 1970. */
    bool (*token)(void *to, Msec expires);
    /* Who is there, or came and went: a whole event in the form of all streams. A poll has none. */
    bool (*presence)(void *to, struct chunk *rendered);
};

/* Passed by value; each stream keeps `ops` and `to`. */
struct sink {
    const struct sink_ops *ops;
    void *to;
    bool is_full; /* its maker wrote into it already: stream_on_writable comes */
};

#endif
