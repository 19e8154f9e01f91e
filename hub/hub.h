/* hub -- the engine: publish, subscribe, replay. In: a peer's message, or an operation that the
 * journal has done, and the time. Out: messages, through the callbacks of struct hub_out.
 *
 * It knows no socket, no database and no clock; one thread owns it. A turn is: any number of
 * hub_on_...() calls, then hub_turn(). What is handed in is only read during the call. */
#ifndef BELFRY_HUB_H
#define BELFRY_HUB_H

#include "base/options.h"
#include "journal.h"

/* One reading of both clocks: `mono` for leases and waits, `wall` for what is shown and kept. */
typedef struct {
    Msec mono, wall;
} Now;

struct frame; /* counted bytes (wire/socket.h) */
struct hub;

/* Whom an answer goes to. */
enum tool { TOOL_PUBLISH, TOOL_ADMIN };

struct hub_out {
    void *ctx;
    /* To a link. The frame stays the engine's, take a reference. False: there is no such peer. */
    bool (*send)(void *ctx, Str peer, Str header, struct frame *body);
    /* To a tool. */
    void (*answer)(void *ctx, enum tool tool, Str peer, const Str *parts, size_t n);
    /* An event that was committed. */
    void (*tap)(void *ctx, const struct event *e);
    /* A text for the application; hub_on_hook() answers it. */
    void (*hook)(void *ctx, uint64_t id, Str text);
};

/* The options stay the caller's and outlive the hub. */
struct hub *hub_new(const struct options *o, struct hub_out out);
/* A channel of the log; before hub_start(). */
void hub_on_channel(void *hub, const struct journal_channel *c);
/* The journal stays the caller's; of the state the hub keeps a copy. */
void hub_start(struct hub *h, struct journal *j, const struct journal_state *s, Now now);
/* After hub_is_stopped(), or when the journal was closed: what it still held is lost to both. */
void hub_free(struct hub *h);

void hub_on_message(struct hub *h, Str peer, Str header, Str body, Now now);
/* Frames as they came from publish.ipc, intake.ipc (no peer to answer) and admin.ipc. */
void hub_on_publish(struct hub *h, Str peer, const Str *frames, size_t n, Now now);
void hub_on_intake(struct hub *h, const Str *frames, size_t n, Now now);
void hub_on_admin(struct hub *h, Str peer, const Str *frames, size_t n, Now now);
/* What the application answers; `why` (else NULL): there is no answer. */
void hub_on_hook(struct hub *h, uint64_t id, Str body, const struct fault *why, Now now);
void hub_on_done(struct hub *h, struct op *op, Now now);
/* Some ten times a second, after the sockets were drained. */
void hub_tick(struct hub *h, Now now);
/* Peers that were not let in. */
void hub_on_turned_away(struct hub *h, uint64_t peers);
/* Ends a turn. True: there is more to do at once, do not sleep. */
bool hub_turn(struct hub *h, Now now);

/* So many publishes wait that tools should be left unread. */
bool hub_is_full(const struct hub *h);
/* Publishes wait for the journal. */
bool hub_is_waiting(const struct hub *h);
/* Tells the links, takes nothing more, notes what the log needs to know. */
void hub_stop(struct hub *h, Now now);
/* Everything that was handed to the journal is back. */
bool hub_is_stopped(const struct hub *h);

#endif
