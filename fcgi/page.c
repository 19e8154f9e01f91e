#include "page.h"

#include <assert.h>
#include <stdlib.h>

void pages_init(struct pages *ps)
{
    map_init(&ps->by_name);
    list_init(&ps->present);
    list_init(&ps->gone);
}

static void forget(struct pages *ps, struct page *p)
{
    map_del(&ps->by_name, p->name);
    list_remove(&p->node);
    buf_fini(&p->parts);
    free(p);
}

void pages_fini(struct pages *ps)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &ps->present)
    forget(ps, CONTAINER_OF(node, struct page, node));
    LIST_EACH(node, safe, &ps->gone)
    forget(ps, CONTAINER_OF(node, struct page, node));
    map_fini(&ps->by_name);
}

struct page *page_find(const struct pages *ps, Str name)
{
    return map_get(&ps->by_name, name);
}

static struct page *make(struct pages *ps, Str name, Str user)
{
    struct page *p = must_alloc(sizeof *p + name.len + user.len);
    char *text = (char *)(p + 1);
    memcpy(text, name.p, name.len);
    if (user.len)
        memcpy(text + name.len, user.p, user.len);
    p->name = str_make(text, name.len);
    p->user = str_make(text + name.len, user.len);
    list_init(&p->streams);
    buf_init(&p->parts, SIZE_MAX / 2);
    list_append(&ps->present, &p->node);
    map_put(&ps->by_name, p->name, p);
    return p;
}

struct page *page_enter(struct pages *ps, Str name, Str user, bool is_named, bool poll)
{
    struct page *p = page_find(ps, name);
    bool is_empty = p && !p->live && !p->polls;
    if (is_empty && !str_eq(p->user, user)) { /* the hub gave the name to another user since */
        forget(ps, p);
        p = NULL;
    }
    if (!p)
        p = make(ps, name, user);
    list_remove(&p->node);
    list_append(&ps->present, &p->node);
    p->is_named |= is_named;
    p->live += !poll;
    p->polls += poll;
    return p;
}

void page_leave(struct pages *ps, struct page *p, bool poll, Str parts, Msec now)
{
    assert(poll ? p->polls : p->live);
    p->live -= !poll;
    p->polls -= poll;
    if (p->live || p->polls)
        return;
    if (!p->is_named) {
        forget(ps, p);
        return;
    }
    p->gone = now;
    buf_clear(&p->parts);
    buf_put(&p->parts, parts);
    list_remove(&p->node);
    list_append(&ps->gone, &p->node);
}

void pages_expire(struct pages *ps, Msec now, Msec keep)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &ps->gone)
    {
        struct page *p = CONTAINER_OF(node, struct page, node);
        if (now - p->gone < keep)
            return;
        forget(ps, p);
    }
}

static void rewind_parts(struct page *p, Position fork)
{
    struct buf parts, packed;
    Str list = buf_str(&p->parts);
    buf_init(&parts, SIZE_MAX / 2);
    buf_init(&packed, SIZE_MAX / 2);
    for (Str item; list_next(&list, &item);) {
        struct msg_part part;
        if (!msg_part_unpack(item, &part))
            continue;
        part.from = part.from < fork ? part.from : fork;
        buf_clear(&packed);
        msg_part_pack(&packed, &part);
        list_put(&parts, buf_str(&packed));
    }
    buf_fini(&packed);
    buf_fini(&p->parts);
    p->parts = parts;
}

void pages_rewind(struct pages *ps, Position fork)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &ps->gone)
    rewind_parts(CONTAINER_OF(node, struct page, node), fork);
}
