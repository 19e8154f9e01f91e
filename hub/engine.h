/* engine -- what the files of the hub's engine share: its whole state, and the words in which they
 * call each other. Only they include it. */
#ifndef BELFRY_ENGINE_H
#define BELFRY_ENGINE_H

#include "asks.h"
#include "base/limits.h"
#include "change.h"
#include "channel.h"
#include "client.h"
#include "epochs.h"
#include "fleeting.h"
#include "hook.h"
#include "hub.h"
#include "kick.h"
#include "metrics.h"
#include "peer.h"
#include "presence.h"
#include "ring.h"
#include "seen.h"
#include "ticket.h"
#include "topic.h"
#include "typing.h"
#include "wire/accounts.h"
#include "wire/refusal.h"
#include "wire/socket.h"

#define BODY_MAX (256 * 1024 * 1024) /* of what the hub writes; nothing it says comes near */
#define LEASE_MS 3000                /* a link that is silent for so long is gone */
#define BEAT_MS  1000

/* Who is called when the journal has done an operation: its op.owner points to one. */
struct op_owner {
    void (*done)(struct hub *h, struct op *op);
};

struct hub {
    const struct options *o;
    struct hub_out out;
    struct journal *journal;
    Now now; /* of this call */
    Msec started, ticked, beaten, complained;

    struct epochs epochs;
    Position through; /* everything up to it was committed and fanned out */
    struct channel_table channels;
    struct topics topics;
    struct peers peers;
    struct clients clients;
    struct accounts accounts;
    struct seen seen;
    Msec next_sweep;     /* of them */
    Now steady;          /* its clock was not set since */
    bool is_changing;    /* one change of them is under way */
    struct list waiting; /* questions that would change them, too: after it */
    size_t waiting_count;
    struct tickets tickets;
    struct kicks kicks;
    struct limits limits; /* of users */
    struct ring ring;
    struct buf packed; /* an event, on its way into a frame */
    struct fleeting fleeting;
    struct presence presence;
    struct typing typing;
    struct changes changes;
    struct asks asks;
    struct hooks hooks;

    struct list inspections; /* reads of the log, backups and checks under way */
    struct pool publishes;
    size_t ops;   /* the journal has so many other operations of ours */
    size_t queue; /* publishes among them */
    size_t queue_bytes;
    size_t prunes; /* prunes among them, what they are thought to take away */
    uint64_t prunes_rows, prunes_cut;
    bool is_noting;
    Msec retry_prunes; /* the log could not be written: not before */
    Msec next_probe;   /* while it is not writable */
    Msec next_full;    /* when it may be logged again that it is not */
    uint64_t noted;    /* events since the last note */
    bool is_writable, is_full_told, is_stopping, has_noted_last;
    uint64_t fan_outs;
    uint64_t next_ref;
    struct figures retired; /* of workers that left */
    uint64_t counters[COUNTER_COUNT];
};

static inline void hub_count(struct hub *h, enum counter c)
{
    h->counters[c]++;
}

/* Whether the user (empty: nobody's) may now; false: LIMIT. */
MUST_USE bool hub_admits(struct hub *h, enum rate rate, Str user, struct fault *why);

static inline Cursor hub_cursor(const struct hub *h, Position at)
{
    return epochs_cursor(&h->epochs, at);
}

/* Hands an operation to the journal; `owner` is called when it is done. */
void hub_submit(struct hub *h, struct op *op, struct op_owner *owner);
/* Counts something that could not be understood, and says so in the log now and then. */
void hub_complain(struct hub *h, const char *what, Str peer, const char *detail);

#endif
