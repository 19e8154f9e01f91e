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

enum { LISTS = 12 };

static void lists_of(struct rights *r, Str *lists[LISTS])
{
    struct grants *const from[] = {&r->grants, &r->stored, &r->shared, &r->asked};
    for (size_t i = 0; i < COUNT_OF(from); i++) {
        *lists++ = &from[i]->subscribe;
        *lists++ = &from[i]->publish;
        *lists++ = &from[i]->presence;
    }
}

/* The rules and the default are the options', the same for all. */
static void put_key(struct buf *key, struct rights r)
{
    Str *lists[LISTS];
    lists_of(&r, lists);
    buf_printf(key, "%d%d", (int)r.access, r.user.len > 0);
    list_put(key, r.for_all);
    for (size_t i = 0; i < LISTS; i++)
        list_put(key, *lists[i]);
}

/* The key has all of its lists. */
static struct pass *make(struct passes *ps, const struct rights *r, Str key)
{
    struct pass *p = must_alloc(sizeof *p + key.len);
    char *bytes = (char *)(p + 1);
    Str *lists[LISTS];
    memcpy(bytes, key.p, key.len);
    p->passes = ps;
    p->is_user = r->user.len > 0;
    p->rights = *r;
    p->rights.user = STR_NONE;
    p->rights.wishes = NULL;
    p->key = str_make(bytes, key.len);
    lists_of(&p->rights, lists);
    Str rest = str_skip(p->key, 2), for_all;
    list_next(&rest, &for_all);
    for (size_t i = 0; i < LISTS; i++)
        list_next(&rest, lists[i]);
    map_init(&p->answers);
    map_put(&ps->by_key, p->key, p);
    return p;
}

struct pass *pass_take(struct passes *ps, const struct rights *rights)
{
    struct buf key;
    buf_init(&key, SIZE_MAX / 2);
    put_key(&key, *rights);
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
