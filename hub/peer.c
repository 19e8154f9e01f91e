#include "engine.h"
#include "fetch.h"

#include "base/log.h"
#include "base/random.h"

#include <stdlib.h>

enum { MAX_SUBSCRIPTIONS = 1000000 }; /* of one link */

void peers_init(struct peers *p)
{
    map_init(&p->by_id);
    map_init(&p->by_boot);
    map_init(&p->by_link);
    list_init(&p->lagging);
    list_init(&p->gone);
    list_init(&p->talking);
}

void peers_fini(struct hub *h)
{
    struct peer *p;
    for (size_t at = 0; (p = map_next(&h->peers.by_id, &at));)
        peer_go(h, p);
    peers_reap(h);
    map_fini(&h->peers.by_id);
    map_fini(&h->peers.by_boot);
    map_fini(&h->peers.by_link);
}

static Str bytes_of(const uint64_t *n)
{
    return str_make((const char *)n, sizeof *n);
}

struct peer *peer_by_id(const struct hub *h, Str id)
{
    return map_get(&h->peers.by_id, id);
}

struct peer *peer_by_boot(const struct hub *h, uint64_t boot)
{
    return map_get(&h->peers.by_boot, bytes_of(&boot));
}

struct peer *peer_by_link(const struct hub *h, uint64_t link)
{
    return map_get(&h->peers.by_link, bytes_of(&link));
}

static void copy_name(struct peer *p, Str name)
{
    size_t n = name.len < sizeof p->name ? name.len : sizeof p->name - 1;
    if (n)
        memcpy(p->name, name.p, n);
}

/* The figures of a worker go on where its new link begins. */
static void succeed(struct hub *h, struct peer *old, struct peer *p)
{
    if (!old)
        return;
    if (old->boot == p->boot) {
        struct figures swapped = p->figures;
        p->figures = old->figures;
        old->figures = swapped;
    }
    peer_go(h, old);
}

struct peer *peer_new(struct hub *h, Str id, uint64_t boot, Str name)
{
    struct peer *p = must_alloc(sizeof *p + id.len);
    memcpy(p->bytes, id.p, id.len);
    p->id = str_make(p->bytes, id.len);
    p->boot = boot;
    p->link = random_u64();
    copy_name(p, name);
    p->heard = p->since = h->now.mono;
    map_init(&p->subs);
    figures_init(&p->figures);
    list_init(&p->waiting);
    list_init(&p->claims);
    list_init(&p->watches);
    bundle_init(&p->bundle);
    succeed(h, peer_by_boot(h, boot), p);
    succeed(h, peer_by_id(h, id), p);
    map_put(&h->peers.by_id, p->id, p);
    map_put(&h->peers.by_boot, bytes_of(&p->boot), p);
    map_put(&h->peers.by_link, bytes_of(&p->link), p);
    return p;
}

static bool send_to(struct hub *h, Str id, struct header header, struct frame *body)
{
    char bytes[MESSAGE_HEADER];
    header_pack(bytes, header);
    return h->out.send(h->out.ctx, id, str_make(bytes, sizeof bytes), body);
}

static bool send_bundle(struct hub *h, struct peer *p)
{
    struct header header;
    struct buf body;
    list_remove(&p->talking);
    if (!bundle_take(&p->bundle, &header, &body))
        return true;
    struct frame *f = frame_take(&body);
    bool ok = send_to(h, p->id, header, f);
    frame_unref(f);
    return ok;
}

void peer_go(struct hub *h, struct peer *p)
{
    if (p->is_gone)
        return;
    p->is_gone = true;
    (void)send_bundle(h, p);
    map_del(&h->peers.by_id, p->id);
    map_del(&h->peers.by_boot, bytes_of(&p->boot));
    map_del(&h->peers.by_link, bytes_of(&p->link));
    list_remove(&p->lagging);
    list_append(&h->peers.gone, &p->lagging);
}

void peer_unsubscribe_all(struct hub *h, struct peer *p)
{
    struct sub *s;
    for (size_t at = 0; (s = map_next(&p->subs, &at));) {
        map_del(&p->subs, s->topic->name);
        topic_leave(&h->topics, s);
    }
    p->patterns = 0;
}

static void reap(struct hub *h, struct peer *p)
{
    peer_unsubscribe_all(h, p);
    map_fini(&p->subs);
    clients_leave(h, p);
    presence_unwatch(h, p);
    changes_leave(h, p->link);
    asks_leave(h, p->link);
    fetches_drop(p);
    figures_keep_totals(&h->retired, &p->figures);
    figures_fini(&p->figures);
    list_remove(&p->lagging);
    free(p);
}

void peers_reap(struct hub *h)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &h->peers.gone)
    {
        reap(h, CONTAINER_OF(node, struct peer, lagging));
    }
}

void peers_expire(struct hub *h)
{
    struct peer *p;
    for (size_t at = 0; (p = map_next(&h->peers.by_id, &at));) {
        if (h->now.mono < p->heard + LEASE_MS)
            continue;
        log_warn("peer silent", kz("peer", p->name), kn("ms", h->now.mono - p->heard));
        hub_count(h, COUNT_LOST);
        peer_go(h, p);
    }
}

void peers_beat(struct hub *h)
{
    struct peer *p;
    for (size_t at = 0; (p = map_next(&h->peers.by_id, &at));)
        if (p->is_welcome)
            peer_send_beat(h, p);
}

Position peer_through(const struct hub *h, const struct peer *p)
{
    return p->is_live ? h->through : p->through;
}

bool peer_has_credit(const struct peer *p)
{
    return p->sent_bytes - p->done_bytes < CREDIT_BYTES &&
           p->sent_messages - p->done_messages < CREDIT_MESSAGES;
}

void peer_make_live(struct peer *p)
{
    p->is_live = true;
    list_remove(&p->lagging);
}

void peer_make_lag(struct hub *h, struct peer *p, Position through)
{
    p->is_live = false;
    p->through = through;
    if (!list_is_linked(&p->lagging))
        list_append(&h->peers.lagging, &p->lagging);
}

bool peer_subscribe(struct hub *h, struct peer *p, Str name)
{
    if (map_get(&p->subs, name))
        return true;
    if (p->subs.len >= MAX_SUBSCRIPTIONS)
        return false;
    struct sub *s = topic_join(&h->topics, p, name);
    map_put(&p->subs, s->topic->name, s);
    if (is_pattern(name))
        p->patterns++;
    const struct channel *ch = is_pattern(name) ? NULL : channel_find(&h->channels, name);
    if (p->is_reading && (is_pattern(name) || (ch && ch->last > p->through)))
        p->is_stale = true;
    return true;
}

bool peer_subscribe_all(struct hub *h, struct peer *p, Str names, struct fault *why)
{
    for (Str name; list_next(&names, &name);)
        if (!peer_subscribe(h, p, name))
            return fail(why, REFUSE_LIMIT, "channels: a link has at most %d subscriptions",
                        MAX_SUBSCRIPTIONS);
    return true;
}

void peer_unsubscribe(struct hub *h, struct peer *p, Str name)
{
    struct sub *s = map_del(&p->subs, name);
    if (!s)
        return;
    if (is_pattern(name))
        p->patterns--;
    topic_leave(&h->topics, s);
}

bool peer_wants(const struct hub *h, const struct peer *p, Str channel)
{
    if (map_get(&p->subs, channel))
        return true;
    if (p->patterns == 0)
        return false;
    struct topic *topics[TOPICS_MATCH];
    size_t n = topics_match(&h->topics, channel, topics);
    for (size_t i = 0; i < n; i++)
        if (map_get(&p->subs, topics[i]->name))
            return true;
    return false;
}

static void lose(struct hub *h, struct peer *p)
{
    log_warn("peer lost", kz("peer", p->name));
    hub_count(h, COUNT_LOST);
    peer_go(h, p);
}

static bool gather(struct hub *h, struct peer *p, struct header header, Str body)
{
    if (!p->takes_bundles || !bundle_put(&p->bundle, header, body))
        return false;
    if (!list_is_linked(&p->talking))
        list_append(&h->peers.talking, &p->talking);
    return true;
}

void peer_send_frame(struct hub *h, struct peer *p, enum verb verb, struct frame *body)
{
    if (p->is_gone)
        return;
    struct header header = {PROTOCOL_VERSION, (uint8_t)verb, ++p->seq};
    if (gather(h, p, header, frame_str(body)))
        return;
    if (!send_bundle(h, p) ||
        (!gather(h, p, header, frame_str(body)) && !send_to(h, p->id, header, body)))
        lose(h, p);
}

void peers_flush(struct hub *h)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &h->peers.talking)
    {
        struct peer *p = CONTAINER_OF(node, struct peer, talking);
        if (!send_bundle(h, p))
            lose(h, p);
    }
}

void peer_send(struct hub *h, struct peer *p, enum verb verb, struct buf *body)
{
    struct frame *f = frame_take(body);
    peer_send_frame(h, p, verb, f);
    frame_unref(f);
}

void peer_send_on_credit(struct hub *h, struct peer *p, enum verb verb, struct frame *body)
{
    p->sent_bytes += frame_str(body).len;
    p->sent_messages++;
    peer_send_frame(h, p, verb, body);
}

void peer_send_beat(struct hub *h, struct peer *p)
{
    struct buf body;
    buf_init(&body, BODY_MAX);
    msg_beat_pack(&body, &(struct msg_beat){.head = hub_cursor(h, h->through),
                                            .through = hub_cursor(h, peer_through(h, p)),
                                            .writable = h->is_writable});
    peer_send(h, p, VERB_BEAT, &body);
}

static void send_once(struct hub *h, Str id, enum verb verb, struct buf *body)
{
    struct frame *f = frame_take(body);
    (void)send_to(h, id, (struct header){PROTOCOL_VERSION, (uint8_t)verb, 0}, f);
    frame_unref(f);
}

void peer_say_who(struct hub *h, Str id)
{
    struct buf body;
    buf_init(&body, BODY_MAX);
    msg_who_pack(&body, &(struct msg_who){0});
    send_once(h, id, VERB_WHO, &body);
}

void peer_reject(struct hub *h, Str id, int code, const char *detail)
{
    struct buf body;
    buf_init(&body, BODY_MAX);
    msg_reject_pack(&body, &(struct msg_reject){(uint8_t)code, str_of(detail)});
    send_once(h, id, VERB_REJECT, &body);
    hub_count(h, COUNT_REJECTED);
}
