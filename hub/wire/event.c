#include "wire/event.h"

#include "wire/bytes.h"

#include <assert.h>
#include <stdlib.h>

static size_t text_size(const struct event *e)
{
    return e->channel.len + e->name.len + e->user.len + e->exclude.len + e->to.len + e->data.len;
}

static void own(Str *s, char **room)
{
    char *p = *room;
    if (s->len)
        memcpy(p, s->p, s->len);
    *room = p + s->len;
    s->p = p;
}

struct event *event_new(const struct event *model)
{
    struct event *e = must_room(sizeof *e + text_size(model));
    char *room = (char *)(e + 1);
    *e = *model;
    e->refs = 1;
    own(&e->channel, &room);
    own(&e->name, &room);
    own(&e->user, &room);
    own(&e->exclude, &room);
    own(&e->to, &room);
    own(&e->data, &room);
    return e;
}

struct event *event_ref(struct event *e)
{
    assert(e->refs > 0);
    e->refs++;
    return e;
}

void event_unref(struct event *e)
{
    if (!e)
        return;
    assert(e->refs > 0);
    if (--e->refs == 0)
        free(e);
}

size_t event_size(const struct event *e)
{
    return sizeof *e + text_size(e);
}

bool event_pack(struct buf *out, const struct event *e)
{
    size_t start = out->len;
    if (put_u8(out, e->flags) && put_cur(out, e->id) && put_u64(out, e->prev) &&
        put_u64(out, e->time) && put_u64(out, e->expires) && put_str(out, e->channel) &&
        put_str(out, e->name) && put_str(out, e->user) && put_str(out, e->exclude) &&
        put_str(out, e->to) && put_str(out, e->data))
        return true;
    out->len = start;
    return false;
}

bool event_unpack(Str body, struct event *out)
{
    *out = (struct event){0};
    return take_u8(&body, &out->flags) && take_cur(&body, &out->id) &&
           take_u64(&body, &out->prev) && take_u64(&body, &out->time) &&
           take_u64(&body, &out->expires) && take_str(&body, &out->channel) &&
           take_str(&body, &out->name) && take_str(&body, &out->user) &&
           take_str(&body, &out->exclude) && take_str(&body, &out->to) &&
           take_str(&body, &out->data);
}
