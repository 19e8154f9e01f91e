#include "compose.h"

#include "base/hash.h"
#include "base/json.h"
#include "engine.h"

#include <stdlib.h>

struct publish *publish_new(struct hub *h)
{
    struct publish *p = pool_alloc(&h->publishes, sizeof *p);
    p->a.op.kind = OP_APPEND;
    p->a.size = sizeof *p;
    p->a.sends = &p->one.send;
    p->each = &p->one.each;
    p->a.events = &p->one.event;
    p->a.rows = &p->one.row;
    p->a.fresh = &p->one.fresh;
    p->channels = &p->one.channel;
    p->send_cap = p->event_cap = 1;
    return p;
}

/* What own() made. */
static void free_own(Str s)
{
    free((char *)(uintptr_t)s.p);
}

static void drop_sends(struct publish *p)
{
    for (size_t i = 0; i < p->a.send_count; i++) {
        struct composed *c = &p->each[i];
        for (size_t k = 0; k < c->ephemeral_count; k++)
            event_unref(c->ephemerals[k]);
        free(c->ephemerals);
        free(c->detail);
        free_own(p->a.sends[i].key);
    }
    for (size_t i = 0; i < p->a.event_count; i++)
        event_unref(p->a.events[i]);
    p->a.send_count = p->a.event_count = 0;
    p->a.size = sizeof *p;
}

void publish_free(struct hub *h, struct publish *p)
{
    drop_sends(p);
    if (p->send_cap > 1) {
        free(p->a.sends);
        free(p->each);
    }
    if (p->event_cap > 1) {
        free(p->a.events);
        free(p->a.rows);
        free(p->a.fresh);
        free(p->channels);
    }
    free_own(p->a.user);
    free_own(p->a.key);
    free_own(p->peer);
    free_own(p->tool_ref);
    pool_free(&h->publishes, p, sizeof *p);
}

static Str own(Str s)
{
    return s.len ? str_make(str_dup(s), s.len) : STR_NONE;
}

/* The first one's room is the publish's own. */
static void *grown(void *v, size_t cap, size_t size)
{
    if (cap > 1)
        return must_realloc(v, 2 * cap * size);
    return memcpy(must_room(2 * size), v, size);
}

/* The same content has the same print after every restart, so these keys never change. */
static void print_content(uint64_t print[2], Str content)
{
    print[0] = hash64(content, (HashKey){0x62656c6672792d61, 0x7072696e742d6f6e});
    print[1] = hash64(content, (HashKey){0x62656c6672792d62, 0x7072696e742d7477});
}

void publish_begin(struct publish *p, Str user, Str key, Str content)
{
    p->a.user = own(user);
    p->a.key = own(key);
    if (key.len)
        print_content(p->a.print, content);
}

static struct append_send *next_send(struct publish *p)
{
    if (p->a.send_count == p->send_cap) {
        p->a.sends = grown(p->a.sends, p->send_cap, sizeof *p->a.sends);
        p->each = grown(p->each, p->send_cap, sizeof *p->each);
        p->send_cap *= 2;
    }
    struct append_send *s = &p->a.sends[p->a.send_count];
    *s = (struct append_send){.first = p->a.event_count};
    p->each[p->a.send_count++] = (struct composed){0};
    return s;
}

static void add_event(struct publish *p, struct channel *ch, struct event *e)
{
    if (p->a.event_count == p->event_cap) {
        p->a.events = grown(p->a.events, p->event_cap, sizeof(struct event *));
        p->a.rows = grown(p->a.rows, p->event_cap, sizeof *p->a.rows);
        p->a.fresh = grown(p->a.fresh, p->event_cap, sizeof *p->a.fresh);
        p->channels = grown(p->channels, p->event_cap, sizeof(struct channel *));
        p->event_cap *= 2;
    }
    size_t i = p->a.event_count++;
    p->a.events[i] = e;
    p->a.rows[i] = ch->row;
    p->a.fresh[i] = !ch->stored || ch->is_forgetting;
    p->a.size += event_size(e);
    p->channels[i] = ch;
}

static bool channel_is_sendable(Str name, struct fault *why)
{
    Str prefix = STR("user:");
    return channel_is_valid(name, "channel", why) &&
           (!str_starts(name, prefix) || user_is_valid(str_skip(name, prefix.len), "user", why));
}

static bool target_is_valid(const struct hub *h, const struct publish *p, const struct msg_send *m,
                            struct fault *why)
{
    if (m->to.len) {
        if (!client_is_valid(m->to, "client", why))
            return false;
        const struct client *c = client_find(h, m->to);
        if (c && (p->may_everything || str_eq(str_of(c->user), p->a.user)))
            return true;
        return fail(why, REFUSE_NOT_FOUND, "client: not known");
    }
    if (!m->channels.len || !list_is_whole(m->channels))
        return fail(why, REFUSE_WRONG_FIELD, "channel: none is named");
    Str rest = m->channels;
    for (Str name; list_next(&rest, &name);)
        if (!channel_is_sendable(name, why))
            return false;
    return true;
}

static bool data_is_valid(const struct hub *h, const struct msg_send *m, struct buf *compact,
                          struct fault *why)
{
    if (m->data.len > h->o->max_event)
        return fail(why, REFUSE_TOO_LARGE, "data: %zu bytes, max_event is %llu", m->data.len,
                    (unsigned long long)h->o->max_event);
    if (m->flags & EVENT_JSON) {
        struct fault unread = {0};
        if (!json_check(m->data, &unread))
            return fail(why, unread.code, "data: %.200s", unread.text);
        json_put_compact(compact, m->data);
        return true;
    }
    return str_is_utf8(m->data) || fail(why, REFUSE_WRONG_FIELD, "data: not UTF-8, send base64");
}

static bool send_is_valid(const struct hub *h, const struct publish *p, const struct msg_send *m,
                          struct buf *compact, struct fault *why)
{
    if (m->flags & ~(EVENT_JSON | EVENT_EPHEMERAL))
        return fail(why, REFUSE_WRONG_FIELD, "flags: %u is not known", m->flags);
    bool ephemeral = (m->flags & EVENT_EPHEMERAL) || m->to.len;
    return event_name_is_valid(m->event, ephemeral, "event", why) &&
           (!m->exclude.len || client_is_valid(m->exclude, "exclude", why)) &&
           (!m->key.len || key_is_valid(m->key, "idempotencyKey", why)) &&
           target_is_valid(h, p, m, why) && data_is_valid(h, m, compact, why);
}

static struct event model_of(const struct hub *h, const struct publish *p, const struct msg_send *m,
                             const struct buf *compact)
{
    bool ephemeral = (m->flags & EVENT_EPHEMERAL) || m->to.len;
    return (struct event){
        .flags = (uint8_t)((m->flags & EVENT_JSON) | (ephemeral ? EVENT_EPHEMERAL : 0)),
        .time = h->now.wall,
        .expires = m->ttl ? h->now.wall + (Msec)m->ttl * 1000 : 0,
        .name = m->event,
        .user = p->a.user,
        .exclude = m->exclude,
        .to = m->to,
        .data = m->flags & EVENT_JSON ? buf_str(compact) : m->data,
    };
}

static void add_ephemerals(struct publish *p, const struct msg_send *m, struct event *model)
{
    struct composed *c = &p->each[p->a.send_count - 1];
    size_t n = m->to.len ? 1 : list_count(m->channels);
    c->ephemerals = must_alloc(n * sizeof(struct event *));
    Str rest = m->channels;
    while (c->ephemeral_count < n) {
        if (!m->to.len)
            (void)list_next(&rest, &model->channel);
        struct event *e = event_new(model);
        p->a.size += event_size(e);
        c->ephemerals[c->ephemeral_count++] = e;
    }
}

/* A channel that stands there twice is released at the second time: until then it is pending. */
static void let_go_from(struct hub *h, struct publish *p, size_t first)
{
    for (size_t i = first; i < p->a.event_count; i++) {
        p->channels[i]->pending--;
        channel_release(&h->channels, p->channels[i]);
    }
}

static bool add_logged(struct hub *h, struct publish *p, const struct msg_send *m,
                       struct event *model, struct fault *why)
{
    struct append_send *s = &p->a.sends[p->a.send_count - 1];
    Str rest = m->channels;
    while (list_next(&rest, &model->channel)) {
        struct channel *ch = channel_need(&h->channels, model->channel, h->now.wall);
        if (!ch) {
            let_go_from(h, p, s->first);
            while (p->a.event_count > s->first)
                event_unref(p->a.events[--p->a.event_count]);
            s->n = 0;
            return fail(why, REFUSE_LIMIT, "channel: max_channels is %llu",
                        (unsigned long long)h->o->max_channels);
        }
        ch->pending++;
        add_event(p, ch, event_new(model));
        s->n++;
    }
    return true;
}

static void set_key(struct append_send *s, const struct msg_send *m)
{
    if (!m->key.len)
        return;
    struct buf content;
    buf_init(&content, BODY_MAX);
    msg_send_pack(&content, m);
    print_content(s->print, buf_str(&content));
    buf_fini(&content);
    s->key = own(m->key);
}

static void mark_refused(struct publish *p, const struct fault *why)
{
    p->a.sends[p->a.send_count - 1].code = why->code;
    p->each[p->a.send_count - 1].detail = str_dup(str_of(why->text));
}

void publish_add_refused(struct publish *p, const struct fault *why)
{
    next_send(p);
    mark_refused(p, why);
}

/* One event for each channel: what is a small message may be many big events. Refused as a whole
 * and before it is made, so that a key does not remember it. */
static bool has_room(const struct hub *h, const struct publish *p, const struct msg_send *m)
{
    size_t n = m->to.len ? 1 : list_count(m->channels);
    uint64_t room = h->o->max_queue_bytes - p->a.size;
    return p->a.size < h->o->max_queue_bytes && n <= room / (sizeof(struct event) + m->data.len);
}

void publish_add(struct hub *h, struct publish *p, const struct msg_send *m)
{
    if (!has_room(h, p, m)) {
        char detail[80];
        snprintf(detail, sizeof detail, "max_queue_bytes is %llu",
                 (unsigned long long)h->o->max_queue_bytes);
        publish_refuse(h, p, REFUSE_OVERLOAD, detail);
        return;
    }
    struct fault why = {0};
    struct buf compact;
    buf_init(&compact, BODY_MAX);
    struct append_send *s = next_send(p);
    p->a.size += sizeof *s;
    bool ok = send_is_valid(h, p, m, &compact, &why);
    if (ok) {
        struct event model = model_of(h, p, m, &compact);
        set_key(s, m);
        if (event_is_ephemeral(&model))
            add_ephemerals(p, m, &model);
        else
            ok = add_logged(h, p, m, &model, &why);
    }
    if (!ok)
        mark_refused(p, &why);
    buf_fini(&compact);
}

void publish_let_go(struct hub *h, struct publish *p)
{
    let_go_from(h, p, 0);
}

void publish_refuse(struct hub *h, struct publish *p, int code, const char *detail)
{
    publish_let_go(h, p);
    drop_sends(p);
    p->a.key.len = 0;
    fail(&p->why, code, "%s", detail);
}
