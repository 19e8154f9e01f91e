/* peer -- a worker, seen from the hub: its link's number and sequence, credit and lease, what it is
 * subscribed to, and how far it has been sent everything.
 *
 * A link is live (it gets each event as it is fanned out) or lags behind (it is refilled from ring
 * or log, refill.h). One that is gone is marked, and reaped at the end of the turn. */
#ifndef BELFRY_PEER_H
#define BELFRY_PEER_H

#include "base/clock.h"
#include "base/list.h"
#include "metrics.h"
#include "topic.h"
#include "wire/bundle.h"

struct hub;
struct frame;

struct peer {
    Str id; /* ZeroMQ's routing id */
    uint64_t boot, link;
    char name[64];
    Msec heard, since;
    bool is_welcome; /* all pieces of its HELLO are in */
    bool is_live, is_gone;
    bool takes_bundles;
    struct bundle bundle; /* said in this turn, not sent */
    struct list talking;  /* has something in it */
    bool is_reading;      /* a slice of the log for its refill is under way */
    bool is_stale;        /* subscriptions came that this slice does not know */
    Msec retry;           /* the log could not be read: not before */
    Position through;     /* while it lags: all events up to it were sent */
    uint64_t seq;
    uint64_t said;                      /* number of its last message; 0: it has none */
    uint64_t sent_bytes, sent_messages; /* of what needs credit, since WELCOME */
    uint64_t done_bytes, done_messages; /* of those, worked off */
    struct map subs;                    /* by name */
    size_t patterns;                    /* among them */
    size_t asked_bytes;                 /* of slices under way or waiting for credit */
    struct list waiting;                /* rows that wait for credit (fetch.h) */
    struct list claims;                 /* its clients */
    struct list watches;                /* channels whose presence it is told (presence.h) */
    struct list lagging;
    struct figures figures;
    uint64_t turn; /* of the last fan-out that saw it */
    char bytes[];
};

struct peers {
    struct map by_id, by_boot, by_link;
    struct list lagging; /* those that are not live and welcome */
    struct list gone;    /* linked by `lagging` too */
    struct list talking;
};

void peers_init(struct peers *p);
void peers_fini(struct hub *h);

/* One that says HELLO; whoever had its id or boot before is gone. */
struct peer *peer_new(struct hub *h, Str id, uint64_t boot, Str name);
void peer_go(struct hub *h, struct peer *p);
/* Frees those that are gone. */
void peers_reap(struct hub *h);
/* Drops those that have been silent too long. */
void peers_expire(struct hub *h);
/* What is owed each second. */
void peers_beat(struct hub *h);

struct peer *peer_by_id(const struct hub *h, Str id);
struct peer *peer_by_boot(const struct hub *h, uint64_t boot);
struct peer *peer_by_link(const struct hub *h, uint64_t link);

/* All events up to it on its subscriptions were sent. */
Position peer_through(const struct hub *h, const struct peer *p);
bool peer_has_credit(const struct peer *p);
/* From here on it gets events as they come, or no longer does. */
void peer_make_live(struct peer *p);
void peer_make_lag(struct hub *h, struct peer *p, Position through);

/* Valid names and patterns only. False: it has too many. */
bool peer_subscribe(struct hub *h, struct peer *p, Str name);
/* A list of names; the fault is LIMIT. */
bool peer_subscribe_all(struct hub *h, struct peer *p, Str names, struct fault *why);
void peer_unsubscribe(struct hub *h, struct peer *p, Str name);
void peer_unsubscribe_all(struct hub *h, struct peer *p);
bool peer_wants(const struct hub *h, const struct peer *p, Str channel);

/* Says the next message of its sequence, at the end of the turn where the peer takes bundles.
 * peer_send takes the body's memory over. */
void peer_send(struct hub *h, struct peer *p, enum verb verb, struct buf *body);
void peer_send_frame(struct hub *h, struct peer *p, enum verb verb, struct frame *body);
/* The same with credit: counts it. */
void peer_send_on_credit(struct hub *h, struct peer *p, enum verb verb, struct frame *body);
void peer_send_beat(struct hub *h, struct peer *p);
void peers_flush(struct hub *h);
/* To somebody who has no link. */
void peer_say_who(struct hub *h, Str id);
void peer_reject(struct hub *h, Str id, int code, const char *detail);

#endif
