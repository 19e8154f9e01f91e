#include "poll.h"

#include "render.h"
#include "stream.h"

#include <assert.h>
#include <stdlib.h>

struct poll {
    struct stream *stream;
    struct outlet *outlet; /* NULL: answered, or the browser went */
    struct buf head;
    struct buf excuse, refusal; /* one instead of all of it, until it has begun */
    struct buf events;          /* rendered objects, a comma before each */
    struct buf gap;             /* the object; empty: none */
    struct buf client;
    Cursor at;
    bool more;
    size_t count, limit;
};

/* The stream keeps to POLL_BYTES; this is only the end of all patience. */
enum { ANSWER_MAX = 64 * 1024 * 1024 };

static void attach(void *to, struct stream *s)
{
    struct poll *p = to;
    p->stream = s;
}

static bool on_connected(void *to, const struct connected *c)
{
    struct poll *p = to;
    p->at = c->cursor;
    buf_fini(&p->excuse);
    buf_fini(&p->refusal);
    buf_clear(&p->client);
    buf_put(&p->client, c->client);
    return true;
}

static bool on_gap(void *to, const struct gap *g)
{
    struct poll *p = to;
    buf_clear(&p->gap); /* the newer one says what the older one did */
    render_gap(&p->gap, g);
    return true;
}

static size_t on_rewind(void *to)
{
    struct poll *p = to;
    size_t count = p->count;
    buf_clear(&p->events);
    p->count = 0;
    return count;
}

static bool on_events(void *to, struct chunk *rendered, size_t count, Position last)
{
    (void)last;
    struct poll *p = to;
    p->count += count;
    assert(p->count <= p->limit);
    buf_put(&p->events, chunk_bytes(rendered));
    return true;
}

static bool on_beat(void *to, Cursor through)
{
    (void)to;
    (void)through;
    return true; /* a poll says nothing before its answer */
}

static bool on_token(void *to, Msec expires)
{
    (void)to;
    (void)expires;
    return true;
}

static bool on_presence(void *to, struct chunk *rendered)
{
    (void)to;
    (void)rendered;
    return true;
}

static void put_document(const struct poll *p, struct buf *b)
{
    buf_put(b, buf_str(&p->head));
    render_cursor(b, "{\"cursor\":", p->at);
    render_text(b, ",\"clientId\":", buf_str(&p->client));
    buf_put(b, STR(",\"gap\":"));
    buf_put(b, p->gap.len ? buf_str(&p->gap) : STR("null"));
    buf_printf(b, ",\"more\":%s,\"events\":[", p->more ? "true" : "false");
    buf_put(b, str_skip(buf_str(&p->events), 1));
    buf_put(b, STR("]}"));
}

static void answer(struct poll *p, bool is_limited)
{
    struct outlet *o = p->outlet;
    if (!o)
        return;
    struct buf b;
    buf_init(&b, ANSWER_MAX);
    if (p->excuse.len)
        buf_put(&b, buf_str(is_limited ? &p->refusal : &p->excuse));
    else
        put_document(p, &b);
    struct chunk *c = chunk_take(&b);
    o->ops->write(o, c);
    chunk_unref(c);
    if (p->outlet)
        o->ops->finish(o);
    p->outlet = NULL;
}

static bool on_idle(void *to, Cursor at, bool more)
{
    struct poll *p = to;
    p->at = at;
    p->more = more;
    if (!p->events.len && !p->gap.len)
        return true;
    answer(p, false);
    return false;
}

static void poll_free(struct poll *p)
{
    buf_fini(&p->head);
    buf_fini(&p->excuse);
    buf_fini(&p->refusal);
    buf_fini(&p->events);
    buf_fini(&p->gap);
    buf_fini(&p->client);
    free(p);
}

static void on_bye(void *to, enum bye reason)
{
    answer(to, reason == BYE_LIMIT);
    poll_free(to);
}

static void on_close(void *to, bool abort)
{
    struct poll *p = to;
    struct outlet *o = p->outlet;
    if (o && abort)
        o->ops->abort(o);
    else if (o)
        o->ops->finish(o);
    poll_free(p);
}

static void render(struct buf *out, const struct event *e, bool without_id)
{
    (void)without_id; /* an object has its id in it */
    buf_putc(out, ',');
    render_object(out, e);
}

static const struct sink_ops poll_ops = {
    FORM_JSON, attach, on_connected, on_gap, on_events, on_beat,     on_idle,
    on_rewind, on_bye, on_close,     render, on_token,  on_presence,
};

static void on_writable(void *owner)
{
    (void)owner; /* written once, all of it */
}

static void on_gone(void *owner)
{
    struct poll *p = owner;
    p->outlet = NULL;
    stream_close(p->stream);
}

static void draw(const void *owner, Msec now, struct portrait *portrait)
{
    const struct poll *p = owner;
    image_poll_pack(&portrait->poll, &(struct image_poll){
                                         .head = buf_str(&p->head),
                                         .events = buf_str(&p->events),
                                         .gap = buf_str(&p->gap),
                                         .client = buf_str(&p->client),
                                         .at = p->at,
                                         .more = p->more,
                                         .count = (uint32_t)p->count,
                                         .limit = (uint32_t)p->limit,
                                         .excuse = buf_str(&p->excuse),
                                         .refusal = buf_str(&p->refusal),
                                     });
    stream_put_image(p->stream, now, &portrait->stream);
}

static const struct outlet_owner_ops owner_ops = {on_writable, on_gone, draw};

struct sink poll_new(struct outlet *o, Str head, Str excuse, Str refusal, uint32_t limit)
{
    struct poll *p = must_alloc(sizeof *p);
    p->outlet = o;
    p->limit = limit;
    o->owner_ops = &owner_ops;
    o->owner = p;
    buf_init(&p->head, ANSWER_MAX);
    buf_init(&p->excuse, ANSWER_MAX);
    buf_init(&p->refusal, ANSWER_MAX);
    buf_init(&p->events, ANSWER_MAX);
    buf_init(&p->gap, ANSWER_MAX);
    buf_init(&p->client, ANSWER_MAX);
    buf_put(&p->head, head);
    buf_put(&p->excuse, excuse);
    buf_put(&p->refusal, refusal);
    return (struct sink){&poll_ops, p, false};
}

struct sink poll_restore(struct outlet *o, const struct image_poll *m)
{
    struct sink s = poll_new(o, m->head, m->excuse, m->refusal, m->limit);
    struct poll *p = s.to;
    buf_put(&p->events, m->events);
    buf_put(&p->gap, m->gap);
    buf_put(&p->client, m->client);
    p->at = m->at;
    p->more = m->more;
    p->count = m->count;
    return s;
}
