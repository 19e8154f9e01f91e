/* What a hub says to `belfry sub`: messages of a verb, a length (u16) and a body, the link's number
 * right but where the verb's high bit is set. What it shows stays one line a time. */
#include "base/json.h"
#include "cli/feed.h"
#include "cli/show.h"
#include "tests/fuzz/input.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reader {
    struct buf line;
    uint64_t ref; /* of what the feed asked last */
};

static void on_send(void *ctx, struct header header, Str body)
{
    struct reader *r = ctx;
    struct msg_open open;
    struct msg_fetch fetch;
    if (header.verb == VERB_OPEN && msg_open_unpack(body, &open))
        r->ref = open.ref;
    if (header.verb == VERB_FETCH && msg_fetch_unpack(body, &fetch))
        r->ref = fetch.ref;
}

static void on_event(void *ctx, const struct event *e)
{
    struct reader *r = ctx;
    struct shown s = {.channel = e->channel, .event = e->name, .user = e->user, .data = e->data};
    buf_clear(&r->line);
    bool ok = show_words(&r->line, &s);
    assert(ok && r->line.p[r->line.len - 1] == '\n');
    assert(str_find(buf_str(&r->line), '\n') == r->line.len - 1);
    assert(str_find(buf_str(&r->line), '\033') == r->line.len);
    buf_clear(&r->line);
    ok = show_json(&r->line, &s);
    assert(ok);
}

static void on_note(void *ctx, const char *text)
{
    (void)ctx;
    assert(text[0]);
}

/* A body whose first field is the reference of the last question, where it has one. */
static void put_body(struct buf *body, const struct reader *r, uint8_t verb, Str bytes)
{
    buf_init(body, 1 << 20);
    if (verb == VERB_OPENED || verb == VERB_ROWS)
        for (int i = 7; i >= 0; i--)
            buf_putc(body, (char)(r->ref >> 8 * i & 0xff));
    buf_put(body, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum start starts[] = {START_DEFAULT, START_CURSOR, START_LAST, START_EARLIEST};
    Str in = str_make((const char *)data, size), channels[] = {STR("a"), STR("b:*")};
    struct feed_wish wish = {.channels = channels, .n = 2, .at = {1, 5}, .value = 3};
    struct reader r = {.ref = 0};
    uint64_t seq = 0;
    Msec now = 0;
    wish.start = starts[input_number(&in, 1) % COUNT_OF(starts)];
    buf_init(&r.line, SHOW_MAX);
    struct feed *f = feed_new(&wish, "sub-1", (struct feed_out){&r, on_send, on_event, on_note});
    feed_on_connected(f, now);
    while (in.len) {
        uint8_t what = (uint8_t)input_number(&in, 1), verb = (what & 0x7f) % (VERB_COUNT + 1);
        char header[MESSAGE_HEADER];
        struct buf body;
        put_body(&body, &r, verb, input_piece(&in, 2));
        seq = verb == VERB_WELCOME ? 1 : seq + 1;
        header_pack(header, (struct header){PROTOCOL_VERSION, verb, what & 0x80 ? seq + 1 : seq});
        feed_on_message(f, str_make(header, sizeof header), buf_str(&body), now);
        feed_tick(f, now += 200);
        buf_fini(&body);
    }
    feed_on_disconnected(f);
    feed_free(f);
    buf_fini(&r.line);
    return 0;
}
