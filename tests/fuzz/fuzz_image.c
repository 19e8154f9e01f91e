/* What a worker is given by another one. The first byte chooses an image: what can be read is
 * written as it was, and a stream that can be read goes on, whatever it says of itself. */
#include "base/log.h"
#include "image.h"
#include "poll.h"
#include "roster.h"
#include "scan.h"
#include "sse.h"
#include "stream.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY = 4096, REPLY = 4096, STREAM_WORDS = 4 };

static struct options options;

static bool write_chunk(struct outlet *o, struct chunk *c)
{
    (void)o;
    return chunk_bytes(c).len % 7 != 0; /* full now and then */
}

static void end(struct outlet *o)
{
    (void)o;
}

static const struct outlet_ops outlet_ops = {write_chunk, end, end, NULL};

static bool send_nothing(void *ctx, struct header header, struct buf *body)
{
    (void)ctx;
    (void)header;
    (void)body;
    return false;
}

static void prepare(void)
{
    char name[] = "fuzz";
    char *argv[] = {name, NULL};
    struct fault why;
    log_init("fuzz", LOG_LEVEL_ERROR);
    bool ok = options_load(&options, PROGRAM_WORKER, 1, argv, &why);
    assert(ok);
}

/* A worker at position 100 is given the stream, goes on with it, and gives it to nobody. */
static void try_to_go_on(const struct image_stream *m)
{
    static const struct image_poll poll = {.head = {"Status: 200 OK\r\n\r\n", 18}, .limit = 10};
    struct outlet outlet = {.ops = &outlet_ops};
    struct image_roster at = {.at = {1, 100}};
    struct link *link = link_new(&options, STR("w1"), (struct link_out){.send = send_nothing});
    struct roster *r = roster_new(&options, link);
    struct buf again;
    buf_init(&again, IMAGE_BYTES_MAX);
    link_attach(link, r);
    roster_restore(r, &at, 1000000);
    struct sink sink =
        m->poll ? poll_restore(&outlet, &poll) : sse_restore(&outlet, m->envelope, m->poll);
    struct stream *s = stream_restore(r, m, sink, 1000000);
    stream_put_image(s, 1000000, &again);
    struct image_stream drawn;
    bool is_sound = image_stream_unpack(buf_str(&again), &drawn);
    assert(is_sound && str_eq(drawn.client, m->client));
    buf_fini(&again);
    for (Msec now = 1000000; now < 1003000; now += 500) {
        roster_tick(r, now);
        roster_flush(r, now);
    }
    if (roster_streams(r) && m->left % STREAM_WORDS == 0)
        stream_on_writable(s);
    roster_flush(r, 1003000);
    if (m->left % STREAM_WORDS == 1)
        roster_abandon(r);
    else
        roster_drain(r, 1003000, 0);
    roster_flush(r, 1003000);
    roster_free(r);
    link_free(link);
}

/* The scanner goes on in the middle, wherever that is said to be. */
static void try_to_scan(const struct image_outlet *m)
{
    static const struct scan_limits limits = {.max_body = BODY, .max_connections = 10};
    struct scan s;
    struct buf reply;
    struct fault why;
    Str rest = str_make("\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0\1\4\0\1\0\0\0\0", 24);
    if (m->kind != IMAGE_CONN || m->phase == SCAN_SERVED)
        return;
    buf_init(&reply, REPLY);
    scan_restore(&s, m, &limits);
    (void)scan_feed(&s, &limits, &rest, &reply, &why);
    buf_fini(&reply);
    scan_fini(&s);
}

#define try_to_go_on_part(m)   (void)(m)
#define try_to_go_on_rights(m) (void)(m)
#define try_to_go_on_gap(m)    (void)(m)
#define try_to_go_on_stream(m) try_to_go_on(m)
#define try_to_go_on_poll(m)   (void)(m)
#define try_to_go_on_roster(m) (void)(m)
#define try_to_go_on_outlet(m) try_to_scan(m)
#define try_to_go_on_worker(m) (void)(m)

/* What an image lacks comes out as zeros, what it has beyond the last field is gone. */
static void check_again(Str bytes, struct buf *again, bool packed)
{
    size_t same = bytes.len < again->len ? bytes.len : again->len;
    assert(packed && str_eq(str_make(bytes.p, same), str_make(again->p, same)));
    buf_fini(again);
}

#define IMAGE(type, fields)                                                                        \
    static void try_##type(Str bytes)                                                              \
    {                                                                                              \
        struct image_##type m;                                                                     \
        struct buf again;                                                                          \
        if (!image_##type##_unpack(bytes, &m))                                                     \
            return;                                                                                \
        buf_init(&again, bytes.len + 1024);                                                        \
        check_again(bytes, &again, image_##type##_pack(&again, &m));                               \
        try_to_go_on_##type(&m);                                                                   \
    }
#include "image.def"
#undef IMAGE

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const images[])(Str) = {
#define IMAGE(type, fields) try_##type,
#include "image.def"
#undef IMAGE
    };
    Str text = str_make((const char *)data, size);
    struct image_head head;
    if (!options.mount)
        prepare();
    if (image_head_unpack(text, &head)) {
        char again[IMAGE_HEAD];
        image_head_pack(again, head);
        assert(image_is_spoken(head.version) || again[0] == 'B');
    }
    if (size && data[0] < COUNT_OF(images))
        images[data[0]](str_skip(text, 1));
    return 0;
}
