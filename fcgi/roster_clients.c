/* What the hub asks of a worker's clients, and what it is told of them. */
#include "inside.h"

#include "base/json.h"
#include "link.h"
#include "render.h"
#include "wire/names.h"
#include "wire/refusal.h"

enum { LIST_MAX = 16 * 1024 * 1024, PIECE = 64 * 1024 };

void roster_put_channels(const struct roster *r, struct buf *list)
{
    subscriptions_put(&r->subs, list);
}

static const struct stream *first_of(const struct page *p)
{
    return CONTAINER_OF(p->streams.next, struct stream, mates);
}

static void put_client(const struct page *p, struct buf *list, Msec now)
{
    struct buf parts, item, channels;
    buf_init(&parts, LIST_MAX);
    buf_init(&item, LIST_MAX);
    buf_init(&channels, LIST_MAX);
    bool is_here = p->live || p->polls;
    if (is_here)
        stream_put_parts(first_of(p), &parts);
    page_put_here(p, &channels);
    struct msg_client m = {
        .client = page_name(p),
        .named = p->is_named,
        .user = page_user(p),
        .streams = p->live,
        .polls = p->polls,
        .gone = is_here ? 0 : (uint32_t)(now - p->memory->gone),
        .parts = is_here ? buf_str(&parts) : str_make(p->memory->parts, p->memory->len),
        .channels = buf_str(&channels),
    };
    if (is_here) {
        const struct stream *s = first_of(p);
        m.label = str_of(s->extras ? s->extras->label : NULL);
        m.public = str_of(s->extras ? s->extras->public : NULL);
        m.since = now - s->made;
    }
    msg_client_pack(&item, &m);
    list_put(list, buf_str(&item));
    buf_fini(&parts);
    buf_fini(&item);
    buf_fini(&channels);
}

void roster_put_gone(const struct roster *r, struct buf *list, Msec now)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->pages.gone)
    put_client(CONTAINER_OF(node, struct page, node), list, now);
}

void roster_put_clients(const struct roster *r, struct buf *list, Msec now)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->pages.present)
    put_client(CONTAINER_OF(node, struct page, node), list, now);
    roster_put_gone(r, list, now);
}

/* How many of its channels it has without asking. */
static size_t count_carried(const struct stream *s)
{
    size_t count = 0;
    Str names = s->pass->rights.for_all;
    for (Str name; str_cut(&names, ',', &name);)
        count += stream_find_part(s, str_trim(name)) != NULL;
    if (s->user_len) {
        char own[CHANNEL_MAX];
        int n = snprintf(own, sizeof own, "user:%.*s", FMT(stream_user(s)));
        count += stream_find_part(s, str_make(own, (size_t)n)) != NULL;
    }
    return count;
}

/* How many channels it will have asked for; one that it has already costs nothing. */
static size_t count_after(const struct stream *s, Str names)
{
    size_t count = s->part_count - count_carried(s);
    for (Str name; list_next(&names, &name);)
        count += !stream_find_part(s, name);
    return count;
}

/* All of it is allowed, or nothing is done. */
static bool may_change(const struct stream *s, const struct msg_add *m, struct fault *why)
{
    const struct options *o = s->roster->options;
    size_t count = count_after(s, m->add);
    if (count > s->part_count - count_carried(s) && count > o->max_channels_stream)
        return fail(why, REFUSE_LIMIT, "channel: %zu on one stream, max_channels_stream is %llu",
                    count, (unsigned long long)o->max_channels_stream);
    Str names = m->add;
    for (Str name; list_next(&names, &name);) {
        if (!pattern_is_valid(name, "channel", why))
            return false;
        bool is_asked =
            list_has(m->asked, name) && rights_ask(&s->pass->rights, MAY_SUBSCRIBE, name);
        if (!is_asked && !stream_may_read(s, name))
            return fail(why, REFUSE_FORBIDDEN, "channel: %.*s: subscribe is not allowed",
                        FMT(name));
    }
    return true;
}

static bool may_change_all(const struct page *p, const struct msg_add *m, struct fault *why)
{
    if (!p || !(p->live || p->polls))
        return fail(why, REFUSE_NOT_FOUND, "clientId: there is no such client");
    if (!str_eq(page_user(p), m->user))
        return fail(why, REFUSE_FORBIDDEN, "clientId: is another user's");
    struct list *node, *safe;
    LIST_EACH(node, safe, &p->streams)
    if (!may_change(CONTAINER_OF(node, struct stream, mates), m, why))
        return false;
    return true;
}

void roster_notice_crossing(struct roster *r, Str name)
{
    const struct subscription *sub = subscription_find(&r->subs, name);
    if (sub && (sub->is_left || sub->is_back))
        r->has_hole = true;
}

void roster_on_add(struct roster *r, const struct msg_add *m, struct msg_added *answer,
                   struct buf *channels)
{
    struct page *p = page_find(&r->pages, m->client);
    struct fault why;
    roster_advance(r, m->join);
    if (!may_change_all(p, m, &why)) {
        answer->code = (uint8_t)why.code;
        buf_putz(channels, why.text);
        answer->detail = buf_str(channels);
        return;
    }
    Str names = m->add;
    for (Str name; list_next(&names, &name);)
        roster_notice_crossing(r, name);
    struct list *node, *safe;
    LIST_EACH(node, safe, &p->streams)
    {
        Cursor begin;
        stream_change(CONTAINER_OF(node, struct stream, mates), m, &begin);
        if (cursor_is_none(answer->at) || begin.at < answer->at.at)
            answer->at = begin;
    }
    roster_tell_here(r, p);
    stream_put_names(first_of(p), channels, false);
    answer->channels = buf_str(channels);
}

static void put_stream(const struct stream *s, struct buf *json)
{
    const struct roster *r = s->roster;
    struct buf names;
    buf_init(&names, LIST_MAX);
    stream_put_names(s, &names, false);
    uint64_t lag = s->state == STREAM_BEHIND ? replay_lag(s) : 0;
    /* Whose it is, the hub says. */
    render_text(json, "{\"user\":", stream_user(s));
    buf_printf(json, ",\"kind\":\"%s\"", s->is_poll ? "poll" : "sse");
    render_names(json, ",\"channels\":", buf_str(&names));
    render_cursor(json, ",\"cursor\":", stream_at(s));
    buf_printf(json, ",\"lag\":%llu,\"age\":%llu", (unsigned long long)lag,
               (unsigned long long)(r->now - s->made));
    render_text(json, ",\"address\":", stream_address(s));
    buf_putc(json, '}');
    buf_fini(&names);
}

bool roster_put_streams(struct roster *r, struct buf *json, size_t *from)
{
    struct list *node, *safe;
    size_t n = 0, start = json->len;
    LIST_EACH(node, safe, &r->streams)
    {
        const struct stream *s = CONTAINER_OF(node, struct stream, node);
        if (n++ < *from || s->state == STREAM_GONE)
            continue;
        if (json->len - start >= PIECE) {
            *from = n - 1;
            return true;
        }
        if (json->len > start)
            buf_putc(json, ',');
        put_stream(s, json);
    }
    *from = n;
    return false;
}
