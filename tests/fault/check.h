/* check -- judges a history: whether everything that was promised was kept. Pure; knows the facts
 * alone, no hub, no clock. Takes O(n log n), and some 60 bytes for each event besides the history.
 *
 * What a reader is owed. Each connection begins somewhere (its cursor; without one its `open`; a
 * channel added to it, at its `joined`) and reaches somewhere (the highest of its ids and beats;
 * when it is drained, the end of the log). Every event in between that is known to be in the log,
 * because it was acknowledged or because anybody received it, on a channel that it has, is to be
 * received on this connection. Not owed are: what has a ttl, what excludes its client, what was
 * undone by a fork, and what was pruned and signalled by a gap that names its channel. What comes
 * after `left` or `revoke` is not owed, what was invoked after them must not come; nor anything on
 * a connection that begins after `revoke`. Of a channel with grants that is owed which was the
 * user's from `granted` on, before the channel was asked for (by the URL; remembered ones with it;
 * by `asks`), until after the connection. So a chain of connections is owed everything from its
 * first one on, as long as each begins with a cursor that the one before has reached; a reader
 * that goes back to an older cursor, or to none, is owed that part again and may get it twice. */
#ifndef BELFRY_CHECK_H
#define BELFRY_CHECK_H

#include "history.h"

enum rule {
    RULE_LOST,          /* an event that was owed did not come */
    RULE_SILENT_GAP,    /* one that was pruned, or a fork, and no gap told of it */
    RULE_FALSE_GAP,     /* a gap, and nothing was pruned, forked or unknown; or what it said was
                         * lost came after it */
    RULE_DOUBLED,       /* the same event twice on one actor's chain */
    RULE_ORDER,         /* an id at or below what the connection had reached */
    RULE_REALTIME,      /* acknowledged before the other was invoked, but ordered after it */
    RULE_CONTENT,       /* one id or position, two contents */
    RULE_TWICE_LOGGED,  /* one event meant, two positions */
    RULE_KEY,           /* an idempotency key with two contents, both accepted */
    RULE_REFUSED,       /* delivered, though every attempt was refused */
    RULE_INVENTED,      /* delivered, though nobody published it */
    RULE_LEAK,          /* on a channel that was not subscribed, not granted, or excluded */
    RULE_RESUMED,       /* `resumed` where nothing was presented, a gap was told before, or comes at
                         * once: pruned long before, of a channel that the request names */
    RULE_PRESENCE,      /* who the hub says is there, against who is */
    RULE_STREAM_CLOSED, /* ended by the other side where no end is allowed */
    RULE_MALFORMED,     /* the history itself makes no sense */
    RULES
};

enum { CHECK_SHOWN = 16 };

struct check_options {
    bool no_closes;     /* no stream may be ended by the other side */
    uint64_t key_keeps; /* ns: a key used again after so long may be a new event; 0: never */
};

struct violation {
    enum rule rule;
    size_t fact;  /* the line where it shows */
    size_t other; /* a second one; SIZE_MAX: none */
    char text[200];
};

struct report {
    size_t broken[RULES], total;
    struct violation shown[CHECK_SHOWN];
    size_t shown_count;
    size_t events, acknowledged, received, connections, resumed, gaps, drained;
};

/* Whether all is well. The history is in order (history_sort). */
bool check_run(const struct history *h, const struct check_options *o, struct report *r);
const char *rule_name(enum rule rule);
/* Each violation that is shown, with its lines. */
void report_print(const struct report *r, const struct history *h, FILE *to);

#endif
