/* Who is told of it: links that watch a room. */
#include "presence_inside.h"

#include "engine.h"

#include <stdlib.h>

static struct watch *find_watch(const struct room *r, const struct peer *p)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->watches)
    {
        struct watch *w = CONTAINER_OF(node, struct watch, of_room);
        if (w->peer == p)
            return w;
    }
    return NULL;
}

static void watch(struct hub *h, struct peer *p, Str name)
{
    struct room *r = presence_need_room(h, name);
    struct watch *w = find_watch(r, p);
    if (!w) {
        w = must_alloc(sizeof *w);
        w->room = r;
        w->peer = p;
        list_append(&r->watches, &w->of_room);
        list_append(&p->watches, &w->of_peer);
    }
    w->is_told = false;
    bool is_known = presence_is_known(h);
    heap_set(&h->presence.due, &r->due, is_known ? h->now.mono : h->presence.quiet_until);
}

/* The room is dropped when it is told next, if nobody is there. */
static void unwatch(struct watch *w)
{
    list_remove(&w->of_room);
    list_remove(&w->of_peer);
    free(w);
}

bool presence_on_watch(struct hub *h, struct peer *p, Str body)
{
    struct msg_watch m;
    if (!msg_watch_unpack(body, &m) || !list_is_whole(m.channels))
        return false;
    for (Str name; list_next(&m.channels, &name);)
        if (map_get(&p->subs, name) && !is_pattern(name))
            watch(h, p, name);
    return true;
}

bool presence_on_unwatch(struct hub *h, struct peer *p, Str body)
{
    struct msg_unwatch m;
    if (!msg_unwatch_unpack(body, &m) || !list_is_whole(m.channels))
        return false;
    for (Str name; list_next(&m.channels, &name);) {
        struct room *r = map_get(&h->presence.rooms, name);
        struct watch *w = r ? find_watch(r, p) : NULL;
        if (!w)
            continue;
        unwatch(w);
        presence_schedule(h, r);
    }
    return true;
}

void presence_unwatch(struct hub *h, struct peer *p)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &p->watches)
    {
        struct watch *w = CONTAINER_OF(node, struct watch, of_peer);
        presence_schedule(h, w->room);
        unwatch(w);
    }
}
