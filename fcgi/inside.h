/* inside -- roster, streams and audiences as they see each other. For roster*.c, stream*.c,
 * audience.c and replay.c alone.
 *
 * Positions: `at` of the roster is what came on the link, `flushed` what was written to whoever is
 * live. A live stream has no position of its own: it is at `flushed`. */
#ifndef BELFRY_INSIDE_H
#define BELFRY_INSIDE_H

#include "address.h"
#include "base/tally.h"
#include "batch.h"
#include "image.h"
#include "page.h"
#include "pass.h"
#include "room.h"
#include "slice.h"
#include "stream.h"
#include "subscription.h"

struct replay;

/* One channel or pattern of a stream. */
struct part {
    struct subscription *sub;
    Position from;     /* only events above it, whatever the stream's position is */
    Position caught;   /* late, and given without ids up to there already */
    bool is_added;     /* by POST */
    bool is_late;      /* begins below the stream's position: caught up first, without ids */
    struct room *room; /* who is there; NULL: it did not ask, or may not know */
    uint64_t told;     /* the version that the stream was told last; 0: none */
};

enum stream_state {
    STREAM_OPENING, /* asked the hub */
    STREAM_BEHIND,  /* has still to get what is on the shelf or in the log */
    STREAM_LIVE,    /* has everything; gets what comes with its audience */
    STREAM_PARTING, /* shall be told bye */
    STREAM_GONE,    /* only to be freed */
};

struct stream {
    struct roster *roster;
    struct sink *sink;         /* NULL: it ended */
    struct list node;          /* all; or the orphans: gone, but the hub is still at work on OPEN */
    struct list place;         /* LIVE: its audience's; BEHIND and to be served: roster's ready */
    struct list leaving;       /* roster's gone, to be freed at the end of the turn */
    struct list held;          /* roster's, while a held start lasts */
    struct list mates;         /* of its page */
    struct audience *audience; /* NULL until it is opened */
    struct page *page;         /* the same */
    struct replay *replay;     /* what it is owed of the past; NULL: nothing */
    struct link_request *ask;  /* OPEN */
    struct part *parts;
    Cursor at;     /* not while LIVE */
    Cursor opened; /* where it began */
    Msec made, connected, written, full_since;
    Msec hold_until; /* of a held start that was greeted */
    uint64_t value;  /* with `start`: what was asked for */
    uint64_t mark;   /* its audience's bytes when it was live, or became full, last */
    struct pass *pass;
    char *token;  /* what it is known by (accounts.h); NULL: none */
    Msec issued;  /* wall clock: since when its user is known */
    Msec expires; /* wall clock: when its rights end; 0: never */
    Str client, user, requested, address, label, public; /* in the same memory */
    uint32_t part_count;
    uint32_t left; /* a poll: events that its answer still takes */
    uint32_t left_bytes;
    uint8_t state, ping, start, farewell;
    bool is_poll, is_named, is_listed, is_held, is_full, is_greeted, is_resumed, is_odd, is_warned,
        is_commented, aborts, with_presence; /* is_warned: of the end of its rights */
};

/* Streams on the same channels in the same form, which may read the same: what becomes due is
 * gathered once for all of them. */
struct seat {
    struct list node; /* subscription.seats */
    struct audience *audience;
};
struct audience {
    struct list live;  /* streams */
    struct list dirty; /* roster's, while something is due */
    const struct sink_ops *ops;
    struct pass *pass; /* asked, for this user, only where it has patterns */
    Str user;          /* in the same memory; the key's */
    unsigned refs;
    struct item **due;
    size_t due_len, due_cap, due_bytes;
    uint64_t bytes; /* of all that ever became due */
    Str key;        /* in the same memory */
    bool has_patterns;
    size_t seat_count;
    struct seat seats[];
};

enum { PAST_MOST = 16 };

struct roster {
    const struct options *options;
    struct link *link;
    struct subscriptions subs;
    struct pages pages;
    struct map audiences;
    struct passes passes;
    struct accounts accounts, learned; /* learned: as far as it came of what shall replace them */
    bool knows_accounts, is_learning;
    struct rooms rooms;
    struct shelf *shelf;
    struct list streams, orphans, ready, held, gone, dirty;
    struct slices *slices;
    size_t stream_count;
    struct tally addresses; /* streams and polls of each */
    struct batch batch;
    Cursor at, flushed;
    Cursor past[PAST_MOST]; /* the last of each epoch before that of `at` */
    size_t past_len;
    bool has_hole;
    Msec now, flush_at; /* flush_at: the earliest time of the next one */
    Msec drained;
    size_t writes; /* of this flush */
    uint64_t sent; /* deliveries of this flush to those that are live */
    uint64_t pace; /* such deliveries a ms, of late */
    Msec paced;    /* the flush that `pace` takes in last */
    Msec pause;    /* because of what was found waiting */
    struct roster_counts counts;
};

/* roster.c */
/* What is counted: its address, as long as it has a sink. */
Str stream_origin(const struct stream *s, char key[ADDRESS_KEY]);
void roster_advance(struct roster *r, Cursor c);
/* The hub put the link on that channel: a LEAVE of ours that crossed this took it off. */
void roster_notice_crossing(struct roster *r, Str name);

/* roster_clients.c */
/* Packed clients that have no stream here, and are remembered. */
void roster_put_gone(const struct roster *r, struct buf *list, Msec now);

/* audience.c */
struct audience *audience_enter(struct stream *s);
void audience_leave(struct stream *s);
/* An event that came: to all audiences that it is for. */
void audience_spread(struct roster *r, struct item *i);
/* Writes what is due; `before` is what its streams have. */
void audience_flush(struct roster *r, struct audience *a, Cursor before);
void audience_drop_due(struct audience *a);

/* stream_serve.c */
Cursor stream_at(const struct stream *s);
void stream_go_live(struct stream *s);
void stream_leave_live(struct stream *s, Cursor at);
/* It has something to do in the next flush, if it can. */
void stream_wake(struct stream *s);
/* After each call of the sink: whether more may be written. */
bool stream_wrote(struct stream *s, bool has_room);
/* A poll's answer, or its wait. */
void stream_rest(struct stream *s, Cursor at, bool more);
/* Writes the roster's batch. */
bool stream_write_batch(struct stream *s, bool without_id);
bool stream_greet(struct stream *s);
bool stream_is_for(const struct stream *s, const struct event *e);
bool stream_may_read(const struct stream *s, Str name);
/* On one of its channels, above where that begins, and may be read. */
bool stream_wants(const struct stream *s, const struct event *e, bool late);
void stream_put_names(const struct stream *s, struct buf *list, bool late_only);
void stream_put_parts(const struct stream *s, struct buf *list);
void stream_tick(struct stream *s);

/* stream.c */
/* One that is in the roster, and no more than that. */
struct stream *stream_make(struct roster *r, const struct stream_request *q, struct sink *sink,
                           Msec now);
/* Asks the hub to open it. */
void stream_ask(struct stream *s, const struct stream_request *q);
void stream_end(struct stream *s); /* GONE, without a word */
void stream_reap(struct stream *s);
struct part *stream_find_part(const struct stream *s, Str name);
/* With a subscription taken for it. */
struct part *stream_add_part(struct stream *s, Str name);
void stream_drop_part(struct stream *s, struct part *part);
Position part_begin(const struct part *part); /* what it still has to get lies above it */

/* stream_change.c */
void stream_change(struct stream *s, const struct msg_add *m, Cursor *begin);
/* What is known of users has changed: what is no longer allowed ends the stream. */
void stream_review(struct stream *s);

/* stream_presence.c */
/* Follows who is on its channels, where it asked for that and may know. */
void stream_watch(struct stream *s);
bool stream_owes_presence(const struct stream *s);
bool stream_tell_presence(struct stream *s); /* whether more may be written */
/* The hub hears what a client's streams and polls here carry now. */
void roster_tell_here(struct roster *r, const struct page *p);
void roster_watch_again(struct roster *r);
void page_put_here(const struct page *p, struct buf *list);
void roster_unwatch(struct roster *r, struct room *w);

/* replay.c */
void replay_begin(struct stream *s, bool is_measured);
void replay_serve(struct stream *s);
/* Said before anything else is written. */
void replay_owe_gap(struct stream *s, const struct gap *g);
/* What is then added with is_late, all of it above `from`, comes first. */
void replay_owe_late(struct stream *s, Cursor from);
/* An ephemeral event for a poll that is not live yet. */
void replay_keep(struct stream *s, struct item *i);
bool replay_is_waiting(const struct stream *s); /* for the hub */
void replay_drop(struct stream *s); /* what was asked of the hub is of no use any more */
void replay_free(struct stream *s);
/* What of it goes into the stream's image (`gap`: the memory of one that is owed), and back. */
void replay_put_image(const struct stream *s, struct image_stream *m, struct buf *gap);
void replay_restore(struct stream *s, const struct image_stream *m);

#endif
