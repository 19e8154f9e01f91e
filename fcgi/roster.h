/* roster -- all streams of a worker, the channels they are on, and the ring of recent events that
 * serves them. Streams with the same channels form an audience and share what is rendered for them.
 * Knows the link and streams; no I/O, no clock. */
#ifndef BELFRY_ROSTER_H
#define BELFRY_ROSTER_H

#include "image.h"
#include "link.h"
#include "wire/accounts.h"
#include "wire/event.h"

struct roster;

struct roster *roster_new(const struct options *options, struct link *link);
void roster_free(struct roster *r);

/* Once a turn after all input: writes what is due, then frees what was closed. */
void roster_flush(struct roster *r, Msec now);
/* When roster_flush wants to be called: now; later, where many streams were written to just now and
 * what comes meanwhile shall leave with one write each; 0: nothing is due. A loop that flushes in
 * every turn is right, too, and slower when it is busy. */
Msec roster_next_flush(const struct roster *r, Msec now);
/* At least four times a second: heartbeats, slow streams, lingering subscriptions, held starts. */
void roster_tick(struct roster *r, Msec now);
/* bye(drain) to every stream, spread so that `left` ms remain; true when none is left. */
bool roster_drain(struct roster *r, Msec now, Msec left);
/* What the hub knows of users; NULL: it has not said so yet. */
const struct accounts *roster_accounts(const struct roster *r);
size_t roster_streams(const struct roster *r);
/* Whether one more stream or poll of that address may be; false: LIMIT, and counted. */
MUST_USE bool roster_has_room(struct roster *r, Str address, struct fault *why);

/* A successor is given the roster's image (packed `roster` of image.def), then each stream's
 * (stream.h), after a flush and before anything else happens. */
void roster_put_image(const struct roster *r, Msec now, struct buf *out);
/* Of a new one, before anything came from the hub. */
void roster_restore(struct roster *r, const struct image_roster *m, Msec now);
/* They are the successor's now: all streams end here, their sinks are closed as they are, and the
 * hub hears nothing of it (the successor says MOVED). */
void roster_abandon(struct roster *r);
struct roster_counts {
    uint64_t opened, closed; /* streams and polls */
    uint64_t deliveries;     /* events written to streams */
    uint64_t slices;         /* of replays asked of the hub */
    uint64_t gaps, slow;     /* said; streams that did not read */
    uint64_t limited;        /* refused by roster_has_room */
};
const struct roster_counts *roster_counts(const struct roster *r);

/* From the link. */
void roster_on_welcome(struct roster *r, const struct msg_welcome *m);
void roster_on_event(struct roster *r, const struct event *e); /* borrowed: copies it */
/* Of an OPEN that was answered already, or that nobody waits for any more. */
void roster_on_stale_opened(struct roster *r);
void roster_on_gap(struct roster *r, const struct msg_gap *m);
void roster_on_accounts(struct roster *r, const struct msg_accounts *m);
void roster_on_kick(struct roster *r, const struct msg_kick *m);
void roster_on_through(struct roster *r, Cursor through);
bool roster_on_presence(struct roster *r, Str body); /* PRESENCE; false: malformed */
/* Fills the answer's code, detail, channels (list; `channels` is the memory for it) and at. */
void roster_on_add(struct roster *r, const struct msg_add *m, struct msg_added *answer,
                   struct buf *channels);
/* What `belfry streams` shows of them: items of a JSON array, in pieces. False: no more. */
bool roster_put_streams(struct roster *r, struct buf *json, size_t *from);
/* For HELLO: where it is, its subscriptions, its clients; and whether the link lost something
 * (a `prev` that does not fit), in which case the link says HELLO again. */
Cursor roster_at(const struct roster *r);
void roster_put_past(const struct roster *r, struct buf *list);
void roster_put_ahead(const struct roster *r, struct buf *list);
void roster_put_channels(const struct roster *r, struct buf *list);
void roster_put_clients(const struct roster *r, struct buf *list, Msec now);
bool roster_has_hole(const struct roster *r);

#endif
