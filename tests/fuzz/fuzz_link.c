/* What a hub says to a worker that has streams and polls: any bytes, in numbered messages. Input is
 * [verb][ref][length][body], again and again; now and then a turn passes. */
#include "poll.h"
#include "roster.h"
#include "sse.h"
#include "stream.h"

#include "base/log.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BROWSERS = 4 };

struct browser {
    struct outlet outlet; /* first */
    bool is_full;
};

static bool send_nowhere(void *ctx, struct header header, struct buf *body)
{
    (void)ctx;
    (void)header;
    (void)body;
    return true;
}

static bool take_chunk(struct outlet *o, struct chunk *c)
{
    struct browser *b = (struct browser *)(void *)o;
    assert(chunk_bytes(c).len > 0);
    b->is_full = !b->is_full;
    return !b->is_full;
}

static void end(struct outlet *o)
{
    ((struct browser *)(void *)o)->outlet.owner = NULL;
}

static const struct outlet_ops browser_ops = {take_chunk, end, end, NULL};

static void open_all(struct roster *r, struct browser *browsers)
{
    static char names[64];
    struct buf list = {.p = names, .cap = sizeof names, .max = sizeof names - 1};
    list_put(&list, STR("a"));
    list_put(&list, STR("a*"));
    for (size_t i = 0; i < BROWSERS; i++) {
        struct stream_request q = {.client = STR("the-client-of-all"),
                                   .named = true,
                                   .poll = i == 0,
                                   .rights = {.access = ACCESS_OPEN},
                                   .start = START_CURSOR,
                                   .at = {1, i},
                                   .channels = buf_str(&list),
                                   .listed = i & 1,
                                   .ping = 15,
                                   .limit = 2};
        struct outlet *o = &browsers[i].outlet;
        o->ops = &browser_ops;
        struct sink sink = q.poll ? poll_new(o, STR_NONE, STR_NONE, STR_NONE, q.limit)
                                  : sse_new(o, STR("\n"), i == 2, false);
        stream_open(r, &q, sink, 1000);
    }
}

static void hear(struct link *l, uint8_t verb, uint64_t seq, Str body, Msec now)
{
    char header[MESSAGE_HEADER];
    header_pack(header, (struct header){PROTOCOL_VERSION, verb, seq});
    link_on_message(l, str_make(header, sizeof header), body, now);
}

static void pass_turn(struct link *l, struct roster *r, struct browser *browsers, Msec now)
{
    for (size_t i = 0; i < BROWSERS; i++) {
        struct outlet *o = &browsers[i].outlet;
        if (!browsers[i].is_full || !o->owner)
            continue;
        browsers[i].is_full = false;
        o->owner_ops->on_writable(o->owner);
    }
    link_tick(l, now);
    roster_tick(r, now);
    roster_flush(r, now);
}

static void say_all(struct link *l, struct roster *r, struct browser *browsers, Str in)
{
    Msec now = 1000;
    for (uint64_t seq = 1; in.len >= 4; seq++) {
        uint8_t verb = (uint8_t)in.p[0] % (VERB_COUNT + 1);
        char ref = in.p[1];
        size_t len = (size_t)(uint8_t)in.p[2] << 8 | (uint8_t)in.p[3];
        in = str_skip(in, 4);
        len = len < in.len ? len : in.len;
        struct buf body;
        buf_init(&body, 1 << 20);
        buf_put(&body, str_make("\0\0\0\0\0\0\0", 7));
        buf_putc(&body, ref);
        buf_put(&body, str_make(in.p, len));
        bool has_ref = verb != VERB_EVENT && verb != VERB_BEAT && verb != VERB_GAP &&
                       verb != VERB_ACCOUNTS && verb != VERB_KICK;
        seq = verb == VERB_WELCOME ? 1 : seq;
        hear(l, verb, seq, has_ref ? buf_str(&body) : str_skip(buf_str(&body), 8), now);
        buf_fini(&body);
        in = str_skip(in, len);
        if (ref & 1)
            pass_turn(l, r, browsers, now += 100);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct options options;
    struct browser browsers[BROWSERS] = {{{NULL, NULL, NULL}, false}};
    log_init("fuzz", LOG_LEVEL_ERROR);
    options.ring_events = 16;
    options.ring_bytes = options.max_lag = options.max_replay_bytes = 65536;
    options.max_event = 1024;
    options.max_replay = 8;
    options.max_channels_stream = 8;
    options.linger = options.client_keep = options.slow_timeout = 500;
    struct link *l = link_new(&options, STR("w"), (struct link_out){.send = send_nowhere});
    struct roster *r = roster_new(&options, l);
    link_attach(l, r);
    link_on_connected(l, 1000);
    open_all(r, browsers);
    say_all(l, r, browsers, str_make((const char *)data, size));
    roster_free(r);
    link_free(l);
    return 0;
}
