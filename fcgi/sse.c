#include "sse.h"

#include "base/random.h"
#include "render.h"
#include "stream.h"

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

/* Hands the buffer's bytes over. */
static bool put_out(struct outlet *o, struct buf *b)
{
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

static bool on_connected(void *to, const struct connected *c)
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
    return put_out(to, &b);
}

static bool on_gap(void *to, const struct gap *g)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    buf_put(&b, STR("event: gap\ndata: "));
    render_gap(&b, g);
    buf_put(&b, STR("\n\n"));
    return put_out(to, &b);
}

static bool on_events(void *to, struct chunk *rendered, size_t count, Position last)
{
    (void)count;
    (void)last;
    struct outlet *o = to;
    return o && o->ops->write(o, rendered);
}

static bool on_beat(void *to, Cursor through)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    render_id(&b, through);
    buf_put(&b, cursor_is_none(through) ? STR(":\n") : STR("\n"));
    return put_out(to, &b);
}

static bool on_token(void *to, Msec expires)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    buf_printf(&b, "event: token\ndata: {\"expires\":%llu}\n\n", (unsigned long long)expires);
    return put_out(to, &b);
}

static bool on_presence(void *to, struct chunk *rendered)
{
    struct outlet *o = to;
    return o && o->ops->write(o, rendered);
}

static bool on_idle(void *to, Cursor at, bool more)
{
    (void)to;
    (void)at;
    (void)more;
    return true;
}

static size_t on_rewind(void *to)
{
    (void)to;
    return 0;
}

static void on_bye(void *to, enum bye reason)
{
    struct outlet *o = to;
    struct buf b;
    if (!o)
        return;
    buf_init(&b, TEXT_MAX);
    if (reason == BYE_LIMIT)
        put_retry(&b, RETRY_LIMIT_LEAST, RETRY_LIMIT_MOST);
    else if (reason == BYE_DRAIN)
        put_retry(&b, RETRY_LEAST, RETRY_MOST);
    buf_printf(&b, "event: bye\ndata: {\"reason\":\"%s\"}\n\n", bye_name(reason));
    put_out(o, &b);
    o->ops->finish(o);
}

static void on_close(void *to, bool abort)
{
    struct outlet *o = to;
    if (o && abort)
        o->ops->abort(o);
    else if (o)
        o->ops->finish(o);
}

static void attach(void *to, struct stream *s)
{
    struct outlet *o = to;
    o->owner = s;
}

static const struct sink_ops plain_ops = {
    FORM_PLAIN, attach, on_connected, on_gap,       on_events, on_beat,     on_idle,
    on_rewind,  on_bye, on_close,     render_plain, on_token,  on_presence,
};
static const struct sink_ops envelope_ops = {
    FORM_ENVELOPE, attach, on_connected, on_gap,          on_events, on_beat,     on_idle,
    on_rewind,     on_bye, on_close,     render_envelope, on_token,  on_presence,
};

static void on_writable(void *owner)
{
    stream_on_writable(owner);
}

static void on_gone(void *owner)
{
    stream_lose_sink(owner);
    stream_close(owner);
}

static void draw(const void *owner, Msec now, struct portrait *p)
{
    stream_put_image(owner, now, &p->stream);
}

static const struct outlet_owner_ops owner_ops = {on_writable, on_gone, draw};

struct sink sse_restore(struct outlet *o, bool envelope, bool is_full)
{
    o->owner_ops = &owner_ops;
    o->owner = NULL;
    return (struct sink){envelope ? &envelope_ops : &plain_ops, o, is_full};
}

struct sink sse_new(struct outlet *o, Str head, bool envelope, bool is_more_coming)
{
    struct sink s = sse_restore(o, envelope, false);
    struct buf b;
    buf_init(&b, TEXT_MAX);
    buf_put(&b, head);
    put_retry(&b, RETRY_LEAST, RETRY_MOST);
    struct chunk *c = chunk_take(&b);
    s.is_full = !(is_more_coming && o->ops->hold ? o->ops->hold : o->ops->write)(o, c);
    chunk_unref(c);
    return s;
}
