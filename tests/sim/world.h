/* world -- a hub, its log, some workers, the cables between them, browsers and publishers, in one
 * thread and under one clock that nobody waits for. What happens is a list of actions (schedule.h);
 * what follows from them is drawn from the seed. Whoever did or saw something writes it into the
 * history, which is judged at the end. */
#ifndef BELFRY_SIM_WORLD_H
#define BELFRY_SIM_WORLD_H

#include "base/list.h"
#include "hub.h"
#include "outlet.h"
#include "roster.h"

#include "cable.h"
#include "dice.h"
#include "journal_memory.h"
#include "law.h"
#include "schedule.h"
#include "tests/fault/history.h"

enum { TOOLS = 2, ROOM_NAMES = 8, ROOM_CHANNELS = 6, HOUR = 3600 * 1000 };
/* What there is to be on: channels first, then patterns. A set of them has a bit for each. */
extern const char *const room_names[ROOM_NAMES];
enum { USER_CHANNEL = 5 }; /* of the user ann */

struct world;

/* hubside.c: the process of the hub, its disk, and the tools that publish to it by themselves. */
struct hubside {
    struct hub *hub; /* NULL: it does not run */
    struct memory_log *log, *copy;
    struct journal_memory *journal;
    struct journal_state state;
    bool is_muted; /* it died: what it still says reaches nobody */
    bool is_stopping, copy_is_backup;
    bool is_replaced; /* the log that it finds is another one than it had */
    Msec up_at, awake_at, ticked;
    Msec full_until, slow_until, slow_reads_until;
    enum memory_fate next_fate;
    Position floors[ROOM_CHANNELS];
    Cursor head; /* the newest that was fanned out */
};

struct takeover;

/* workside.c: the process of a worker. There are two for each, which take turns: one is there, and
 * the other one succeeds it (replace.c). */
struct workside {
    struct world *world;
    unsigned number;
    char name[16], side[18]; /* the second of two with one name has a mark */
    struct link *link;       /* NULL: it does not run */
    struct roster *roster;
    struct cable cable;
    struct list calls;
    struct takeover *takeover; /* it gives or takes; NULL: neither */
    bool is_meant;             /* one that dies starts again; false: the other one is there */
    bool is_draining;
    Msec up_at, awake_at, ticked, drain_until;
};

/* One POST that a worker has taken: to publish, or to change a client's channels. */
struct call {
    struct list node;
    struct workside *worker;
    struct link_request *ask;
    void (*done)(struct call *c, Str body, const struct fault *why); /* why: no answer at all */
    void *owner;
};
void call_begin(struct workside *w, struct call *c, enum verb verb, struct buf *body,
                bool is_repeatable);

enum page_state { PAGE_AWAY, PAGE_WAITS, PAGE_ON };

/* attending.c: who is on a channel, as a page was told; 0: nothing. */
struct attendance {
    uint64_t version;
    unsigned users;
};

/* A page's connection in the hands of one worker. */
struct hold {
    struct outlet outlet; /* first */
    struct browser *page;
    struct stream *stream; /* NULL: it ended */
};

/* browser.c: one page in a browser, with an EventSource or a loop of polls. */
struct browser {
    struct world *world;
    struct hold holds[2]; /* the other one: of a successor that has not begun yet */
    unsigned holder;
    unsigned number;
    char actor[8];
    bool is_made;
    /* what it is */
    bool is_poll, is_named, has_envelope, has_user, with_presence;
    unsigned url;          /* channels in its URL */
    unsigned given;        /* of these and its own: what it may have, on this connection */
    Msec came_at, expires; /* of this connection; 0: never */
    uint8_t first;
    char name[24]; /* client= */
    uint32_t limit;
    struct dice dice;
    /* how it is */
    enum page_state state;
    struct workside *worker;
    uint32_t conn;
    Msec back_at, full_until, answer_at, connected_at;
    struct buf text; /* not read yet */
    bool is_full, is_open, is_ended, is_refused, has_more;
    bool is_cut;     /* it went, and its worker is to hear so */
    bool may_end;    /* it was told that it would, or its worker died */
    bool has_late;   /* channels that begin below its position */
    bool has_forked; /* this connection was told that the log is another one */
    char client[24]; /* as `connected` said */
    Cursor began, last;
    bool is_exact; /* its POSTs say where to begin */
    /* By a POST that may yet be done: what it wanted then it goes on wanting. */
    unsigned for_ever, never_again;
    bool has_ids;        /* something with an id came since `connected` */
    unsigned wants, has; /* channels by POST: meant to have, and joined on this connection */
    Cursor from[ROOM_NAMES];
    unsigned late_before; /* of these something came without an id, sometime */
    unsigned limbo;       /* perhaps it is on them, perhaps not: nothing is owed of them */
    unsigned haunting;    /* by POSTs of earlier connections, perhaps to be done on this one */
    unsigned told_from;   /* for these `from` is known */
    unsigned remembered;  /* by the hub, as `connected` said */
    bool has_cursor;      /* this connection began with one */
    bool is_held;         /* nothing with an id comes before it says what it wants */
    bool awaits_gap;      /* of which not all is there: what exactly, is said next */
    unsigned asking;      /* POSTs under way */
    unsigned leaving;     /* by those that unsubscribe */
    unsigned asked;       /* by POSTs of this connection: perhaps done, though nobody said so */
    Msec ask_at;
    struct attendance seen[ROOM_CHANNELS]; /* on this connection */
};

struct meant; /* an event that somebody means to publish (press.c) */

struct world {
    struct setup setup;
    struct options hub_options, worker_options;
    Msec mono, wall;
    struct dice dice;
    struct hubside hub;
    struct workside workers[2 * WORKERS_MAX]; /* setup.workers, then who succeeds each */
    struct browser pages[PAGES_MAX];
    struct list tool_calls[TOOLS]; /* sent, not answered, in order */
    struct list retries;           /* publishes to be tried again */
    uint32_t ops, bodies;
    Msec *begun; /* when each body was first meant */
    struct law law;
    struct history *history;
    uint64_t steps, instant;
    uint64_t hash; /* of everything that was written into the history */
    bool is_calm;  /* nothing goes wrong any more */
    bool is_aloud; /* the messages between hub and workers are told, too */
};

struct world *world_new(const struct setup *s);
void world_free(struct world *w);
/* Time goes on, and everybody does something. */
void world_round(struct world *w);
void world_act(struct world *w, const struct deed *a);
/* Until nothing happens any more; then everybody who is there must have everything. */
void world_settle(struct world *w);
/* Whether nothing was lost and nobody was lied to. */
void world_judge(struct world *w);
/* Ends the run: this rule is broken. */
_Noreturn void world_fail(struct world *w, const char *rule, const char *format, ...) PRINTF(3, 4);
void world_note(struct world *w, struct fact f);
/* A message that arrives. */
void world_tell(const struct world *w, const char *from, const char *to, const char *header);
Now world_now(const struct world *w);
/* So long the same key is said again: a worker may repeat it for as long as publish_timeout, and a
 * hub that stood still reads it long after. */
static inline Msec world_key_trust(const struct world *w)
{
    return w->setup.key_age / 3;
}

void hubside_start(struct world *w);
void hubside_turn(struct world *w);
void hubside_kill(struct world *w, Msec down);
void hubside_stop(struct world *w);
void hubside_fini(struct world *w);
void hubside_take_copy(struct world *w, bool as_backup);
/* What was copied, or nothing at all, is there when it starts again. */
void hubside_put_back(struct world *w, bool is_lost);
void hubside_prune(struct world *w);

unsigned world_sides(const struct world *w); /* 2 * setup.workers */
struct workside *workside_other(struct workside *w);
void workside_start(struct workside *w);
void workside_turn(struct workside *w);
void workside_kill(struct workside *w, Msec down);
/* What has arrived, and what is due: nothing is left to be done. */
void workside_settle(struct workside *w);
void workside_greet(struct workside *w);                        /* what its monitor says */
struct workside *workside_any(struct world *w, struct dice *d); /* one that runs, or NULL */

void replace_begin(struct workside *old, struct dice *d);
void replace_turn(struct workside *old);
/* One of the two is no more, or it is over: the old one goes on. */
void replace_give_up(struct takeover *t);
/* It neither reads nor writes. */
bool replace_is_frozen(const struct workside *w);

void page_open(struct browser *p); /* makes it at the first time */
void page_turn(struct browser *p);
/* For the worker that is to go on with it, which does not write yet. */
void page_give(struct browser *p, struct workside *heir);
void page_take(struct browser *p, struct workside *heir);
bool page_is_on(const struct browser *p, const struct workside *k); /* has a stream there */
void page_cut(struct browser *p, Msec away);
void page_want(struct browser *p, unsigned channels, bool is_adding);
void page_fini(struct browser *p);
/* It has all there is, and is on all it wants. */
bool page_is_done(const struct browser *p);
void page_drain(struct browser *p); /* says so */

void press_publish(struct world *w, uint64_t chance, bool by_tool);
void press_on_answer(struct world *w, Str peer, const Str *parts, size_t n);
void press_publish_each(struct world *w); /* one event on each channel */
void press_turn(struct world *w);
void press_on_hub_gone(struct world *w);
bool press_is_done(const struct world *w);
void press_fini(struct world *w);

/* peek.c: what only the programs themselves know. NULL: all is well. */
const char *peek_hub(struct hub *h);
const char *peek_roster(struct roster *r);
void peek_presence(struct hub *h, Str channel, struct buf *out);
Cursor peek_began(const struct stream *s); /* none: nobody is there */
bool peek_is_on(const struct stream *s, Str channel);

#endif
