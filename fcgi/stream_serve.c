/* What a stream is given, and when: its part of a turn. */
#include "inside.h"

#include "link.h"
#include "wire/names.h"

enum { LIST_MAX = 16 * 1024 * 1024, HOLD_MOST = 2000, TOLD_AHEAD = 60 * 1000 };

Cursor stream_at(const struct stream *s)
{
    return s->state == STREAM_LIVE ? s->roster->flushed : s->at;
}

void stream_go_live(struct stream *s)
{
    replay_free(s);
    s->state = STREAM_LIVE;
    list_remove(&s->place);
    list_append(&s->audience->live, &s->place);
}

void stream_leave_live(struct stream *s, Cursor at)
{
    if (s->state != STREAM_LIVE)
        return;
    list_remove(&s->place);
    s->state = STREAM_BEHIND;
    s->at = at;
    replay_begin(s, true);
}

void stream_wake(struct stream *s)
{
    bool is_ready =
        s->state == STREAM_BEHIND && !s->is_full && !replay_is_held(s) && !replay_is_waiting(s);
    if (is_ready && !list_is_linked(&s->place))
        list_append(&s->roster->ready, &s->place);
}

bool stream_wrote(struct stream *s, bool has_room)
{
    s->written = (uint32_t)s->roster->now;
    if (s->state == STREAM_GONE)
        return false;
    if (has_room)
        return true;
    s->is_full = true;
    stream_leave_live(s, s->roster->flushed);
    replay_mark(s);
    return false;
}

void stream_rest(struct stream *s, Cursor at, bool more)
{
    if (s->is_poll && !s->ops->idle(s->to, at, more))
        stream_end(s);
}

bool stream_write_batch(struct stream *s, bool without_id)
{
    struct batch *b = &s->roster->batch;
    if (!b->len)
        return true;
    struct chunk *chunk = batch_chunk(b, s->ops, without_id);
    Position last = without_id ? 0 : batch_last(b);
    s->roster->counts.deliveries += b->len;
    s->roster->writes++;
    if (s->is_poll) {
        s->left -= (uint32_t)b->len;
        s->left_bytes -= b->bytes < s->left_bytes ? (uint32_t)b->bytes : s->left_bytes;
    }
    bool has_room = s->ops->events(s->to, chunk, b->len, last);
    chunk_unref(chunk);
    return stream_wrote(s, has_room);
}

void stream_put_names(const struct stream *s, struct buf *list, bool late_only)
{
    for (size_t i = 0; i < s->part_count; i++)
        if (!late_only || s->parts[i].is_late)
            list_put(list, s->parts[i].sub->name);
}

void stream_put_parts(const struct stream *s, struct buf *list)
{
    struct buf item;
    buf_init(&item, LIST_MAX);
    for (size_t i = 0; i < s->part_count; i++) {
        const struct part *part = &s->parts[i];
        if (!part->is_added)
            continue;
        buf_clear(&item);
        msg_part_pack(&item, &(struct msg_part){part->sub->name, part->from, true});
        list_put(list, buf_str(&item));
    }
    buf_fini(&item);
}

bool stream_greet(struct stream *s)
{
    struct buf names;
    buf_init(&names, LIST_MAX);
    stream_put_names(s, &names, false);
    struct connected c = {
        .client = stream_client(s),
        .user = stream_user(s),
        .channels = buf_str(&names),
        .cursor = s->at,
        .has_id = s->start != START_LAST,
        .resumed = s->is_resumed,
        .ping = s->ping,
    };
    s->is_greeted = true;
    Msec after = s->roster->now - s->made;
    s->greeted = after < UINT32_MAX ? (uint32_t)after : UINT32_MAX;
    if (s->is_held)
        replay_hold(s, s->roster->now + HOLD_MOST);
    bool has_room = s->ops->connected(s->to, &c);
    buf_fini(&names);
    return stream_wrote(s, has_room) && stream_tell_presence(s);
}

bool stream_is_for(const struct stream *s, const struct event *e)
{
    bool is_apart =
        e->to.len > 0; /* it comes by its name, past what channels it has and may read */
    if (is_apart && !str_eq(e->to, page_name(s->page)))
        return false;
    if (is_apart && e->channel.len && !stream_may_read(s, e->channel))
        return false;
    return !e->exclude.len || !str_eq(e->exclude, page_name(s->page));
}

bool stream_may_read(const struct stream *s, Str name)
{
    return pass_may_read(s->pass, stream_user(s), name);
}

static bool part_takes(const struct stream *s, const struct part *part, const struct event *e)
{
    Str name = part->sub->name;
    return e->id.at > part_begin(part) && pattern_matches(name, e->channel) &&
           (!is_pattern(name) || stream_may_read(s, e->channel));
}

/* By another channel or pattern, when its turn came. */
static bool was_brought(const struct stream *s, const struct event *e)
{
    for (size_t i = 0; i < s->part_count; i++)
        if (!s->parts[i].is_late && part_takes(s, &s->parts[i], e))
            return e->id.at > s->opened.at;
    return false;
}

bool stream_wants(const struct stream *s, const struct event *e, bool late)
{
    if (!stream_is_for(s, e) || event_is_expired(e, link_wall(s->roster->link)))
        return false;
    for (size_t i = 0; i < s->part_count; i++)
        if (s->parts[i].is_late == late && part_takes(s, &s->parts[i], e))
            return !late || !was_brought(s, e);
    return false;
}

/* Only while it takes nothing: one that reads on through a long replay gets there. */
static bool lags_too_far(const struct stream *s)
{
    const struct options *o = s->roster->options;
    uint64_t most = o->max_lag > 2 * o->max_event ? o->max_lag : 2 * o->max_event;
    return s->is_full && replay_lag(s) > most;
}

static void beat(struct stream *s)
{
    bool is_there = s->state == STREAM_LIVE && !s->is_commented && !s->audience->due_len;
    Cursor through = is_there ? s->roster->flushed : CURSOR_NONE;
    stream_wrote(s, s->ops->beat(s->to, through));
}

/* What is to be said of the end of its rights, once. */
static bool owes_notice(const struct stream *s)
{
    bool is_able = s->is_greeted && !s->is_full && !s->is_poll;
    Msec expires = stream_expires(s);
    return is_able && expires && !s->is_warned &&
           link_wall(s->roster->link) + TOLD_AHEAD >= expires;
}

static void give_notice(struct stream *s)
{
    s->is_warned = true;
    stream_wrote(s, s->ops->token(s->to, stream_expires(s)));
}

static bool is_expired(const struct stream *s)
{
    const struct extras *x = s->extras;
    Msec wall = link_wall(s->roster->link);
    return x && ((x->expires && wall >= x->expires) || (x->asked_until && wall >= x->asked_until));
}

void stream_tick(struct stream *s)
{
    Msec now = s->roster->now;
    bool is_stuck = s->is_full && stream_idle(s, now) >= s->roster->options->slow_timeout;
    if (s->state == STREAM_GONE)
        return;
    if (s->state == STREAM_PARTING) {
        s->aborts = is_stuck;
        if (is_stuck)
            stream_end(s);
    } else if (is_expired(s)) {
        stream_bye(s, BYE_EXPIRED);
    } else if (is_stuck || lags_too_far(s)) {
        stream_bye(s, BYE_SLOW);
    } else if (owes_notice(s)) {
        give_notice(s);
    } else if (stream_owes_presence(s)) {
        stream_tell_presence(s);
    } else if (!s->is_full && !s->is_poll && stream_idle(s, now) >= s->ping * (Msec)1000) {
        beat(s);
    } else {
        stream_wake(s);
    }
}
