/* socket -- ZeroMQ, known to socket.c alone. Never blocks: sends and receives are DONTWAIT.
 * One thread owns a socket. */
#ifndef BELFRY_SOCKET_H
#define BELFRY_SOCKET_H

#include "base/buf.h"
#include "base/fault.h"
#include "wire/curve.h"

enum socket_kind {
    SOCKET_ROUTER,
    SOCKET_DEALER,
    SOCKET_PULL,
    SOCKET_PUSH,
    SOCKET_XPUB,
    SOCKET_SUB,
    SOCKET_REP
};

struct socket_context;
struct socket;

/* After every fork: threads start here. */
struct socket_context *socket_context_new(void);
void socket_context_free(struct socket_context *c); /* all its sockets must be closed */

struct socket_limits {
    int high_water;      /* messages each way; 0: no limit (the link has credit instead) */
    int64_t max_message; /* bytes; a peer that sends more is cut off; -1: no limit */
    int linger_ms;       /* how long close may wait for what is queued; 0 for daemons */
    int inwards;         /* of high_water, what comes; 0: as many */
};

/* ROUTERs are MANDATORY. Nothing is queued for a peer that is not there: PUSHes are IMMEDIATE, and
 * a watched DEALER sends only while it is connected. (An IMMEDIATE DEALER would not do: when its
 * peer dies, libzmq 4.3.4 ends the pipe at once, and aborts the process where that falls between
 * two parts of a message that is being received: `!_more (fq.cpp)`.) */
MUST_USE struct socket *socket_open(struct socket_context *c, enum socket_kind kind,
                                    struct socket_limits limits, struct fault *why);
void socket_close(struct socket *s);
/* Binds an ipc:// path with mode 0660 and `group` (-1: leave as is). Steals the path from whoever
 * had it: hold the lock file first. inproc:// works within one context; tcp:// is for sockets
 * that have keys. What else ZeroMQ knows is refused. */
MUST_USE bool socket_bind(struct socket *s, const char *endpoint, int group, struct fault *why);
MUST_USE bool socket_connect(struct socket *s, const char *endpoint, struct fault *why);
/* A connection anew, where nothing comes on the old one: ZeroMQ gives up what cannot be written to
 * only when it cannot be read either. What is queued on it is lost. Between messages only. */
void socket_reconnect(struct socket *s, const char *endpoint);
/* Ends what is bound, and every connection that came by it, and binds once more. */
MUST_USE bool socket_bind_again(struct socket *s, const char *endpoint, struct fault *why);
bool socket_subscribe(struct socket *s, Str prefix); /* SUB only */

/* A fresh pair of CURVE keys. */
void socket_make_keys(char public[CURVE_TEXT], char secret[CURVE_TEXT]);
/* What is bound, or connected, from now on speaks CURVE. Whoever comes is asked for in `domain` on
 * inproc://zeromq.zap.01. */
MUST_USE bool socket_serve_keys(struct socket *s, const char *secret, const char *domain,
                                struct fault *why);
MUST_USE bool socket_use_keys(struct socket *s, const char *secret, const char *server,
                              struct fault *why);

/* Reports peers that come and go, and on both sides those that could not agree on keys (one whose
 * key the server does not let in: on the client's side alone). */
MUST_USE bool socket_watch(struct socket *s, struct fault *why);
enum socket_change { SOCKET_NO_CHANGE, SOCKET_CONNECTED, SOCKET_DISCONNECTED, SOCKET_REFUSED };
enum socket_change socket_next_change(struct socket *s);
/* False, with the reason, where the last thing that was seen was SOCKET_REFUSED. */
MUST_USE bool socket_is_agreed(const struct socket *s, struct fault *why);

/* For the loop. Edge-triggered, and consumed by every send and receive: drain before sleeping. */
int socket_fd(const struct socket *s);
int socket_watch_fd(const struct socket *s);
/* Something can be received now. */
bool socket_is_readable(struct socket *s);
/* Nothing can be received now, and the descriptor will tell when something can: it may be slept. */
bool socket_is_quiet(struct socket *s);
/* Waits until one of the sockets or `fd` (-1: none) is readable, `ms` at most (-1: for ever). Fills
 * ready[n] (sockets) and *fd_ready; false on a signal. */
bool socket_wait(struct socket *const *v, size_t n, int fd, int ms, bool *ready, bool *fd_ready);

/* One part of a message: counted bytes that several messages can share. */
struct frame;
struct frame *frame_copy(Str bytes);
struct frame *frame_take(struct buf *b); /* the buffer's own memory, no copy; leaves it empty */
struct frame *frame_ref(struct frame *f);
void frame_unref(struct frame *f);
Str frame_str(const struct frame *f);

/* What came: up to SOCKET_PARTS parts, more are counted in `n` but not kept. */
#define SOCKET_PARTS 8
struct parcel {
    size_t n;
    struct frame *part[SOCKET_PARTS];
};
bool socket_receive(struct socket *s, struct parcel *out); /* false: nothing there */
void parcel_fini(struct parcel *p);
/* Whether anybody ever subscribed to an XPUB; takes in `max` parts of its peers at most. */
bool socket_was_listened_to(struct socket *s, size_t max);

enum socket_sent { SOCKET_SENT, SOCKET_FULL, SOCKET_GONE };
/* 1 to SOCKET_PARTS parts (a ROUTER's first names the peer), all or none; takes no references over.
 * GONE: no such peer (ROUTER), or nobody connected; a DEALER or PUSH with a high-water mark cannot
 * tell the latter from FULL. */
enum socket_sent socket_send(struct socket *s, struct frame *const *parts, size_t n);
/* Parts that are copied: for small messages. */
enum socket_sent socket_send_strs(struct socket *s, const Str *parts, size_t n);

#endif
