#include "page.h"

#include "wire/names.h"

#include <assert.h>
#include <stdlib.h>

void pages_init(struct pages *ps)
{
    pool_init(&ps->pool);
    map_init(&ps->by_name);
    list_init(&ps->present);
    list_init(&ps->gone);
}

static size_t size_of(const struct page *p)
{
    return offsetof(struct page, text) + p->name_len + p->user_len;
}

static void forget(struct pages *ps, struct page *p)
{
    map_del(&ps->by_name, page_name(p));
    list_remove(&p->node);
    free(p->memory);
    pool_free(&ps->pool, p, size_of(p));
}

void pages_fini(struct pages *ps)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &ps->present)
    forget(ps, CONTAINER_OF(node, struct page, node));
    LIST_EACH(node, safe, &ps->gone)
    forget(ps, CONTAINER_OF(node, struct page, node));
    map_fini(&ps->by_name);
    pool_fini(&ps->pool);
}

struct page *page_find(const struct pages *ps, Str name)
{
    return map_get(&ps->by_name, name);
}

static struct page *make(struct pages *ps, Str name, Str user)
{
    assert(name.len <= CLIENT_MAX && user.len <= USER_MAX);
    struct page *p = pool_alloc(&ps->pool, offsetof(struct page, text) + name.len + user.len);
    memcpy(p->text, name.p, name.len);
    if (user.len)
        memcpy(p->text + name.len, user.p, user.len);
    p->name_len = name.len & 127;
    p->user_len = (uint8_t)user.len;
    list_init(&p->streams);
    list_append(&ps->present, &p->node);
    map_put(&ps->by_name, page_name(p), p);
    return p;
}

struct page *page_enter(struct pages *ps, Str name, Str user, bool is_named, bool poll)
{
    struct page *p = page_find(ps, name);
    bool is_empty = p && !p->live && !p->polls;
    if (is_empty && !str_eq(page_user(p), user)) { /* the hub gave the name to another user since */
        forget(ps, p);
        p = NULL;
    }
    if (!p)
        p = make(ps, name, user);
    free(p->memory);
    p->memory = NULL;
    list_remove(&p->node);
    list_append(&ps->present, &p->node);
    p->is_named |= is_named;
    p->live += !poll;
    p->polls += poll;
    return p;
}

static struct memory *memory_of(Str parts, Msec gone)
{
    struct memory *m = must_alloc(sizeof *m + parts.len);
    m->gone = gone;
    m->len = parts.len;
    if (parts.len)
        memcpy(m->parts, parts.p, parts.len);
    return m;
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
    p->memory = memory_of(parts, now);
    list_remove(&p->node);
    list_append(&ps->gone, &p->node);
}

void page_doubt(struct pages *ps, Str name, Str user, Msec now)
{
    struct page *p = page_find(ps, name);
    if (!p) {
        p = page_enter(ps, name, user, true, false);
        page_leave(ps, p, false, STR_NONE, now);
    }
    p->is_unsure = true;
}

void pages_expire(struct pages *ps, Msec now, Msec keep)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &ps->gone)
    {
        struct page *p = CONTAINER_OF(node, struct page, node);
        if (now - p->memory->gone < keep)
            return;
        forget(ps, p);
    }
}

static void rewind_parts(struct page *p, Position fork)
{
    struct buf parts, packed;
    struct memory *m = p->memory;
    Str list = str_make(m->parts, m->len);
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
    p->memory = memory_of(buf_str(&parts), m->gone);
    buf_fini(&parts);
    free(m);
}

void pages_rewind(struct pages *ps, Position fork)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &ps->gone)
    rewind_parts(CONTAINER_OF(node, struct page, node), fork);
}
