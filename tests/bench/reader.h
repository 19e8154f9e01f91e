/* reader -- one stream as a browser has it: opened, read, counted, gone back to where it was cut.
 */
#ifndef BENCH_READER_H
#define BENCH_READER_H

#include "histogram.h"
#include "http.h"
#include "payload.h"

enum reader_state { READER_CLOSED, READER_CONNECTING, READER_OPENING, READER_OPEN };
enum { READER_ID = 48 };

/* What all of them have in common. */
struct readers_plan {
    const char *path;   /* `~` stands for the number of the channel */
    const char *opened; /* a stream is open once this has come; empty: with the head */
    const char *header; /* one more of the request, or empty */
    size_t channels;
    uint16_t port;
    bool has_ids; /* the last id is kept for the next connection: costs, so only where needed */
    bool is_websocket; /* Socket.IO: Engine.IO's handshake, and `40` to join */
    uint64_t most;     /* numbers of events lie below */
};

struct readers_counts {
    uint64_t events, doubled, first_us, last_us;
    size_t complete, byes;
    struct histogram latency;
};

struct reader {
    int fd;
    enum reader_state state;
    bool is_stalled, is_greeted;
    bool is_begun;    /* has_ids: an event whose blank line has not come */
    unsigned matched; /* of plan->opened */
    unsigned tail_len, id_len, line_at;
    uint64_t got, last, top, presences;
    uint64_t *seen; /* a bit for each event */
    struct http http;
    char tail[PAYLOAD_HEAD];
    char id[READER_ID], next_id[READER_ID];
};

/* Connects without waiting; false: cannot. */
bool reader_connect(struct reader *r, size_t number, const struct readers_plan *p);
/* What there is to do when its socket can be written or read; false: the connection ended. */
bool reader_on_writable(struct reader *r, size_t number, const struct readers_plan *p);
bool reader_on_readable(struct reader *r, const struct readers_plan *p, struct readers_counts *c,
                        uint64_t wanted);
void reader_close(struct reader *r); /* half an event was none */
/* Forgets what it got. */
void reader_clear(struct reader *r);

#endif
