#include "seen.h"

#include "engine.h"

#include <stdlib.h>

enum { TOGETHER = 500 }; /* so many at once: what they go along with is not to wait for them */

struct sighting {
    struct list order, waiting;
    Msec time;
    Str user;
    char bytes[];
};

static void on_done(struct hub *h, struct op *op);
static struct op_owner owner = {on_done};

void seen_init(struct seen *s)
{
    *s = (struct seen){0};
    map_init(&s->by_user);
    list_init(&s->order);
    list_init(&s->waiting);
    buf_init(&s->gone, BODY_MAX);
}

static void forget(struct seen *s, struct sighting *one)
{
    map_del(&s->by_user, one->user);
    list_remove(&one->order);
    list_remove(&one->waiting);
    free(one);
}

void seen_fini(struct seen *s)
{
    struct sighting *one;
    for (size_t at = 0; (one = map_next(&s->by_user, &at));)
        forget(s, one);
    map_fini(&s->by_user);
    buf_fini(&s->gone);
}

static struct sighting *need(struct seen *s, Str user)
{
    struct sighting *one = map_get(&s->by_user, user);
    if (!one) {
        one = must_alloc(sizeof *one + user.len);
        memcpy(one->bytes, user.p, user.len);
        one->user = str_make(one->bytes, user.len);
        list_init(&one->order);
        list_init(&one->waiting);
        map_put(&s->by_user, one->user, one);
    }
    return one;
}

static void set(struct seen *s, Str user, Msec time)
{
    struct sighting *one = need(s, user);
    one->time = time;
    list_remove(&one->order);
    list_append(&s->order, &one->order);
}

static void wait(struct seen *s, struct sighting *one)
{
    list_remove(&one->waiting);
    list_append(&s->waiting, &one->waiting);
}

static void put_gone(struct seen *s, Str user)
{
    account_put(&s->gone, &(struct msg_account){.kind = ACCOUNT_SEEN, .user = user, .gone = 1});
}

static void drop_old(struct hub *h)
{
    struct seen *s = &h->seen;
    while (!list_is_empty(&s->order)) {
        struct sighting *first = CONTAINER_OF(s->order.next, struct sighting, order);
        if (s->by_user.len <= h->o->max_accounts && first->time + h->o->token_life >= h->now.wall)
            return;
        put_gone(s, first->user);
        forget(s, first);
    }
}

void seen_start(struct hub *h, Str rows)
{
    for (Str item; list_next(&rows, &item);) {
        struct msg_account m;
        if (msg_account_unpack(item, &m) && m.kind == ACCOUNT_SEEN && account_is_valid(&m, NULL))
            set(&h->seen, m.user, m.value);
    }
    drop_old(h);
}

void seen_note(struct hub *h, Str user)
{
    set(&h->seen, user, h->now.wall);
    wait(&h->seen, map_get(&h->seen.by_user, user));
    drop_old(h);
}

void seen_take(struct hub *h, Str rows)
{
    for (Str item; list_next(&rows, &item);) {
        struct msg_account m;
        if (!msg_account_unpack(item, &m) || m.kind != ACCOUNT_SEEN || !m.gone)
            continue;
        struct sighting *one = map_get(&h->seen.by_user, m.user);
        if (one)
            forget(&h->seen, one);
    }
}

/* ---- writing ---- */

static void submit(struct hub *h, size_t most)
{
    struct seen *s = &h->seen;
    struct account_op *o = must_alloc(sizeof *o);
    o->op.kind = OP_ACCOUNT;
    o->rows = s->gone;
    buf_init(&s->gone, BODY_MAX);
    for (size_t n = 0; n < most && !list_is_empty(&s->waiting); n++) {
        struct sighting *one = CONTAINER_OF(s->waiting.next, struct sighting, waiting);
        list_remove(&one->waiting);
        account_put(&o->rows, &(struct msg_account){.kind = ACCOUNT_SEEN,
                                                    .user = one->user,
                                                    .value = one->time,
                                                    .time = one->time});
    }
    s->is_writing = true;
    hub_submit(h, &o->op, &owner);
}

/* What was not written waits again, if it is still so. */
static void take_back(struct seen *s, Str rows)
{
    for (Str item; list_next(&rows, &item);) {
        struct msg_account m;
        if (!msg_account_unpack(item, &m))
            continue;
        struct sighting *one = map_get(&s->by_user, m.user);
        if (one)
            wait(s, one);
        else if (m.gone)
            put_gone(s, m.user);
    }
}

static void on_done(struct hub *h, struct op *op)
{
    struct account_op *o = (struct account_op *)(void *)op;
    h->seen.is_writing = false;
    if (op->why.code)
        take_back(&h->seen, buf_str(&o->rows));
    buf_fini(&o->rows);
    free(o);
}

static bool has_some(const struct seen *s)
{
    return s->gone.len || !list_is_empty(&s->waiting);
}

void seen_go_along(struct hub *h)
{
    if (!h->seen.is_writing && has_some(&h->seen))
        submit(h, TOGETHER);
}

void seen_stop(struct hub *h)
{
    struct client *c;
    for (size_t at = 0; (c = map_next(&h->clients.by_name, &at));)
        if (c->user[0] && !list_is_empty(&c->claims))
            seen_note(h, str_of(c->user));
    if (has_some(&h->seen))
        submit(h, SIZE_MAX);
}

Msec seen_at(const struct hub *h, Str user)
{
    const struct sighting *one = map_get(&h->seen.by_user, user);
    return one ? one->time : 0;
}

const Str *seen_next(const struct hub *h, size_t *at)
{
    const struct sighting *one = map_next(&h->seen.by_user, at);
    return one ? &one->user : NULL;
}
