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

static bool gather(struct voice *v, struct header header, struct buf *body)
{
    bool ok = v->may_bundle && bundle_put(&v->bundle, header, buf_str(body));
    if (ok)
        buf_fini(body);
    return ok;
}

static void send_bundle(struct voice *v)
{
    struct header header;
    struct buf body;
    if (bundle_take(&v->bundle, &header, &body) && !send(v, header, &body))
        v->is_cut = true;
}

bool voice_say(struct voice *v, enum verb verb, struct buf *body)
{
    struct header header = {PROTOCOL_VERSION, (uint8_t)verb, ++v->said};
    if (gather(v, header, body))
        return true;
    send_bundle(v); /* what was said before it */
    return gather(v, header, body) || send(v, header, body);
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
