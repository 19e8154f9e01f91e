#include "pass.h"

#include "base/buf.h"
#include "wire/message.h"

#include <assert.h>
#include <stdlib.h>

enum { ANSWERS_MAX = 4096 };

struct verdict_on {
    bool is_allowed;
    Str channel;
    char name[];
};

void passes_init(struct passes *ps)
{
    map_init(&ps->by_key);
}

void passes_fini(struct passes *ps)
{
    size_t at = 0;
    assert(!map_next(&ps->by_key, &at));
    map_fini(&ps->by_key);
}

/* The rules and the default are the options', the same for all. */
static void put_key(struct buf *key, const struct rights *r)
{
    buf_printf(key, "%d%d", (int)r->access, r->user.len > 0);
    list_put(key, r->for_all);
    list_put(key, r->grants.subscribe);
    list_put(key, r->grants.publish);
    list_put(key, r->grants.presence);
}

static Str copy(struct buf *room, Str s)
{
    Str copied = str_make(room->p + room->len, s.len);
    buf_put(room, s);
    return copied;
}

static struct pass *make(struct passes *ps, const struct rights *r, Str key)
{
    const struct grants *g = &r->grants;
    size_t bytes = key.len + g->subscribe.len + g->publish.len + g->presence.len;
    struct pass *p = must_alloc(sizeof *p + bytes);
    struct buf room = {.p = (char *)(p + 1), .cap = bytes + 1, .max = bytes};
    p->passes = ps;
    p->is_user = r->user.len > 0;
    p->rights = *r;
    p->rights.user = STR_NONE;
    p->key = copy(&room, key);
    p->rights.grants = (struct grants){copy(&room, g->subscribe), copy(&room, g->publish),
                                       copy(&room, g->presence)};
    map_init(&p->answers);
    map_put(&ps->by_key, p->key, p);
    return p;
}

struct pass *pass_take(struct passes *ps, const struct rights *rights)
{
    struct buf key;
    buf_init(&key, SIZE_MAX / 2);
    put_key(&key, rights);
    struct pass *p = map_get(&ps->by_key, buf_str(&key));
    if (!p)
        p = make(ps, rights, buf_str(&key));
    buf_fini(&key);
    return pass_ref(p);
}

struct pass *pass_ref(struct pass *p)
{
    p->refs++;
    return p;
}

static void forget(struct pass *p)
{
    struct verdict_on *v;
    for (size_t at = 0; (v = map_next(&p->answers, &at));) {
        map_del(&p->answers, v->channel);
        free(v);
    }
}

void pass_unref(struct pass *p)
{
    if (!p || --p->refs)
        return;
    forget(p);
    map_fini(&p->answers);
    map_del(&p->passes->by_key, p->key);
    free(p);
}

static bool ask(struct pass *p, Str channel)
{
    if (p->answers.len >= ANSWERS_MAX)
        forget(p);
    struct verdict_on *v = must_alloc(sizeof *v + channel.len);
    memcpy(v->name, channel.p, channel.len);
    v->channel = str_make(v->name, channel.len);
    v->is_allowed = may_by_rule(&p->rights, p->is_user, MAY_SUBSCRIBE, channel);
    map_put(&p->answers, v->channel, v);
    return v->is_allowed;
}

bool pass_may_read(struct pass *p, Str user, Str channel)
{
    if (is_own_channel(user, channel))
        return true;
    if (!channel.len)
        return false;
    const struct verdict_on *v = map_get(&p->answers, channel);
    return v ? v->is_allowed : ask(p, channel);
}
