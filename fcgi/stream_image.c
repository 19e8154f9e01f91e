/* A roster and its streams, written down for another worker and made again there. */
#include "inside.h"

#include "link.h"

enum { LIST_MAX = 1024 * 1024 * 1024 };

static uint64_t since(Msec then, Msec now)
{
    return now > then ? now - then : 0;
}

static Msec ago(uint64_t ms, Msec now)
{
    return now > ms ? now - ms : 0;
}

static uint8_t state_of(const struct stream *s)
{
    static const uint8_t states[] = {
        [STREAM_OPENING] = IMAGE_OPENING,
        [STREAM_BEHIND] = IMAGE_BEHIND,
        [STREAM_LIVE] = IMAGE_LIVE,
        [STREAM_PARTING] = IMAGE_PARTING,
    };
    return states[s->state];
}

static void put_parts(const struct stream *s, struct buf *list)
{
    struct buf item;
    buf_init(&item, LIST_MAX);
    for (size_t i = 0; i < s->part_count; i++) {
        const struct part *p = &s->parts[i];
        buf_clear(&item);
        image_part_pack(&item, &(struct image_part){p->sub->name, p->from, p->is_added, p->is_late,
                                                    stream_told(s, p->sub->name), p->caught});
        list_put(list, buf_str(&item));
    }
    buf_fini(&item);
}

static void put_rights(const struct stream *s, struct buf *out)
{
    const struct grants *g = &s->pass->rights.grants;
    static const struct extras none;
    const struct grants *asked = &s->pass->rights.asked;
    const struct extras *x = s->extras ? s->extras : &none;
    image_rights_pack(out, &(struct image_rights){g->subscribe, g->publish, g->presence, x->expires,
                                                  str_of(x->token), x->issued, asked->subscribe,
                                                  asked->presence, x->asked_until});
}

static void put_times(const struct stream *s, Msec now, struct image_stream *m)
{
    m->made = since(s->made, now);
    m->connected = since(stream_greeted(s), now);
    m->written = stream_idle(s, now);
    m->full = s->is_full ? m->written : 0;
}

void stream_put_image(const struct stream *s, Msec now, struct buf *out)
{
    struct buf parts, rights, gap;
    if (s->state == STREAM_GONE)
        return;
    buf_init(&parts, LIST_MAX);
    buf_init(&rights, LIST_MAX);
    buf_init(&gap, LIST_MAX);
    put_parts(s, &parts);
    put_rights(s, &rights);
    struct image_stream m = {
        .state = state_of(s),
        .poll = s->is_poll,
        .envelope = s->ops->form == FORM_ENVELOPE,
        .comments = s->is_commented,
        .client = stream_client(s),
        .named = s->is_named,
        .known = s->page != NULL,
        .user = stream_user(s),
        .rights = buf_str(&rights),
        .start = s->start,
        .at = stream_at(s),
        .opened = s->opened,
        .value = s->arrival ? s->arrival->value : 0,
        .requested = stream_requested(s),
        .parts = buf_str(&parts),
        .listed = s->is_listed,
        .ping = s->ping,
        .left = s->left,
        .left_bytes = s->left_bytes,
        .address = stream_address(s),
        .farewell = s->farewell,
        .greeted = s->is_greeted,
        .warned = s->is_warned,
        .resumed = s->is_resumed,
        .held = s->is_held,
        .measured = true,
        .presence = s->with_presence,
        .label = str_of(s->extras ? s->extras->label : NULL),
        .public = str_of(s->extras ? s->extras->public : NULL),
    };
    put_times(s, now, &m);
    replay_put_image(s, now, &m, &gap);
    m.gap = buf_str(&gap);
    image_stream_pack(out, &m);
    buf_fini(&parts);
    buf_fini(&rights);
    buf_fini(&gap);
}

/* By the rules of here. */
static void take_rights(const struct options *o, const struct image_stream *m,
                        struct stream_request *q)
{
    struct image_rights r;
    if (!image_rights_unpack(m->rights, &r))
        return; /* not in an image that was read: it is checked */
    q->rights = options_rights(o);
    q->rights.user = m->user;
    q->rights.grants = (struct grants){r.subscribe, r.publish, r.presence};
    q->rights.asked = (struct grants){.subscribe = r.asked, .presence = r.asked_presence};
    q->asked_until = r.asked_until;
    q->expires = r.expires;
    q->token = r.token;
    q->issued = r.issued;
}

static struct stream_request request_of(const struct roster *r, const struct image_stream *m)
{
    struct stream_request q = {
        .client = m->client,
        .named = m->named,
        .poll = m->poll,
        .user = m->user,
        .start = (enum start)m->start,
        .requested = m->requested,
        .at = m->at,
        .value = m->value,
        .listed = m->listed,
        .envelope = m->envelope,
        .comments = m->comments,
        .ping = m->ping,
        .limit = m->left,
        .address = m->address,
        .presence = m->presence,
        .label = m->label,
        .public = m->public,
    };
    take_rights(r->options, m, &q);
    return q;
}

/* What is granted to users the hub says, before anything is delivered; the stream is held against
 * it then. */
static bool may_carry(const struct stream *s, Str name)
{
    return stream_may_read(s, name) || (s->user_len && !roster_accounts(s->roster));
}

static void take_parts(struct stream *s, Str list)
{
    for (Str item; list_next(&list, &item);) {
        struct image_part p;
        if (!image_part_unpack(item, &p) || stream_find_part(s, p.channel) ||
            !may_carry(s, p.channel))
            continue;
        struct part *part = stream_add_part(s, p.channel);
        subscription_join(part->sub, s->roster->at);
        part->from = p.from;
        part->is_added = p.added;
        part->is_late = p.late;
        part->caught = p.caught;
    }
}

static void take_presence(struct stream *s, Str list)
{
    stream_watch(s);
    for (Str item; list_next(&list, &item);) {
        struct image_part p;
        if (image_part_unpack(item, &p))
            stream_set_told(s, p.channel, p.told);
    }
}

static void ask_again(struct stream *s, const struct image_stream *m, struct stream_request *q)
{
    struct buf names;
    buf_init(&names, LIST_MAX);
    Str list = m->parts;
    for (Str item; list_next(&list, &item);) {
        struct image_part p;
        if (image_part_unpack(item, &p))
            list_put(&names, p.channel);
    }
    q->channels = buf_str(&names);
    stream_ask(s, q);
    buf_fini(&names);
}

static void take_times(struct stream *s, const struct image_stream *m, Msec now)
{
    s->made = ago(m->made, now);
    s->greeted = (uint32_t)since(s->made, ago(m->connected, now));
    s->written = (uint32_t)(now - (s->is_full ? m->full : m->written));
}

/* Where it was: live only if the roster is where the stream is. */
static void take_place(struct stream *s, const struct image_stream *m, Msec now)
{
    struct roster *r = s->roster;
    s->state = STREAM_BEHIND;
    if (m->state == IMAGE_LIVE && m->at.at == r->flushed.at) {
        stream_go_live(s);
        return;
    }
    replay_restore(s, now, m);
    stream_wake(s);
}

static void take_farewell(struct stream *s, const struct image_stream *m)
{
    s->state = STREAM_PARTING;
    s->farewell = m->farewell;
    if (!s->is_full)
        list_append(&s->roster->gone, &s->place);
}

struct stream *stream_restore(struct roster *r, const struct image_stream *m, struct sink sink,
                              Msec now)
{
    struct stream_request q = request_of(r, m);
    struct stream *s = stream_make(r, &q, sink, now);
    take_times(s, m, now);
    s->left = m->left;
    s->left_bytes = m->left_bytes;
    if (m->state == IMAGE_OPENING) {
        ask_again(s, m, &q);
        return s;
    }
    s->opened = m->opened;
    s->is_greeted = m->greeted;
    s->is_warned = m->warned;
    s->is_resumed = m->resumed;
    s->is_held = m->held;
    if (m->known) {
        s->page = page_enter(&r->pages, m->client, stream_user(s), s->is_named, s->is_poll);
        list_append(&s->page->streams, &s->mates);
        take_parts(s, m->parts);
        take_presence(s, m->parts);
        audience_enter(s);
    }
    if (m->state == IMAGE_PARTING || !m->known)
        take_farewell(s, m);
    else
        take_place(s, m, now);
    return s;
}

void roster_put_image(const struct roster *r, Msec now, struct buf *out)
{
    struct buf channels, clients, past;
    buf_init(&channels, LIST_MAX);
    buf_init(&clients, LIST_MAX);
    buf_init(&past, LIST_MAX);
    roster_put_channels(r, &channels);
    roster_put_gone(r, &clients, now);
    roster_put_past(r, &past);
    image_roster_pack(
        out, &(struct image_roster){r->at, buf_str(&channels), buf_str(&clients), buf_str(&past)});
    buf_fini(&past);
    buf_fini(&channels);
    buf_fini(&clients);
}

/* What lingers with nobody on it goes on lingering. */
static void take_channels(struct roster *r, Str list, Msec now)
{
    for (Str name; list_next(&list, &name);) {
        struct subscription *sub = subscription_take(&r->subs, name);
        subscription_join(sub, r->at);
        subscription_release(&r->subs, sub, now);
    }
}

static void take_clients(struct roster *r, Str list, Msec now)
{
    for (Str item; list_next(&list, &item);) {
        struct msg_client m;
        if (!msg_client_unpack(item, &m))
            continue;
        struct page *p = page_enter(&r->pages, m.client, m.user, true, false);
        page_leave(&r->pages, p, false, m.parts, ago(m.gone, now));
    }
}

static void take_past(struct roster *r, Str list)
{
    for (Str id; r->past_len < PAST_MOST && list_next(&list, &id);)
        r->past_len += cursor_parse(id, &r->past[r->past_len]);
}

void roster_restore(struct roster *r, const struct image_roster *m, Msec now)
{
    take_past(r, m->past);
    r->at = r->flushed = m->at;
    r->now = now;
    take_channels(r, m->channels, now);
    take_clients(r, m->clients, now);
}
