#include "sse.h"

#include "base/random.h"
#include "render.h"
#include "stream.h"

#include <stdlib.h>

struct sse {
    struct sink sink;      /* first */
    struct outlet *outlet; /* NULL: the browser went */
};

enum { TEXT_MAX = 16 * 1024 * 1024, RETRY_LEAST = 1000, RETRY_MOST = 5000 };
enum { RETRY_LIMIT_LEAST = 10 * 1000, RETRY_LIMIT_MOST = 60 * 1000 };

const char *bye_name(enum bye reason)
{
    static const char *const names[] = {
        [BYE_DRAIN] = "drain",   [BYE_SLOW] = "slow",   [BYE_EXPIRED] = "expired",
        [BYE_KICKED] = "kicked", [BYE_LIMIT] = "limit",
    };
    return names[reason];
}

static struct sse *sse_of(struct sink *s)
{
    return (struct sse *)(void *)s;
}

/* Hands the buffer's bytes over. */
static bool put_out(struct sink *s, struct buf *b)
{
    struct outlet *o = sse_of(s)->outlet;
    struct chunk *c = chunk_take(b);
    bool more = o && o->ops->write(o, c);
    chunk_unref(c);
    return more;
}

/* Spread, so that a crowd that was cut off does not come back in one moment. */
static void put_retry(struct buf *out, unsigned least, unsigned most)
{
    buf_printf(out, "retry: %u\n", least + (unsigned)(random_u64() % (most - least + 1)));
}

static bool on_connected(struct sink *s, const struct connected *c)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    if (c->has_id)
        render_id(&b, c->cursor);
    render_text(&b, "event: connected\ndata: {\"clientId\":", c->client);
    render_text(&b, ",\"user\":", c->user);
    render_names(&b, ",\"channels\":", c->channels);
    render_cursor(&b, ",\"cursor\":", c->cursor);
    buf_printf(&b, ",\"resumed\":%s,\"ping\":%u}\n\n", c->resumed ? "true" : "false", c->ping);
    return put_out(s, &b);
}

static bool on_gap(struct sink *s, const struct gap *g)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    buf_put(&b, STR("event: gap\ndata: "));
    render_gap(&b, g);
    buf_put(&b, STR("\n\n"));
    return put_out(s, &b);
}

static bool on_events(struct sink *s, struct chunk *rendered, size_t count, Position last)
{
    (void)count;
    (void)last;
    struct outlet *o = sse_of(s)->outlet;
    return o && o->ops->write(o, rendered);
}

static bool on_beat(struct sink *s, Cursor through)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    render_id(&b, through);
    buf_put(&b, cursor_is_none(through) ? STR(":\n") : STR("\n"));
    return put_out(s, &b);
}

static bool on_token(struct sink *s, Msec expires)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    buf_printf(&b, "event: token\ndata: {\"expires\":%llu}\n\n", (unsigned long long)expires);
    return put_out(s, &b);
}

static bool on_presence(struct sink *s, struct chunk *rendered)
{
    struct outlet *o = sse_of(s)->outlet;
    return o && o->ops->write(o, rendered);
}

static bool on_idle(struct sink *s, Cursor at, bool more)
{
    (void)s;
    (void)at;
    (void)more;
    return true;
}

static size_t on_rewind(struct sink *s)
{
    (void)s;
    return 0;
}

static void on_bye(struct sink *s, enum bye reason)
{
    struct outlet *o = sse_of(s)->outlet;
    if (o) {
        struct buf b;
        buf_init(&b, TEXT_MAX);
        if (reason == BYE_LIMIT)
            put_retry(&b, RETRY_LIMIT_LEAST, RETRY_LIMIT_MOST);
        else if (reason == BYE_DRAIN)
            put_retry(&b, RETRY_LEAST, RETRY_MOST);
        buf_printf(&b, "event: bye\ndata: {\"reason\":\"%s\"}\n\n", bye_name(reason));
        put_out(s, &b);
        o = sse_of(s)->outlet; /* the write may have found that the browser went */
        if (o)
            o->ops->finish(o);
    }
    free(s);
}

static void on_close(struct sink *s, bool abort)
{
    struct outlet *o = sse_of(s)->outlet;
    if (o && abort)
        o->ops->abort(o);
    else if (o)
        o->ops->finish(o);
    free(s);
}

static const struct sink_ops plain_ops = {
    FORM_PLAIN, on_connected, on_gap,   on_events,    on_beat,  on_idle,
    on_rewind,  on_bye,       on_close, render_plain, on_token, on_presence,
};
static const struct sink_ops envelope_ops = {
    FORM_ENVELOPE, on_connected, on_gap,   on_events,       on_beat,  on_idle,
    on_rewind,     on_bye,       on_close, render_envelope, on_token, on_presence,
};

static void on_writable(void *owner)
{
    struct sse *e = owner;
    e->sink.is_full = false;
    if (e->sink.stream)
        stream_on_writable(e->sink.stream);
}

static void on_gone(void *owner)
{
    struct sse *e = owner;
    e->outlet = NULL;
    e->sink.is_gone = true;
    if (e->sink.stream)
        stream_close(e->sink.stream);
}

static void draw(const void *owner, Msec now, struct portrait *p)
{
    stream_put_image(((const struct sse *)owner)->sink.stream, now, &p->stream);
}

static const struct outlet_owner_ops owner_ops = {on_writable, on_gone, draw};

struct sink *sse_restore(struct outlet *o, bool envelope, bool is_full)
{
    struct sse *e = must_alloc(sizeof *e);
    e->sink.ops = envelope ? &envelope_ops : &plain_ops;
    e->sink.is_full = is_full;
    e->outlet = o;
    o->owner_ops = &owner_ops;
    o->owner = e;
    return &e->sink;
}

struct sink *sse_new(struct outlet *o, Str head, bool envelope)
{
    struct sink *s = sse_restore(o, envelope, false);
    struct buf b;
    buf_init(&b, TEXT_MAX);
    buf_put(&b, head);
    put_retry(&b, RETRY_LEAST, RETRY_MOST);
    s->is_full = !put_out(s, &b);
    return s;
}
