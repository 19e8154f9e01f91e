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
    return s->with_presence && !is_pattern(name) && !is_own_channel(s->user, name) &&
           !is_for_all(s->pass->rights.for_all, name) &&
           may_by_rule(&s->pass->rights, s->user.len > 0, MAY_PRESENCE, name);
}

void roster_unwatch(struct roster *r, struct room *w)
{
    if (w && w->refs == 1)
        tell_name(r, VERB_UNWATCH, w->channel);
    if (w)
        room_release(&r->rooms, w);
}

void stream_watch(struct stream *s)
{
    struct roster *r = s->roster;
    for (size_t i = 0; i < s->part_count; i++) {
        struct part *part = &s->parts[i];
        bool may = may_watch(s, part->sub->name);
        if (may && !part->room) {
            part->room = room_take(&r->rooms, part->sub->name);
            if (part->room->refs == 1)
                tell_name(r, VERB_WATCH, part->sub->name);
        } else if (!may && part->room) {
            roster_unwatch(r, part->room);
            part->room = NULL;
            part->told = 0;
        }
    }
}

static bool is_owed(const struct part *part)
{
    return part->room && part->room->version && part->told != part->room->version;
}

bool stream_owes_presence(const struct stream *s)
{
    if (!s->with_presence || !s->is_greeted || s->is_full)
        return false;
    for (size_t i = 0; i < s->part_count; i++)
        if (is_owed(&s->parts[i]))
            return true;
    return false;
}

/* It is no heartbeat: that says where the stream is, too. */
static bool write_chunk(struct stream *s, struct chunk *chunk)
{
    Msec written = s->written;
    bool has_room = stream_wrote(s, s->sink->ops->presence(s->sink, chunk));
    s->written = written;
    return has_room;
}

bool stream_tell_presence(struct stream *s)
{
    for (size_t i = 0; s->with_presence && i < s->part_count; i++) {
        struct part *part = &s->parts[i];
        if (!is_owed(part))
            continue;
        struct chunk *chunk = room_chunk(part->room, part->told);
        part->told = part->room->version;
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
    msg_here_pack(&body, &(struct msg_here){p->name, buf_str(&names)});
    buf_fini(&names);
    link_tell(r->link, VERB_HERE, &body);
}
