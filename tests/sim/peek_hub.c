/* The hub when nothing happens: what should be gone is gone. */
#include "engine.h"

#include "world.h"

static const char *look_at(const struct hub *h, const struct peer *p)
{
    if (p->is_gone || !p->is_welcome)
        return "a link is half there";
    if (!p->is_live)
        return "a link lags behind for ever";
    if (!list_is_empty(&p->waiting) || p->asked_bytes)
        return "a link's slices wait for ever";
    if (p->sent_bytes != p->done_bytes || p->sent_messages != p->done_messages)
        return "credit was lost";
    return h->peers.by_boot.len == h->peers.by_id.len && h->peers.by_link.len == h->peers.by_id.len
               ? NULL
               : "a link is known by one name alone";
}

void peek_presence(struct hub *h, Str channel, struct buf *out)
{
    presence_put(h, channel, SIZE_MAX, out);
}

const char *peek_hub(struct hub *h)
{
    const struct peer *p;
    for (size_t at = 0; (p = map_next(&h->peers.by_id, &at));) {
        const char *wrong = look_at(h, p);
        if (wrong)
            return wrong;
    }
    if (h->ops || h->queue || h->queue_bytes || h->prunes || h->prunes_rows || h->prunes_cut)
        return "what was handed to the journal is still counted";
    if (h->changes.by_ref.len)
        return "a change waits for ever";
    const struct channel *ch;
    for (size_t at = 0; (ch = map_next(&h->channels.by_name, &at));)
        if (ch->pending)
            return "a channel waits for an event that never came";
    return NULL;
}
