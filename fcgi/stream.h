/* stream -- one browser being served: where it is, what it still has to get. Held, behind or live.
 * Knows channels, cursors and a sink. Never FastCGI, ZeroMQ or a clock call. Its one rule: it is
 * never sent a position at or below its own. */
#ifndef BELFRY_STREAM_H
#define BELFRY_STREAM_H

#include "roster.h"
#include "sink.h"
#include "wire/rights.h"

struct stream;

struct stream_request {
    Str client; /* from client=, or made up by the caller */
    bool named; /* from client= */
    bool poll;
    Str user;
    struct rights rights; /* its rules and for_all must live as long as the stream: the options' */
    Str token;            /* what it is known by (accounts.h); empty: none */
    Msec issued;          /* wall clock: since when the user is known */
    Msec expires;         /* wall clock: when they end; 0: never */
    Msec asked_until;     /* … when those end that the application gave; 0: never */
    enum start start;
    Str requested;  /* the cursor as the browser wrote it; empty: none */
    Cursor at;      /* parsed; none with START_CURSOR: it could not be read */
    uint64_t value; /* START_SINCE: ms since 1970; START_LAST: how many */
    Str channels;   /* list of names and patterns, those everybody carries included */
    bool listed;    /* the request itself named channels: no held start */
    bool envelope;
    bool comments;  /* heartbeats are comments, never ids */
    unsigned ping;  /* seconds, 5..50 */
    uint32_t limit; /* poll: events at most */
    Str address;
    bool presence; /* asked to be told who is on its channels */
    Str label;     /* what an anonymous client calls itself; may be empty */
    Str public;    /* JSON, shown of its user; may be empty */
};

/* Copies what it keeps. The sink is the stream's from now on. Nothing is written from within. */
struct stream *stream_open(struct roster *r, const struct stream_request *q, struct sink sink,
                           Msec now);
/* Room again in the sink. */
void stream_on_writable(struct stream *s);
/* What its sink writes to is no more: `to` is NULL from now on. */
void stream_lose_sink(struct stream *s);
/* The browser went: closes the sink too. Freed at the end of the turn. */
void stream_close(struct stream *s);
/* A server's decision: bye, then closed. */
void stream_bye(struct stream *s, enum bye reason);
/* It has still to get what was there when it came. */
bool stream_is_behind(const struct stream *s);
/* A poll whose time is out is answered with what there is. */
void stream_answer_now(struct stream *s);

/* Packed `stream` of image.def; one that ended has none. */
void stream_put_image(const struct stream *s, Msec now, struct buf *out);
/* Goes on where the image was taken, in a roster that was restored. The sink's maker knows from the
 * image what it is; its is_full must be right. Nothing is written from within. */
struct stream *stream_restore(struct roster *r, const struct image_stream *m, struct sink sink,
                              Msec now);

#endif
