#include "voice.h"

void voice_init(struct voice *v, struct link_out out)
{
    *v = (struct voice){.out = out};
    bundle_init(&v->bundle);
}

void voice_fini(struct voice *v)
{
    bundle_fini(&v->bundle);
}

static bool send(struct voice *v, struct header header, struct buf *body)
{
    bool ok = v->out.send(v->out.ctx, header, body);
    buf_fini(body);
    return ok;
}

static bool gather(struct voice *v, struct header header, Str body)
{
    return v->may_bundle && bundle_put(&v->bundle, header, body);
}

static void send_bundle(struct voice *v)
{
    struct header header;
    struct buf body;
    if (bundle_take(&v->bundle, &header, &body) && !send(v, header, &body))
        v->is_cut = true;
}

/* False: it is to be sent by itself. */
static bool begin(struct voice *v, enum verb verb, Str body, struct header *header)
{
    *header = (struct header){PROTOCOL_VERSION, (uint8_t)verb, ++v->said};
    if (gather(v, *header, body))
        return true;
    send_bundle(v); /* what was said before it */
    return gather(v, *header, body);
}

bool voice_say(struct voice *v, enum verb verb, struct buf *body)
{
    struct header header;
    if (!begin(v, verb, buf_str(body), &header))
        return send(v, header, body);
    buf_fini(body);
    return true;
}

bool voice_say_copy(struct voice *v, enum verb verb, Str body)
{
    struct header header;
    struct buf copy;
    if (begin(v, verb, body, &header))
        return true;
    buf_init(&copy, body.len);
    buf_put(&copy, body);
    return send(v, header, &copy);
}

bool voice_flush(struct voice *v)
{
    send_bundle(v);
    bool ok = !v->is_cut;
    v->is_cut = false;
    return ok;
}

void voice_drop(struct voice *v)
{
    v->may_bundle = false;
    bundle_fini(&v->bundle);
}
