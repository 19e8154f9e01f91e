/* inside -- roster, streams and audiences as they see each other. For roster*.c, stream*.c,
 * audience.c and replay.c alone.
 *
 * Positions: `at` of the roster is what came on the link, `flushed` what was written to whoever is
 * live. A live stream has no position of its own: it is at `flushed`. */
#ifndef BELFRY_INSIDE_H
#define BELFRY_INSIDE_H

#include "address.h"
#include "base/pool.h"
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
    Position from;   /* only events above it, whatever the stream's position is */
    Position caught; /* nothing up to there is to come: it came without ids; or came by a pattern,
                      * as far as that was allowed then */
    bool is_added;   /* by POST */
    bool is_late;    /* begins below the stream's position: caught up first, without ids */
};

/* Who is on a channel, for a stream that asked and may know. */
struct follow {
    struct room *room;
    uint64_t told; /* the version that the stream was told last; 0: none */
};

/* What few streams have. */
struct extras {
    char *token;      /* what its user is known by (accounts.h); NULL: none */
    Msec issued;      /* wall clock: since when its user is known */
    Msec expires;     /* wall clock: when its rights end; 0: never */
    Msec asked_until; /* … those that the application gave; 0: never */
    char *label;      /* what an anonymous client calls itself; NULL: nothing */
    char *public;     /* JSON, shown of its user; NULL: nothing */
    struct follow *follows;
    size_t follow_count;
};

/* A stream that the hub has not opened yet, or a refused one. */
struct arrival {
    struct link_request *ask; /* OPEN */
    uint64_t value;           /* with `start`: what was asked for */
    Str client;               /* in the same memory */
};

enum stream_state {
    STREAM_OPENING, /* asked the hub */
    STREAM_BEHIND,  /* has still to get what is on the shelf or in the log */
    STREAM_LIVE,    /* has everything; gets what comes with its audience */
    STREAM_PARTING, /* shall be told bye */
    STREAM_GONE,    /* only to be freed */
};

/* There are many: what is not needed while nothing happens lies elsewhere. */
struct stream {
    struct roster *roster;
    const struct sink_ops *ops; /* of its sink; NULL: it ended */
    void *to;                   /* the sink's */
    struct list node;  /* all; or the orphans: gone, but the hub is still at work on OPEN */
    struct list place; /* LIVE: its audience's; BEHIND and to be served: roster's ready; PARTING or
                          GONE: roster's gone, to be freed at the end of the turn */
    struct list mates; /* of its page */
    struct audience *audience; /* NULL until it is opened */
    struct page *page;         /* the same */
    struct arrival *arrival;   /* NULL once it is opened */
    struct replay *replay;     /* what it is owed of the past; NULL: nothing */
    struct part *parts;        /* its own, or the audience's */
    struct extras *extras;     /* NULL: none */
    struct pass *pass;
    Cursor at;     /* not while LIVE */
    Cursor opened; /* where it began */
    Msec made;
    uint32_t greeted; /* ms after that */
    uint32_t written; /* last, but for presence; while it is full: since when. Of the clock's low
                         bits: it is never long ago */
    uint32_t part_count;
    uint32_t left; /* a poll: events that its answer still takes */
    uint32_t left_bytes;
    uint8_t state, ping, start, farewell;
    bool is_poll : 1, is_named : 1, is_listed : 1, is_held : 1, is_full : 1, is_greeted : 1,
        is_resumed : 1, is_odd : 1;
    bool is_warned : 1; /* of the end of its rights */
    bool is_commented : 1, aborts : 1, with_presence : 1;
    uint8_t user_len, requested_len;
    uint16_t address_len;
    char text[]; /* user, address, what was requested */
};

static inline Str stream_user(const struct stream *s)
{
    return str_make(s->text, s->user_len);
}

static inline Str stream_address(const struct stream *s)
{
    return str_make(s->text + s->user_len, s->address_len);
}

static inline Msec stream_greeted(const struct stream *s)
{
    return s->made + s->greeted;
}

/* It is open and served: where it is, is a place in the log as it is. */
static inline bool stream_is_on(const struct stream *s)
{
    return s->state == STREAM_LIVE || s->state == STREAM_BEHIND;
}

/* Since it was written to, or became full. */
static inline Msec stream_idle(const struct stream *s, Msec now)
{
    return (uint32_t)now - s->written;
}

static inline Str stream_requested(const struct stream *s) /* the cursor as the browser wrote it */
{
    return str_make(s->text + s->user_len + s->address_len, s->requested_len);
}

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
    struct part *parts; /* of all streams on it whose parts are as plain as these */
    size_t seat_count;
    struct seat seats[];
};

enum { PAST_MOST = 16 };

struct roster {
    const struct options *options;
    struct pool pool; /* of the streams */
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
    struct stream *came; /* the last that the hub opened; NULL: none that is here */
    struct slices *slices;
    size_t stream_count;
    struct tally addresses; /* streams and polls of each */
    struct batch batch;
    Cursor at, flushed;
    Cursor reach;           /* the furthest that a channel was said to begin, or to be gone up to */
    Cursor past[PAST_MOST]; /* the last of each epoch before that of `at` */
    size_t past_len;
    bool has_hole;
    Msec now, flush_at; /* flush_at: the earliest time of the next one */
    Msec drained;
    size_t writes; /* of this flush */
    uint64_t sent; /* deliveries of this flush to those that are live */
    uint64_t pace; /* such deliveries a ms, of late */
    Msec paced;    /* the flush that `pace` takes in last */
    size_t crowd;  /* how many publish, of late */
    size_t found;  /* events that a flush found, of late */
    Msec pause;    /* because of what was found waiting */
    struct roster_counts counts;
};

/* roster.c */
/* What is counted: its address, as long as it has a sink. */
Str stream_origin(const struct stream *s, char key[ADDRESS_KEY]);
void roster_advance(struct roster *r, Cursor c);
/* The hub put the link on that channel: a LEAVE of ours that crossed this took it off. */
void roster_notice_crossing(struct roster *r, Str name);
/* The hub said that something of a channel begins there, be it above where the link is. */
void roster_reach(struct roster *r, Cursor c);
/* Of these the link does not bring all up to there. */
void roster_uncover(struct roster *r, Str names, Cursor oldest);

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
struct stream *stream_make(struct roster *r, const struct stream_request *q, struct sink sink,
                           Msec now);
/* Asks the hub to open it. */
void stream_ask(struct stream *s, const struct stream_request *q);
struct extras *stream_extras(struct stream *s); /* made where there are none */
Msec stream_expires(const struct stream *s);
void stream_know(struct stream *s, Str token, Msec issued, Msec expires);
/* Called by the name that the hub knows, or was asked for. */
Str stream_client(const struct stream *s);
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
void stream_unwatch(struct stream *s);
/* The version of a channel's presence that it was told last. */
uint64_t stream_told(const struct stream *s, Str channel);
void stream_set_told(struct stream *s, Str channel, uint64_t told);
bool stream_owes_presence(const struct stream *s);
bool stream_tell_presence(struct stream *s); /* whether more may be written */
/* The hub hears what a client's streams and polls here carry now. */
void roster_tell_here(struct roster *r, const struct page *p);
void roster_watch_again(struct roster *r);
void page_put_here(const struct page *p, struct buf *list);

/* replay.c */
void replay_begin(struct stream *s, bool is_measured);
void replay_serve(struct stream *s);
/* Whether anything after `from` is missing, as the hub says by its log: what was pruned there may
 * be on the shelf. What is missing lies at or below *oldest. */
bool replay_misses(const struct stream *s, enum gap_reason reason, Cursor from, Cursor *oldest);
/* Said before anything else is written. */
void replay_owe_gap(struct stream *s, const struct gap *g);
/* What is then added with is_late, all of it above `from`, comes first. */
void replay_owe_late(struct stream *s, Cursor from);
/* An ephemeral event for a poll that is not live yet. */
void replay_keep(struct stream *s, struct item *i);
bool replay_is_waiting(const struct stream *s); /* for the hub */
void replay_drop(struct stream *s); /* what was asked of the hub is of no use any more */
/* The same; nor is what a gap said of what lies above it. */
void replay_rewind(struct stream *s, Position fork);
void replay_free(struct stream *s);
/* A held start: nothing is given to it until then. */
void replay_hold(struct stream *s, Msec until);
bool replay_is_held(const struct stream *s);
/* Those whose time is out are served. */
void replay_release(struct roster *r);
Msec replay_first_release(const struct roster *r); /* 0: there is none */
/* From now on its lag is counted; how many bytes it is by now. */
void replay_mark(struct stream *s);
uint64_t replay_lag(const struct stream *s);
/* What of it goes into the stream's image (`gap`: the memory of one that is owed), and back. */
void replay_put_image(const struct stream *s, Msec now, struct image_stream *m, struct buf *gap);
void replay_restore(struct stream *s, Msec now, const struct image_stream *m);

#endif
