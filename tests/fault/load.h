/* load -- publishers and readers against a real web server, who write a history of what they did
 * and saw. What its parts share. */
#ifndef BELFRY_LOAD_H
#define BELFRY_LOAD_H

#include "history.h"
#include "load_http.h"

/* Besides the rooms there is `short`, of which little is kept. */
enum { ROOMS = 6, SHORT_EVERY = 8, MARKER_LEN = 64 };

/* What the test that kills looks at while the load runs; a file mapped by both. */
struct load_stats {
    uint64_t acknowledged, received, connected, unknown, refused, gaps;
};

struct load {
    struct history *history;
    struct load_stats *stats;
    const char *name, *mount; /* name: before every actor's and body's */
    int epoll, port;
    uint64_t now; /* ns */
    bool is_draining;
    char marker[MARKER_LEN]; /* body of the last event, on channel `end` */
    uint64_t random;
};

uint64_t load_random(struct load *l, uint64_t below);
void load_add(struct load *l, struct fact *f); /* with the time of now */

/* One publisher. */
struct publisher;
enum publish_kind {
    SINGLE,
    SINGLE_KEYED,
    FORM_KEYED,
    BATCH,
    BATCH_KEYED,
    BATCH_KEYS,
    PUBLISH_KINDS
};
struct publisher *publisher_new(struct load *l, unsigned number, enum publish_kind kind,
                                unsigned batch);
void publisher_free(struct publisher *p);
/* Begins what is due. */
void publisher_turn(struct publisher *p);
bool publisher_is_idle(const struct publisher *p);
const char *publisher_name(const struct publisher *p);
/* What became of its last attempt. */
const char *publisher_why(const struct publisher *p);
/* The last event of all. */
void publisher_mark(struct publisher *p);

/* One reader. */
struct reader;
/* A sleeper goes away for so long that it meets gaps. */
enum reader_kind { PLAIN, ENVELOPE, PATTERN, NAMED, POLL, SLEEPER, READER_KINDS };
struct reader *reader_new(struct load *l, unsigned number, enum reader_kind kind);
void reader_free(struct reader *d);
void reader_turn(struct reader *d);
bool reader_is_open(const struct reader *d);
bool reader_is_drained(const struct reader *d);
const char *reader_name(const struct reader *d);

#endif
