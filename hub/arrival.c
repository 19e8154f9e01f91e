#include "arrival.h"

#include "account.h"
#include "begin.h"
#include "engine.h"
#include "fanout.h"

#include <stdio.h>
#include <stdlib.h>

struct opening {
    struct finding find; /* first */
    struct begin begin;
    uint64_t link, ref;
    char client[CLIENT_MAX + 1];
    bool known;
    bool comes_back;  /* a named client, from another poll to this one */
    uint64_t seen;    /* ephemeral events at the end of that */
    struct buf names; /* asked for and remembered */
    struct buf parts;
};

static void on_found(struct hub *h, struct op *op);
static struct op_owner owner = {on_found};

static void opening_free(struct opening *o)
{
    buf_fini(&o->names);
    buf_fini(&o->parts);
    begin_fini(&o->begin);
    free(o->find.channels);
    free(o);
}

static void say_opened(struct hub *h, struct peer *p, const struct msg_opened *m)
{
    struct buf body;
    buf_init(&body, BODY_MAX);
    msg_opened_pack(&body, m);
    peer_send(h, p, VERB_OPENED, &body);
}

static void refuse(struct hub *h, struct peer *p, uint64_t ref, const struct fault *why)
{
    say_opened(
        h, p,
        &(struct msg_opened){.ref = ref, .code = (uint8_t)why->code, .detail = str_of(why->text)});
}

static void put_part(struct buf *parts, Str channel)
{
    struct buf item;
    buf_init(&item, BODY_MAX);
    msg_part_pack(&item, &(struct msg_part){.channel = channel});
    list_put(parts, buf_str(&item));
    buf_fini(&item);
}

/* What was asked for, and what is remembered and was not asked for. */
static void gather(struct opening *o, const struct client *c, const struct msg_open *m)
{
    Str asked = m->channels;
    buf_init(&o->names, BODY_MAX);
    buf_init(&o->parts, BODY_MAX);
    Str rest = asked;
    for (Str name; list_next(&rest, &name);)
        put_part(&o->parts, name);
    buf_put(&o->names, asked);
    client_put_parts(c, m->start == START_CURSOR ? m->at.at : UINT64_MAX, &o->parts);
    client_put_names(c, &o->names);
}

/* Ephemeral events between this poll and the one before it, addressed to this client alone. */
static void send_fleeting(struct hub *h, struct peer *p, const struct opening *o)
{
    const struct event *events[FLEETING_GET];
    size_t n = fleeting_get(&h->fleeting, o->seen, str_of(o->client), buf_str(&o->names), events);
    for (size_t i = 0; i < n && peer_has_credit(p); i++) {
        struct event e = *events[i];
        e.flags |= EVENT_MISSED;
        e.to = str_of(o->client);
        struct frame *body = frame_of_event(h, &e);
        peer_send_on_credit(h, p, VERB_EVENT, body);
        frame_unref(body);
    }
}

static void answer(struct hub *h, struct peer *p, struct opening *o, const struct finding *f)
{
    struct begin *b = &o->begin;
    Position join = peer_through(h, p);
    begin_judge(h, b, join, f);
    hub_count(h, COUNT_OPENED);
    if (b->reason != GAP_NONE)
        hub_count(h, COUNT_GAPS);
    say_opened(h, p,
               &(struct msg_opened){
                   .ref = o->ref,
                   .client = str_of(o->client),
                   .known = o->known,
                   .channels = buf_str(&o->parts),
                   .join = hub_cursor(h, join),
                   .from = b->from,
                   .reason = (uint8_t)b->reason,
                   .oldest = b->oldest,
                   .missing = buf_str(&b->missing),
               });
    if (o->comes_back)
        send_fleeting(h, p, o);
}

static void on_found(struct hub *h, struct op *op)
{
    struct opening *o = (struct opening *)(void *)op;
    struct peer *p = peer_by_link(h, o->link);
    if (p && op->why.code)
        refuse(h, p, o->ref, &op->why);
    else if (p)
        answer(h, p, o, &o->find);
    opening_free(o);
}

static struct opening *opening_new(const struct peer *p, const struct msg_open *m,
                                   const struct client *c, bool known)
{
    struct opening *o = must_alloc(sizeof *o);
    o->link = p->link;
    o->ref = m->ref;
    o->known = known && c->part_count; /* one without channels begins as if it came first */
    o->comes_back = c->named && m->poll && c->has_polled;
    o->seen = c->seen;
    snprintf(o->client, sizeof o->client, "%s", c->name);
    gather(o, c, m);
    o->begin = (struct begin){
        .start = m->start, .at = m->at, .value = m->value, .names = buf_str(&o->names)};
    return o;
}

bool arrival_on_message(struct hub *h, struct peer *p, Str body)
{
    struct msg_open m;
    if (!msg_open_unpack(body, &m))
        return false;
    struct fault why = {0};
    if (m.start > START_EARLIEST)
        fail(&why, REFUSE_MALFORMED, "start: %u is not known", m.start);
    bool known = false;
    struct client *c = NULL;
    if (!why.code && account_is_good(h, m.user, &why) &&
        names_are_valid(m.channels, "channel", &why) &&
        hub_admits(h, RATE_CONNECTS, m.user, &why) && client_has_room(h, m.user, &why) &&
        presence_has_room(h, client_find(h, m.client), m.user, m.channels, &why))
        c = client_need(h, m.client, m.user, m.named, &known, &why);
    if (!c) {
        refuse(h, p, m.ref, &why);
        return true;
    }
    struct opening *o = opening_new(p, &m, c, known);
    struct claim *claim = client_claim(h, c, p);
    client_count(h, claim, claim->streams + !m.poll, claim->polls + m.poll);
    if (!peer_subscribe_all(h, p, buf_str(&o->names), &why)) {
        client_close(h, c, p, m.poll);
        refuse(h, p, m.ref, &why);
        opening_free(o);
        return true;
    }
    client_show(c, m.label, m.public);
    presence_enter(h, claim, buf_str(&o->names), h->now.wall);
    if (begin_needs_find(&o->begin)) {
        begin_prepare_find(h, &o->begin, &o->find);
        hub_submit(h, &o->find.op, &owner);
    } else {
        answer(h, p, o, NULL);
        opening_free(o);
    }
    return true;
}

bool arrival_on_close(struct hub *h, struct peer *p, Str body)
{
    struct msg_close m;
    if (!msg_close_unpack(body, &m))
        return false;
    struct client *c = client_find(h, m.client);
    if (c)
        client_close(h, c, p, m.poll);
    return true;
}

bool arrival_on_leave(struct hub *h, struct peer *p, Str body)
{
    struct msg_leave m;
    if (!msg_leave_unpack(body, &m) || !list_is_whole(m.channels))
        return false;
    for (Str name; list_next(&m.channels, &name);)
        peer_unsubscribe(h, p, name);
    return true;
}
