/* Who is on a stream's channels: what it is told, and what the hub is told of it. */
#include "inside.h"

#include "link.h"
#include "wire/names.h"

enum { LIST_MAX = 16 * 1024 * 1024 };

/* Takes the list. */
static void tell_names(const struct roster *r, enum verb verb, struct buf *names)
{
    struct buf body;
    buf_init(&body, LIST_MAX);
    if (verb == VERB_WATCH)
        msg_watch_pack(&body, &(struct msg_watch){buf_str(names)});
    else
        msg_unwatch_pack(&body, &(struct msg_unwatch){buf_str(names)});
    link_tell(r->link, verb, &body);
    buf_fini(names);
}

static void tell_name(const struct roster *r, enum verb verb, Str name)
{
    struct buf names;
    buf_init(&names, LIST_MAX);
    list_put(&names, name);
    tell_names(r, verb, &names);
}

/* What it carries without asking is nothing that it asked about. */
static bool may_watch(const struct stream *s, Str name)
{
    return s->with_presence && !is_pattern(name) && !is_own_channel(stream_user(s), name) &&
           !is_for_all(s->pass->rights.for_all, name) &&
           may_by_rule(&s->pass->rights, s->user_len > 0, MAY_PRESENCE, name);
}

static struct follow *find_follow(const struct stream *s, Str channel)
{
    struct extras *x = s->extras;
    for (size_t i = 0; x && i < x->follow_count; i++)
        if (str_eq(x->follows[i].room->channel, channel))
            return &x->follows[i];
    return NULL;
}

static void follow(struct stream *s, Str channel)
{
    struct roster *r = s->roster;
    struct extras *x = stream_extras(s);
    x->follows = must_realloc(x->follows, (x->follow_count + 1) * sizeof x->follows[0]);
    struct room *room = room_take(&r->rooms, channel);
    x->follows[x->follow_count++] = (struct follow){.room = room};
    if (room->refs == 1)
        tell_name(r, VERB_WATCH, channel);
}

static void unfollow(struct stream *s, struct follow *f)
{
    struct roster *r = s->roster;
    if (f->room->refs == 1)
        tell_name(r, VERB_UNWATCH, f->room->channel);
    room_release(&r->rooms, f->room);
    *f = s->extras->follows[--s->extras->follow_count];
}

void stream_unwatch(struct stream *s)
{
    while (s->extras && s->extras->follow_count)
        unfollow(s, s->extras->follows);
}

void stream_watch(struct stream *s)
{
    struct extras *x = s->extras;
    for (size_t i = x ? x->follow_count : 0; i-- > 0;) {
        Str channel = x->follows[i].room->channel;
        if (!stream_find_part(s, channel) || !may_watch(s, channel))
            unfollow(s, &x->follows[i]);
    }
    for (size_t i = 0; s->with_presence && i < s->part_count; i++) {
        Str name = s->parts[i].sub->name;
        if (may_watch(s, name) && !find_follow(s, name))
            follow(s, name);
    }
}

uint64_t stream_told(const struct stream *s, Str channel)
{
    const struct follow *f = find_follow(s, channel);
    return f ? f->told : 0;
}

void stream_set_told(struct stream *s, Str channel, uint64_t told)
{
    struct follow *f = find_follow(s, channel);
    if (f)
        f->told = told;
}

static bool is_owed(const struct follow *f)
{
    return f->room->version && f->told != f->room->version;
}

bool stream_owes_presence(const struct stream *s)
{
    const struct extras *x = s->extras;
    if (!x || !s->is_greeted || s->is_full)
        return false;
    for (size_t i = 0; i < x->follow_count; i++)
        if (is_owed(&x->follows[i]))
            return true;
    return false;
}

/* It is no heartbeat: that says where the stream is, too. */
static bool write_chunk(struct stream *s, struct chunk *chunk)
{
    uint32_t written = s->written;
    if (!stream_wrote(s, s->ops->presence(s->to, chunk)))
        return false;
    s->written = written;
    return true;
}

bool stream_tell_presence(struct stream *s)
{
    struct extras *x = s->extras;
    for (size_t i = 0; x && i < x->follow_count; i++) {
        struct follow *f = &x->follows[i];
        if (!is_owed(f))
            continue;
        struct chunk *chunk = room_chunk(f->room, f->told);
        f->told = f->room->version;
        if (!write_chunk(s, chunk))
            return false;
    }
    return true;
}

bool roster_on_presence(struct roster *r, Str body)
{
    struct msg_presence m;
    if (!msg_presence_unpack(body, &m))
        return false;
    struct room *w = room_find(&r->rooms, m.channel);
    if (w && !room_apply(w, &m))
        tell_name(r, VERB_WATCH, w->channel);
    return true;
}

void roster_watch_again(struct roster *r)
{
    struct buf names;
    struct room *w;
    buf_init(&names, LIST_MAX);
    for (size_t at = 0; (w = map_next(&r->rooms.by_channel, &at));) {
        list_put(&names, w->channel);
        if (names.len >= LIST_PIECE / 2)
            tell_names(r, VERB_WATCH, &names);
    }
    if (names.len)
        tell_names(r, VERB_WATCH, &names);
    buf_fini(&names);
}

void page_put_here(const struct page *p, struct buf *list)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &p->streams)
    {
        const struct stream *s = CONTAINER_OF(node, struct stream, mates);
        bool is_only = p->streams.next == p->streams.prev;
        for (size_t i = 0; i < s->part_count; i++) {
            Str name = s->parts[i].sub->name;
            if (!is_pattern(name) && (is_only || !list_has(buf_str(list), name)))
                list_put(list, name);
        }
    }
}

void roster_tell_here(struct roster *r, const struct page *p)
{
    struct buf names, body;
    buf_init(&names, LIST_MAX);
    buf_init(&body, LIST_MAX);
    page_put_here(p, &names);
    msg_here_pack(&body, &(struct msg_here){page_name(p), buf_str(&names)});
    buf_fini(&names);
    link_tell(r->link, VERB_HERE, &body);
}
