#include "room.h"

#include "wire/people.h"

#include "base/json.h"

#include <stdlib.h>

enum { TEXT_MAX = 16 * 1024 * 1024 };

struct entry {
    struct list node;
    Str key, json;
    char bytes[];
};

void rooms_init(struct rooms *rs)
{
    map_init(&rs->by_channel);
}

void rooms_fini(struct rooms *rs)
{
    map_fini(&rs->by_channel);
}

struct room *room_find(const struct rooms *rs, Str channel)
{
    return map_get(&rs->by_channel, channel);
}

struct room *room_take(struct rooms *rs, Str channel)
{
    struct room *r = room_find(rs, channel);
    if (!r) {
        r = must_alloc(sizeof *r + channel.len);
        memcpy(r->bytes, channel.p, channel.len);
        r->channel = str_make(r->bytes, channel.len);
        list_init(&r->people);
        map_put(&rs->by_channel, r->channel, r);
    }
    r->refs++;
    return r;
}

static void drop(struct entry *e)
{
    if (!e)
        return;
    list_remove(&e->node);
    free(e);
}

static void forget(struct room *r)
{
    while (!list_is_empty(&r->people))
        drop(CONTAINER_OF(r->people.next, struct entry, node));
}

static void forget_chunks(struct room *r)
{
    chunk_unref(r->state);
    chunk_unref(r->change);
    r->state = r->change = NULL;
}

void room_release(struct rooms *rs, struct room *r)
{
    if (--r->refs)
        return;
    map_del(&rs->by_channel, r->channel);
    forget_chunks(r);
    forget(r);
    free(r);
}

static struct entry *find(const struct room *r, Str key)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->people)
    {
        struct entry *e = CONTAINER_OF(node, struct entry, node);
        if (str_eq(e->key, key))
            return e;
    }
    return NULL;
}

static void put(struct room *r, const struct msg_person *p)
{
    struct entry *e = must_alloc(sizeof *e + p->key.len + p->json.len);
    struct entry *old = p->fresh ? NULL : find(r, p->key);
    memcpy(e->bytes, p->key.p, p->key.len);
    memcpy(e->bytes + p->key.len, p->json.p, p->json.len);
    e->key = str_make(e->bytes, p->key.len);
    e->json = str_make(e->bytes + p->key.len, p->json.len);
    list_append(old ? &old->node : &r->people, &e->node);
    drop(old);
}

static struct chunk *take_event(struct buf *json)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    buf_put(&b, STR("event: presence\ndata: "));
    buf_put(&b, buf_str(json));
    buf_put(&b, STR("\n\n"));
    buf_fini(json);
    return chunk_take(&b);
}

static void put_people(struct buf *json, Str came, bool fresh)
{
    bool is_first = true;
    for (Str item; list_next(&came, &item);) {
        struct msg_person p;
        if (!msg_person_unpack(item, &p) || (p.fresh != 0) != fresh)
            continue;
        buf_putz(json, is_first ? "" : ",");
        buf_put(json, p.json);
        is_first = false;
    }
}

static struct chunk *render_change(const struct msg_presence *m)
{
    struct buf json;
    buf_init(&json, TEXT_MAX);
    buf_putz(&json, "{\"channel\":");
    json_put_str(&json, m->channel);
    buf_printf(&json, ",\"version\":%llu,\"count\":%u,\"anonymous\":%u,\"join\":[",
               (unsigned long long)m->version, m->count, m->anonymous);
    put_people(&json, m->came, true);
    buf_putz(&json, "],\"update\":[");
    put_people(&json, m->came, false);
    buf_putz(&json, "],\"leave\":[");
    Str left = m->left;
    bool is_first = true;
    for (Str key; list_next(&left, &key); is_first = false) {
        buf_putz(&json, is_first ? "" : ",");
        person_put_key(&json, key);
    }
    buf_putz(&json, "]}");
    return take_event(&json);
}

static struct chunk *render_state(const struct room *r)
{
    struct buf json, users;
    buf_init(&json, TEXT_MAX);
    buf_init(&users, TEXT_MAX);
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->people)
    {
        buf_putz(&users, users.len ? "," : "");
        buf_put(&users, CONTAINER_OF(node, struct entry, node)->json);
    }
    people_put(&json, &(struct people){r->channel, r->version, r->count, r->anonymous, r->is_crowd,
                                       buf_str(&users)});
    buf_fini(&users);
    return take_event(&json);
}

bool room_apply(struct room *r, const struct msg_presence *m)
{
    struct msg_person p;
    if (!m->whole && m->version != r->version + 1)
        return false;
    forget_chunks(r);
    if (m->whole)
        forget(r);
    r->version = m->version;
    r->is_crowd = m->crowd;
    r->count = m->count;
    r->anonymous = m->anonymous;
    Str left = m->left, came = m->came;
    for (Str key; list_next(&left, &key);)
        drop(find(r, key));
    for (Str item; list_next(&came, &item);)
        if (msg_person_unpack(item, &p) && p.key.len)
            put(r, &p);
    if (!m->whole)
        r->change = render_change(m);
    return true;
}

struct chunk *room_chunk(struct room *r, uint64_t told)
{
    if (told && told + 1 == r->version && r->change)
        return r->change;
    if (!r->state)
        r->state = render_state(r);
    return r->state;
}
