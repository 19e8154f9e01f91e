#include "typing.h"

#include "base/json.h"
#include "engine.h"
#include "fanout.h"

#include <stdlib.h>

enum { AGAIN_MS = 3000, OVER_MS = 6000, MOST = 65536 };

struct typist {
    struct list order;
    struct event *event; /* as it came */
    Msec said, until;
    bool is_on;
    Str key;
    char bytes[];
};

void typing_init(struct typing *t)
{
    map_init(&t->by_key);
    list_init(&t->order);
}

static void drop(struct typing *t, struct typist *w)
{
    map_del(&t->by_key, w->key);
    list_remove(&w->order);
    event_unref(w->event);
    free(w);
}

void typing_fini(struct typing *t)
{
    while (!list_is_empty(&t->order))
        drop(t, CONTAINER_OF(t->order.next, struct typist, order));
    map_fini(&t->by_key);
}

/* Those who have no user are told apart by the client that they exclude. */
static void put_key(struct buf *key, const struct event *e)
{
    list_put(key, e->channel);
    list_put(key, e->to);
    list_put(key, e->user);
    list_put(key, e->user.len ? STR_NONE : e->exclude);
}

static struct typist *make(struct typing *t, Str key)
{
    struct typist *w = must_alloc(sizeof *w + key.len);
    memcpy(w->bytes, key.p, key.len);
    w->key = str_make(w->bytes, key.len);
    map_put(&t->by_key, w->key, w);
    return w;
}

static bool put_name(struct buf *out, Str name)
{
    return name.len ? json_put_str(out, name) : buf_putz(out, "null");
}

static void say(struct hub *h, const struct event *from, bool is_typing)
{
    struct buf data;
    struct event e = *from;
    buf_init(&data, BODY_MAX);
    buf_putz(&data, "{\"channel\":");
    put_name(&data, e.channel);
    buf_putz(&data, ",\"user\":");
    put_name(&data, e.user);
    buf_printf(&data, ",\"typing\":%s}", is_typing ? "true" : "false");
    e.flags |= EVENT_JSON;
    e.time = h->now.wall;
    e.data = buf_str(&data);
    struct event *made = event_new(&e);
    fan_out_ephemeral(h, made);
    event_unref(made);
    buf_fini(&data);
}

static void begin(struct hub *h, Str key, const struct event *e)
{
    struct typing *t = &h->typing;
    struct typist *w = map_get(&t->by_key, key);
    if (!w && t->by_key.len >= MOST) {
        hub_count(h, COUNT_SKIPPED);
        return;
    }
    if (!w)
        w = make(t, key);
    event_unref(w->event);
    w->event = event_new(e);
    w->until = h->now.mono + OVER_MS;
    list_remove(&w->order);
    list_append(&t->order, &w->order);
    if (w->said && h->now.mono < w->said + AGAIN_MS)
        return;
    w->said = h->now.mono;
    w->is_on = true;
    say(h, e, true);
}

/* Remembered until its time is out, so that nobody begins and ends all the time. */
static void end(struct hub *h, struct typist *w)
{
    if (w->is_on)
        say(h, w->event, false);
    w->is_on = false;
}

bool typing_takes(struct hub *h, const struct event *e)
{
    struct buf key;
    if (!str_eq(e->name, STR("typing")))
        return false;
    buf_init(&key, BODY_MAX);
    put_key(&key, e);
    struct typist *w = map_get(&h->typing.by_key, buf_str(&key));
    if (!str_eq(e->data, STR("false")))
        begin(h, buf_str(&key), e);
    else if (w)
        end(h, w);
    buf_fini(&key);
    return true;
}

void typing_expire(struct hub *h)
{
    while (!list_is_empty(&h->typing.order)) {
        struct typist *w = CONTAINER_OF(h->typing.order.next, struct typist, order);
        if (w->until > h->now.mono)
            return;
        end(h, w);
        drop(&h->typing, w);
    }
}
