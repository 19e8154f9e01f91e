/* journal -- the durable event log, as an asynchronous, batch-first interface. The engine hands
 * in operations and gets them back, done; it never waits and knows no database.
 *
 * What is appended and pruned is done in the order it was handed in, many operations in one
 * transaction; reads are done beside that, on a snapshot of their own. An operation belongs to the
 * journal from submit until take returns it; then it is its maker's again.
 *
 * One journal thread writes (journal_sqlite.c), one reads; all of these calls come from one thread.
 * An implementation is a struct journal as its first member; tests have one in memory. */
#ifndef BELFRY_JOURNAL_H
#define BELFRY_JOURNAL_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"
#include "wire/event.h"

enum op_kind {
    OP_APPEND, /* in order, with those up to ACCOUNT */
    OP_PRUNE,
    OP_NOTE,
    OP_FORGET,
    OP_ACCOUNT,
    OP_READ, /* beside them */
    OP_FIND,
    OP_BACKUP, /* in slices, between transactions */
    OP_CHECK,
};

/* Begins every operation. */
struct op {
    enum op_kind kind;
    struct op *next;  /* the journal's, while it has the operation */
    void *owner;      /* the maker's */
    struct fault why; /* code 0: done. DISK_FULL: nothing was written; try again later */
};

/* One send: its events follow each other in the log. */
struct append_send {
    Str key;           /* idempotency key; empty: none */
    uint64_t print[2]; /* fingerprint of what it sends */
    size_t first, n;   /* its events in append.events; n may be 0 where the engine refused it */
    /* answers */
    int code;       /* CONFLICT: same key, other print; KEYS_FULL. Kept as it is where n is 0 */
    bool again;     /* the key was known: `at` and `time` are of the first time */
    Position at;    /* of its first event; the others follow */
    uint64_t epoch; /* of that event */
    Msec time;
};

/* What one publish asks: written in one transaction with all its answers, or not at all. */
struct append {
    struct op op;
    Str user; /* whose keys these are */
    Str key;  /* of the whole; empty: none. Known: every send is answered from the first time */
    uint64_t print[2];
    int code; /* answer for the whole, and then each send's too: CONFLICT, KEYS_FULL */
    struct append_send *sends;
    size_t send_count;
    struct event **events; /* the journal sets id, time of those it writes, in log order */
    uint64_t *rows;        /* of each event: its channel's row */
    bool *fresh;           /* of each event: make the channel's row where there is none. To be said
                              until an append that said so came back with the event written */
    size_t event_count;
    size_t size; /* bytes, for bounds */
};
/* As if it had never been tried: for a journal that rolled it back. */
void append_undo(struct append *a);

/* Takes the oldest events of one channel away: as long as one of the three says so, `most` at most.
 */
struct prune {
    struct op op;
    uint64_t row;
    uint64_t excess_rows;  /* so many */
    uint64_t excess_bytes; /* until so many bytes are gone */
    Msec before;           /* those logged before this */
    uint32_t most;
    /* answers */
    uint64_t rows, bytes; /* taken away */
    Position floor;       /* the highest ever taken away of this channel */
    Msec oldest;          /* time of the oldest that is left; 0: none is */
};

/* Figures of a channel that live in the engine's memory and are noted now and then. */
struct note_channel {
    uint64_t row, count, bytes;
    Position last;
    Msec oldest;
};
struct note {
    struct op op;
    Position counted; /* the figures take in everything up to here, and the prunes taken back */
    uint64_t known;   /* the journal's: how many prunes those were */
    struct note_channel *channels; /* all that had events since the last note done */
    size_t n;
};

/* Channels whose events are all gone, and long ago. */
struct forget {
    struct op op;
    uint64_t *rows;
    size_t n;
    Position
        highest; /* in and out: the highest `last` of all that were ever forgotten; 0 will do */
};

/* Rows about users (wire/accounts.h) that are written or taken away. */
struct account_op {
    struct op op;
    struct buf rows; /* list of packed `account`; the maker's */
};

struct missing {
    char *channel; /* the name, or the pattern that was asked for */
    Position floor;
};

/* A slice of the log, on a snapshot of its own with the floors of that snapshot. Expired events are
 * left out. After reading_fini() nothing of it may be used. */
struct reading {
    struct op op;
    char *channels; /* packed list of names and patterns (wire/message.h); the maker's */
    size_t channels_len;
    Position after, upto;  /* (after, upto] */
    Msec since;            /* 0: no bound; else older ones are left out, and no gap where missing */
    Msec now;              /* what has expired is left out */
    uint32_t limit, bytes; /* rows; bytes, one row at least */
    bool descending;
    /* answers */
    struct event **events;
    size_t n;
    Position next; /* rising: everything in (after, next] was looked at; falling: in [next, upto] */
    bool more;     /* the range goes on beyond next */
    struct missing *missing; /* floors above `after`; a channel that is not known counts as pruned
                                up to journal_state.forgotten */
    size_t missing_count;
};
void reading_fini(struct reading *r); /* what the answers hold; channels stays the maker's */

/* Where to begin: after which position are the newest `last` events of these channels, or those
 * whose time is not before `since`. */
struct finding {
    struct op op;
    char *channels;
    size_t channels_len;
    uint64_t last; /* 0: by time */
    Msec since, now;
    /* answer */
    Position after;
};

struct backup {
    struct op op;
    char *path; /* must not exist; it does when the backup is whole */
    uint64_t pages_done, pages_total;
};

struct check {
    struct op op;
    struct buf report; /* "ok", or a line a problem; the maker's */
};

struct epoch {
    uint64_t name;  /* as in Cursor */
    Position first; /* positions from here on are of this epoch, up to the next one's first */
    Msec opened;
    char reason[16]; /* fresh, start, restored */
};

/* What the log held when it was opened. */
struct journal_state {
    Position head;        /* the newest event's position; 0: none ever */
    Position oldest;      /* everything below or at it is gone for channels that are not known */
    Position forgotten;   /* highest last of forgotten channels */
    Msec time;            /* of the newest event; later ones are never before it */
    struct epoch *epochs; /* rising; the last is the one that this start opened */
    size_t epoch_count;
    uint64_t bytes; /* of all events */
    char *accounts; /* list of packed `account` (wire/message.h): all rows about users */
    size_t accounts_len;
    bool is_full; /* the disk is: what is read holds, appends fail until there is room */
};

struct journal_channel {
    uint64_t row;
    Str name;
    Position last, floor;
    uint64_t count, bytes;
    Msec oldest; /* about: time of the oldest event, never later than it is; 0: none is left */
};

struct journal;
struct journal_ops {
    void (*submit)(struct journal *j, struct op *op);
    /* Ends a turn: what was submitted may now go to the disk together. */
    void (*flush)(struct journal *j);
    struct op *(*take)(struct journal *j); /* a done one, or NULL */
    int (*fd)(struct journal *j);          /* readable when take has something; -1: none */
    /* The outcome of what is under way is unknown (fsync failed), or the file is damaged: stop. */
    bool (*is_broken)(struct journal *j);
    /* Finishes what was submitted; its answers are dropped, the operations their makers' again. */
    void (*close)(struct journal *j);
};

struct journal {
    const struct journal_ops *ops;
};

#endif
