/* check_owed -- one reader and its present connection: what it was owed and did not get. Filled by
 * check_reader.c, fact by fact. */
#ifndef BELFRY_CHECK_OWED_H
#define BELFRY_CHECK_OWED_H

#include "check_inside.h"

/* A channel or pattern of the present connection. */
struct wanted {
    Str name;
    uint32_t word; /* 0: no fact speaks of it */
    bool is_late;
    bool is_joined;
    Position from;  /* of a joined one: everything after it is owed */
    uint16_t epoch; /* of from */
    Position first; /* the first id that came on it; 0: none */
    Position last;  /* the last one */
    uint64_t left;  /* ns; UINT64_MAX: it has it still */
    uint64_t since; /* ns: not before it was asked for */
    uint64_t told;  /* ns: that it is joined */
};

/* A channel was asked for by a POST, of which `joined` may come long after it was done. */
struct asked {
    uint32_t word;
    Position from; /* it begins there or later */
    uint64_t ns;
};

struct told {
    Str channels;    /* empty: all */
    Position oldest; /* nothing above it is gone; 0: not said */
    uint64_t ns;
    uint32_t span;
    bool is_limit;
    bool is_at_once; /* with `open`, before anything else, and not for its length */
};

enum { AT_ONCE = 10000000 }; /* ns */

/* The reader and its present connection. A span is a connection, or what a fork left of it; its
 * number is stamped on the events that it receives. */
struct reader {
    struct check *c;
    uint32_t first_span, span;
    size_t fact;  /* where the connection begins */
    uint64_t now; /* ns of its last fact so far */
    uint32_t op, client, user;
    bool is_on, is_open, has_cursor, has_gap, is_drained, is_ended;
    bool is_moving; /* something with an id came */
    bool is_resumed;
    uint64_t open_ns;
    Position opened;  /* what `open` said */
    bool excuses_all; /* a gap with reason reset or unknown */
    bool is_renewed;  /* and the log is another one indeed */
    enum start_at start;
    Position from;    /* everything after it is owed */
    Position reached; /* its highest id, or where it began */
    uint16_t epoch;   /* of reached; EPOCH_INDEX_NONE: not known yet */
    struct wanted *wants;
    size_t want_count, wants_cap;
    struct asked *asks;
    size_t ask_count, asks_cap;
    struct told *gaps;
    size_t gap_count, gaps_cap;
    size_t *strays; /* receives on channels that it did not have then */
    size_t stray_count, strays_cap;
    size_t *again; /* receives without an id of what it had: late ones, if a channel began there */
    size_t again_count, again_cap;
};

/* The fork that undid what it had reached; NULL: it holds. */
const struct fork_fact *reader_undone(const struct reader *d);
/* Whether that brings it the channel. */
bool reader_has(const struct reader *d, const struct wanted *w, uint32_t channel);
/* Names between commas, as a gap has them. */
bool reader_list_takes_in(const struct check *c, Str list, uint32_t channel);
/* At the end of a connection, or of what a fork left of it. */
void reader_check_owed(struct reader *d);

#endif
