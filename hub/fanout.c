#include "fanout.h"
#include "engine.h"

#include <assert.h>

struct frame *frame_of_event(struct hub *h, const struct event *e)
{
    buf_clear(&h->packed);
    event_pack(&h->packed, e);
    return frame_copy(buf_str(&h->packed));
}

static void deliver(struct hub *h, struct peer *p, const struct event *e, struct frame *body)
{
    if (!p->is_live || p->is_gone) {
        if (event_is_ephemeral(e))
            hub_count(h, COUNT_SKIPPED);
        return;
    }
    if (peer_has_credit(p)) {
        hub_count(h, COUNT_SENT);
        peer_send_on_credit(h, p, VERB_EVENT, body);
    } else if (event_is_ephemeral(e)) {
        hub_count(h, COUNT_SKIPPED);
    } else {
        hub_count(h, COUNT_LAGGED);
        peer_make_lag(h, p, e->id.at - 1);
    }
}

static void deliver_to_listeners(struct hub *h, const struct event *e, struct frame *body)
{
    struct topic *topics[TOPICS_MATCH];
    size_t n = topics_match(&h->topics, e->channel, topics);
    h->fan_outs++;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < topics[i]->n; k++) {
            struct peer *p = topics[i]->subs[k]->peer;
            if (p->turn == h->fan_outs)
                continue;
            p->turn = h->fan_outs;
            deliver(h, p, e, body);
        }
    }
}

void fan_out_logged(struct hub *h, struct channel *ch, struct event *e)
{
    assert(e->id.at > h->through);
    e->prev = ch->last;
    channel_count(&h->channels, ch, e);
    struct frame *body = frame_of_event(h, e);
    ring_add(&h->ring, e->id.at, body);
    deliver_to_listeners(h, e, body);
    h->through = e->id.at;
    h->noted++;
    hub_count(h, COUNT_PUBLISHED);
    h->out.tap(h->out.ctx, e);
    frame_unref(body);
}

static void deliver_to_client(struct hub *h, const struct event *e, struct frame *body)
{
    struct client *c = client_find(h, e->to);
    if (!c)
        return;
    struct list *node, *safe;
    LIST_EACH(node, safe, &c->claims)
    {
        deliver(h, CONTAINER_OF(node, struct claim, of_client)->peer, e, body);
    }
}

void fan_out_ephemeral(struct hub *h, struct event *e)
{
    struct frame *body = frame_of_event(h, e);
    if (e->to.len)
        deliver_to_client(h, e, body);
    else
        deliver_to_listeners(h, e, body);
    fleeting_add(&h->fleeting, e, h->now.mono);
    hub_count(h, COUNT_EPHEMERAL);
    frame_unref(body);
}
