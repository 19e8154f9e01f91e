/* hub_bench -- a hub's engine with a real journal in a folder of its own, and the workers that talk
 * to it, played by the test. What the hub says is written down as text, a word for each message, so
 * that a test reads like a conversation:
 *
 *     hello(b, "w1", 0, "news");
 *     expect(b, "w1", "WELCOME from=0");
 */
#ifndef BELFRY_HUB_BENCH_H
#define BELFRY_HUB_BENCH_H

#include "engine.h"
#include "journal_sqlite.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct bench {
    char folder[64];
    struct options o;
    struct journal *j;
    struct journal_state state;
    struct hub *hub;
    Now now;
    struct list said; /* everything that was not looked at yet */
    struct map seqs;  /* of each link: the last one */
    bool is_cut;      /* sends fail */
    size_t cut_at;    /* from this one on they do; 0: not so */
    bool bundles;     /* workers read them */
    size_t sends;     /* messages that went out */
    uint64_t ref;     /* of the last request */
    uint64_t hook;    /* of the last text for the application */
};

int bench_setup(void **state);
int bench_teardown(void **state);
/* Sets options by their flags ("--keep=5"; NULL ends them) and begins with an empty journal. */
void bench_options(struct bench *b, ...);
/* Stops the hub as on SIGTERM, or leaves it as kill -9 does, and starts another. */
void bench_restart(struct bench *b, bool clean);

/* Turns until neither the hub nor the journal has anything left to do. */
void settle(struct bench *b);
void elapse(struct bench *b, Msec ms);

/* What the hub said to this one since it was last asked, apart from beats and a table of users
 * that is empty; sequence numbers are
 * checked. Settles first. */
void expect(struct bench *b, const char *peer, const char *text);
const char *heard(struct bench *b, const char *peer); /* valid until the next call */

/* A message as a worker sends it; lists are written with commas. Each request has the next ref. */
void say(struct bench *b, const char *peer, enum verb verb, struct buf *body);
void goodbye(struct bench *b, const char *peer);
void hello(struct bench *b, const char *peer, Position at, const char *channels);
void hello_at(struct bench *b, const char *peer, Cursor at, const char *channels, Str clients);
void open_stream(struct bench *b, const char *peer, const char *client, const char *channels);
void open_with(struct bench *b, const char *peer, struct msg_open m, const char *channels);
void fetch(struct bench *b, const char *peer, Position after, Position upto, const char *channels);
/* Gives back all credit. */
void pulse(struct bench *b, const char *peer);
void publish(struct bench *b, const char *peer, const char *channels, const char *data);
/* Several sends, NULL ends them; `key` of the whole. */
void publish_sends(struct bench *b, const char *peer, const char *user, const char *key,
                   const struct msg_send *sends, size_t n);
/* [channel][event][data]… on publish.ipc, NULL ends them. */
void tool(struct bench *b, const char *peer, ...);
void admin(struct bench *b, const char *question);

/* A list; it lives until the end of the test. */
Str names(struct bench *b, const char *text);
Cursor cursor_at(const struct bench *b, Position position);

#define BENCH(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)

#endif
