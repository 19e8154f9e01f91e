#include "inside.h"

#include "base/log.h"
#include "link.h"
#include "poll.h"
#include "wire/names.h"
#include "wire/refusal.h"

#include <assert.h>
#include <stdlib.h>

enum { LIST_MAX = 16 * 1024 * 1024 };

static void on_opened(void *owner, Str body, const struct fault *why);

static size_t size_of(const struct stream *s)
{
    return offsetof(struct stream, text) + s->user_len + s->address_len + s->requested_len;
}

static void keep(char **room, Str s)
{
    if (s.len)
        memcpy(*room, s.p, s.len);
    *room += s.len;
}

static Str at_most(Str s, size_t len)
{
    return str_make(s.p, s.len < len ? s.len : len);
}

struct extras *stream_extras(struct stream *s)
{
    if (!s->extras)
        s->extras = must_alloc(sizeof *s->extras);
    return s->extras;
}

Msec stream_expires(const struct stream *s)
{
    return s->extras ? s->extras->expires : 0;
}

static void set_text(char **text, Str to)
{
    free(*text);
    *text = to.len ? str_dup(to) : NULL;
}

void stream_know(struct stream *s, Str token, Msec issued, Msec expires)
{
    if (!s->extras && !token.len && !issued && !expires)
        return;
    struct extras *x = stream_extras(s);
    set_text(&x->token, token);
    x->issued = issued;
    x->expires = expires;
}

static void free_extras(struct extras *x)
{
    if (!x)
        return;
    free(x->token);
    free(x->label);
    free(x->public);
    free(x->follows);
    free(x);
}

static struct arrival *arrival_of(const struct stream_request *q)
{
    struct arrival *a = must_alloc(sizeof *a + q->client.len);
    char *room = (char *)(a + 1);
    a->value = q->value;
    a->client = str_make(room, q->client.len);
    keep(&room, q->client);
    return a;
}

static void end_arrival(struct stream *s)
{
    free(s->arrival);
    s->arrival = NULL;
}

Str stream_client(const struct stream *s)
{
    return s->page ? page_name(s->page) : s->arrival->client;
}

static struct stream *make(struct roster *r, const struct stream_request *q)
{
    assert(q->user.len <= USER_MAX && q->requested.len <= REQUESTED_MAX);
    Str address = at_most(q->address, UINT16_MAX);
    size_t texts = q->user.len + address.len + q->requested.len;
    struct stream *s = pool_alloc(&r->pool, offsetof(struct stream, text) + texts);
    char *room = s->text;
    keep(&room, q->user);
    keep(&room, address);
    keep(&room, q->requested);
    s->roster = r;
    s->user_len = (uint8_t)q->user.len;
    s->address_len = (uint16_t)address.len;
    s->requested_len = (uint8_t)q->requested.len;
    s->arrival = arrival_of(q);
    stream_know(s, q->token, q->issued, q->expires);
    if (q->asked_until)
        stream_extras(s)->asked_until = q->asked_until;
    if (q->label.len)
        set_text(&stream_extras(s)->label, q->label);
    if (q->public.len)
        set_text(&stream_extras(s)->public, q->public);
    s->with_presence = q->presence && !q->poll;
    s->is_named = q->named;
    s->is_poll = q->poll;
    s->is_listed = q->listed;
    s->start = (uint8_t)q->start;
    s->ping = (uint8_t)q->ping;
    s->is_commented = q->comments;
    s->left = !q->poll ? UINT32_MAX : q->limit ? q->limit : 1;
    s->left_bytes = q->poll ? POLL_BYTES : UINT32_MAX;
    s->at = q->at;
    return s;
}

void stream_ask(struct stream *s, const struct stream_request *q)
{
    Str names = q->channels;
    for (Str name; list_next(&names, &name);)
        if (!stream_find_part(s, name))
            stream_add_part(s, name);
    if (link_is_moved(s->roster->link))
        return; /* the successor will */
    struct msg_open m = {
        .client = q->client,
        .named = s->is_named,
        .poll = s->is_poll,
        .user = q->user,
        .start = s->start,
        .at = q->at,
        .value = q->value,
        .channels = q->channels,
        .address = q->address,
        .envelope = q->envelope,
        .label = q->label,
        .public = q->public,
    };
    struct buf body;
    buf_init(&body, LIST_MAX);
    msg_open_pack(&body, &m);
    s->arrival->ask = link_ask(s->roster->link, VERB_OPEN, &body, LINK_ALWAYS, on_opened, s);
}

struct stream *stream_make(struct roster *r, const struct stream_request *q, struct sink sink,
                           Msec now)
{
    char key[ADDRESS_KEY];
    struct stream *s = make(r, q);
    tally_add(&r->addresses, stream_origin(s, key), 1);
    struct rights rights = q->rights;
    accounts_grant(&r->accounts, &rights);
    s->pass = pass_take(&r->passes, &rights);
    s->ops = sink.ops;
    s->to = sink.to;
    s->is_full = sink.is_full;
    s->made = r->now = now;
    s->written = (uint32_t)now;
    s->ops->attach(s->to, s);
    list_append(&r->streams, &s->node);
    r->stream_count++;
    return s;
}

struct stream *stream_open(struct roster *r, const struct stream_request *q, struct sink sink,
                           Msec now)
{
    struct stream *s = stream_make(r, q, sink, now);
    r->counts.opened++;
    stream_ask(s, q);
    return s;
}

struct part *stream_find_part(const struct stream *s, Str name)
{
    for (size_t i = 0; i < s->part_count; i++)
        if (str_eq(s->parts[i].sub->name, name))
            return &s->parts[i];
    return NULL;
}

struct part *stream_add_part(struct stream *s, Str name)
{
    struct subscription *sub = subscription_take(&s->roster->subs, name);
    s->parts = must_realloc(s->parts, (s->part_count + 1) * sizeof s->parts[0]);
    s->parts[s->part_count] = (struct part){.sub = sub};
    return &s->parts[s->part_count++];
}

void stream_drop_part(struct stream *s, struct part *part)
{
    subscription_release(&s->roster->subs, part->sub, s->roster->now);
    size_t after = s->part_count - (size_t)(part - s->parts) - 1;
    memmove(part, part + 1, after * sizeof *part);
    s->part_count--;
}

Position part_begin(const struct part *part)
{
    return part->caught > part->from ? part->caught : part->from;
}

static enum bye why_refused(int code)
{
    if (code == REFUSE_FORBIDDEN || code == REFUSE_NOT_FOUND)
        return BYE_KICKED;
    return code == REFUSE_LIMIT ? BYE_LIMIT : BYE_DRAIN;
}

/* The link is on all of them, and on those that the hub remembered; false: not all of these are
 * the stream's. Where the roster is further than the join already, what lies between is not taken
 * from the link any more. */
static bool join_parts(struct stream *s, const struct msg_opened *m)
{
    bool is_all = true;
    Str list = m->channels;
    for (Str item; list_next(&list, &item);) {
        struct msg_part p;
        if (!msg_part_unpack(item, &p) || !p.channel.len)
            continue;
        struct part *part = stream_find_part(s, p.channel);
        if (!part && !stream_may_read(s, p.channel)) {
            is_all = false; /* added by POST when more was granted */
            continue;
        }
        if (!part) { /* for one that the request names its own cursor decides */
            roster_notice_crossing(s->roster, p.channel);
            part = stream_add_part(s, p.channel);
            part->from = p.from;
        }
        part->is_added |= p.added;
    }
    for (size_t i = 0; i < s->part_count; i++)
        subscription_join(s->parts[i].sub, s->roster->at);
    return is_all;
}

static void tell_close(struct roster *r, Str client, bool poll)
{
    struct buf body;
    buf_init(&body, LIST_MAX);
    msg_close_pack(&body, &(struct msg_close){client, poll});
    link_tell(r->link, VERB_CLOSE, &body);
}

/* Where it begins, and what of that is there no more. */
static void begin(struct stream *s, const struct msg_opened *m)
{
    struct roster *r = s->roster;
    s->page = page_enter(&r->pages, m->client, stream_user(s), s->is_named, s->is_poll);
    list_append(&s->page->streams, &s->mates);
    r->came = s;
    end_arrival(s);
    s->at = s->opened = m->from;
    s->state = STREAM_BEHIND;
    audience_enter(s);
    replay_begin(s, s->is_poll);
    Cursor oldest = m->oldest;
    if (m->reason == GAP_PRUNED && oldest.at > r->at.at)
        roster_uncover(r, m->missing, oldest); /* gone before the link, which lags, was there */
    bool has_gap = replay_misses(s, m->reason, m->from, &oldest);
    s->is_resumed = s->start == START_CURSOR && !has_gap;
    if (has_gap) {
        struct buf all;
        buf_init(&all, LIST_MAX);
        stream_put_names(s, &all, false);
        struct gap g = {stream_requested(s), oldest, m->reason, m->missing};
        if (!g.channels.len)
            g.channels = buf_str(&all);
        replay_owe_gap(s, &g);
        buf_fini(&all);
    }
    s->is_held = s->start == START_CURSOR && !s->is_poll && !s->is_listed && !m->known;
    stream_watch(s);
    stream_wake(s);
}

/* It went before it was opened, and perhaps came again with fewer channels. */
static void pass_over(struct stream *s, Str client)
{
    struct roster *r = s->roster;
    struct page *page = page_find(&r->pages, client);
    tell_close(r, client, s->is_poll);
    if (page && !list_is_empty(&page->streams))
        roster_tell_here(r, page);
    else if (s->is_named)
        page_doubt(&r->pages, client, stream_user(s), r->now);
}

static void on_opened(void *owner, Str body, const struct fault *why)
{
    struct stream *s = owner;
    struct msg_opened m;
    s->arrival->ask = NULL;
    bool is_whole = !why && msg_opened_unpack(body, &m);
    bool is_over = s->state != STREAM_OPENING;
    if (is_whole && m.code == REFUSE_NOT && client_is_valid(m.client, "client", NULL)) {
        roster_advance(s->roster, m.join);
        bool is_all = join_parts(s, &m);
        s->roster->came = NULL;
        if (is_over)
            pass_over(s, m.client);
        else
            begin(s, &m);
        if (s->page && (!is_all || s->page->is_unsure)) {
            s->page->is_unsure = false;
            roster_tell_here(s->roster, s->page);
        }
    } else if (!is_over) {
        stream_bye(s, why_refused(is_whole && m.code ? m.code : REFUSE_INTERNAL));
    }
    if (s->state == STREAM_GONE && !list_is_linked(&s->place))
        list_append(&s->roster->gone, &s->place);
}

void stream_on_writable(struct stream *s)
{
    s->is_full = false;
    if (s->state != STREAM_PARTING)
        stream_wake(s);
    else if (!list_is_linked(&s->place))
        list_append(&s->roster->gone, &s->place);
}

/* Nothing is due to it any more; its audience may end before it is reaped. */
static void leave_place(struct stream *s)
{
    if (s->state == STREAM_LIVE)
        s->at = s->roster->flushed;
    list_remove(&s->place);
}

void stream_end(struct stream *s)
{
    if (s->state == STREAM_GONE)
        return;
    leave_place(s);
    s->state = STREAM_GONE;
    if (!list_is_linked(&s->place))
        list_append(&s->roster->gone, &s->place);
}

void stream_lose_sink(struct stream *s)
{
    s->to = NULL;
}

void stream_close(struct stream *s)
{
    stream_end(s);
}

void stream_bye(struct stream *s, enum bye reason)
{
    if (s->state == STREAM_GONE || s->state == STREAM_PARTING)
        return;
    leave_place(s);
    s->state = STREAM_PARTING;
    s->farewell = (uint8_t)reason;
    s->written = (uint32_t)s->roster->now; /* from here on it has slow_timeout to take the rest */
    if (reason == BYE_SLOW)
        s->roster->counts.slow++;
    if (!s->is_full)
        list_append(&s->roster->gone, &s->place);
}

bool stream_is_behind(const struct stream *s)
{
    return s->state == STREAM_OPENING || s->state == STREAM_BEHIND;
}

void stream_answer_now(struct stream *s)
{
    if (s->state == STREAM_GONE || s->state == STREAM_PARTING)
        return;
    if (s->state == STREAM_OPENING) {
        stream_bye(s, BYE_DRAIN);
        return;
    }
    if (!s->is_greeted)
        stream_greet(s);
    if (s->state == STREAM_GONE)
        return;
    stream_rest(s, stream_at(s), s->state == STREAM_BEHIND);
    if (s->state != STREAM_GONE)
        stream_bye(s, BYE_DRAIN);
}

static void leave_page(struct stream *s)
{
    if (!s->page)
        return;
    struct buf parts;
    buf_init(&parts, LIST_MAX);
    stream_put_parts(s, &parts);
    tell_close(s->roster, page_name(s->page), s->is_poll);
    list_remove(&s->mates);
    if (!list_is_empty(&s->page->streams))
        roster_tell_here(s->roster, s->page);
    page_leave(&s->roster->pages, s->page, s->is_poll, buf_str(&parts), s->roster->now);
    s->page = NULL;
    buf_fini(&parts);
}

static void end_sink(struct stream *s)
{
    const struct sink_ops *ops = s->ops;
    if (!ops)
        return;
    char key[ADDRESS_KEY];
    s->roster->stream_count--;
    tally_take(&s->roster->addresses, stream_origin(s, key), 1);
    s->roster->counts.closed++;
    s->ops = NULL;
    if (s->state == STREAM_PARTING) {
        if (s->is_greeted) /* a poll answers with what it has, and says where that ends */
            ops->idle(s->to, s->at, s->at.at < s->roster->flushed.at);
        ops->bye(s->to, s->farewell);
    } else
        ops->close(s->to, s->aborts);
}

/* One that the hub is still at work on is kept until the answer says whom it is to forget. */
void stream_reap(struct stream *s)
{
    struct roster *r = s->roster;
    r->came = r->came == s ? NULL : r->came;
    list_remove(&s->place);
    end_sink(s);
    s->state = STREAM_GONE;
    leave_page(s);
    audience_leave(s);
    replay_free(s);
    stream_unwatch(s);
    list_remove(&s->node);
    struct link_request *ask = s->arrival ? s->arrival->ask : NULL;
    if (ask && link_is_asked(ask)) {
        list_append(&r->orphans, &s->node);
        return;
    }
    if (ask)
        link_cancel(r->link, ask);
    while (s->part_count)
        stream_drop_part(s, &s->parts[s->part_count - 1]);
    pass_unref(s->pass);
    free(s->parts);
    end_arrival(s);
    free_extras(s->extras);
    pool_free(&r->pool, s, size_of(s));
}
