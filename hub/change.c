#include "change.h"

#include "begin.h"
#include "engine.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATIENCE_MS = 5000, YOUNG_MS = 10000 };

struct change {
    struct finding find; /* first */
    struct begin begin;
    uint64_t ref;              /* ours, in ADD */
    uint64_t asker, asked_ref; /* link and ref of CHANGE */
    uint64_t carrier;          /* the link that was sent ADD */
    Msec until;
    char client[CLIENT_MAX + 1];
    struct buf add, remove, grants, token, asked;
    Msec expires, issued; /* with grants */
    Msec asked_until;
};

static void on_found(struct hub *h, struct op *op);
static struct op_owner owner = {on_found};

void changes_init(struct changes *c)
{
    map_init(&c->by_ref);
}

static Str key_of(const uint64_t *ref)
{
    return str_make((const char *)ref, sizeof *ref);
}

static void change_free(struct change *c)
{
    begin_fini(&c->begin);
    buf_fini(&c->add);
    buf_fini(&c->remove);
    buf_fini(&c->grants);
    buf_fini(&c->token);
    buf_fini(&c->asked);
    free(c->find.channels);
    free(c);
}

void changes_fini(struct hub *h)
{
    struct change *c;
    for (size_t at = 0; (c = map_next(&h->changes.by_ref, &at));)
        change_free(c);
    map_fini(&h->changes.by_ref);
}

static void say_changed(struct hub *h, uint64_t link, const struct msg_changed *m)
{
    struct peer *p = peer_by_link(h, link);
    if (!p)
        return;
    struct buf body;
    buf_init(&body, BODY_MAX);
    msg_changed_pack(&body, m);
    peer_send(h, p, VERB_CHANGED, &body);
}

static void refuse(struct hub *h, uint64_t link, uint64_t ref, int code, const char *detail)
{
    say_changed(h, link,
                &(struct msg_changed){.ref = ref, .code = (uint8_t)code, .detail = str_of(detail)});
}

static void remember(struct hub *h, const struct change *c, Position from)
{
    struct client *client = client_find(h, str_of(c->client));
    if (!client)
        return;
    Str rest = buf_str(&c->remove);
    for (Str name; list_next(&rest, &name);)
        client_remove_part(client, name);
    rest = buf_str(&c->add);
    for (Str name; list_next(&rest, &name);)
        client_add_part(h, client, name, from, false);
}

/* Between two polls nobody but the hub knows the client. */
static void change_here(struct hub *h, struct change *c, const struct client *client)
{
    remember(h, c, c->begin.from.at);
    struct buf names;
    buf_init(&names, BODY_MAX);
    client_put_names(client, &names);
    say_changed(h, c->asker,
                &(struct msg_changed){
                    .ref = c->asked_ref, .channels = buf_str(&names), .at = c->begin.from});
    buf_fini(&names);
    change_free(c);
}

static void say_add(struct hub *h, struct peer *p, const struct change *c,
                    const struct client *client, Position join)
{
    struct buf body;
    buf_init(&body, BODY_MAX);
    msg_add_pack(&body, &(struct msg_add){
                            .ref = c->ref,
                            .client = client_name(client),
                            .user = str_of(client->user),
                            .add = buf_str(&c->add),
                            .remove = buf_str(&c->remove),
                            .start = c->begin.start,
                            .join = hub_cursor(h, join),
                            .from = c->begin.from,
                            .reason = (uint8_t)c->begin.reason,
                            .oldest = c->begin.oldest,
                            .missing = buf_str(&c->begin.missing),
                            .grants = buf_str(&c->grants),
                            .expires = c->expires,
                            .token = buf_str(&c->token),
                            .issued = c->issued,
                            .asked = buf_str(&c->asked),
                            .asked_until = c->asked_until,
                        });
    peer_send(h, p, VERB_ADD, &body);
}

static void hand_to(struct hub *h, struct peer *p, struct change *c, const struct client *client)
{
    struct fault why;
    if (!peer_subscribe_all(h, p, buf_str(&c->add), &why)) {
        map_del(&h->changes.by_ref, key_of(&c->ref));
        refuse(h, c->asker, c->asked_ref, why.code, why.text);
        change_free(c);
        return;
    }
    c->carrier = p->link;
    say_add(h, p, c, client, peer_through(h, p));
}

/* By a worker that has not said so yet: what it has of the client would not change. */
static bool may_be_carried(const struct hub *h, const struct client *client)
{
    return client->away || (!client->has_polled && h->now.mono < h->started + YOUNG_MS);
}

/* Where it begins is known (or found in the log): on to whoever carries the client. */
static void carry_on(struct hub *h, struct change *c, const struct finding *f)
{
    const struct client *client = client_find(h, str_of(c->client));
    struct peer *p = client ? client_peer(client) : NULL;
    if (!client) {
        refuse(h, c->asker, c->asked_ref, REFUSE_NOT_FOUND, "clientId: not known");
        change_free(c);
        return;
    }
    if (!p && may_be_carried(h, client)) {
        refuse(h, c->asker, c->asked_ref, REFUSE_HUB_AWAY, "clientId: its worker is away");
        change_free(c);
        return;
    }
    Position join = p ? peer_through(h, p) : h->through;
    begin_judge(h, &c->begin, join, f);
    if (!p) {
        change_here(h, c, client);
        return;
    }
    c->ref = ++h->next_ref;
    c->until = h->now.mono + PATIENCE_MS;
    map_put(&h->changes.by_ref, key_of(&c->ref), c);
    hand_to(h, p, c, client);
}

static void on_found(struct hub *h, struct op *op)
{
    struct change *c = (struct change *)(void *)op;
    if (op->why.code) {
        refuse(h, c->asker, c->asked_ref, op->why.code, op->why.text);
        change_free(c);
        return;
    }
    carry_on(h, c, &c->find);
}

static struct change *change_new(const struct peer *p, const struct msg_change *m,
                                 const struct client *client)
{
    struct change *c = must_alloc(sizeof *c);
    c->asker = p->link;
    c->asked_ref = m->ref;
    snprintf(c->client, sizeof c->client, "%s", client->name);
    buf_init(&c->add, BODY_MAX);
    buf_init(&c->remove, BODY_MAX);
    buf_init(&c->grants, BODY_MAX);
    buf_init(&c->token, BODY_MAX);
    buf_put(&c->token, m->token);
    buf_init(&c->asked, BODY_MAX);
    buf_put(&c->asked, m->asked);
    c->asked_until = m->asked_until;
    c->issued = m->issued;
    buf_put(&c->add, m->add);
    buf_put(&c->remove, m->remove);
    buf_put(&c->grants, m->grants);
    c->expires = m->expires;
    c->begin = (struct begin){
        .start = m->start, .at = m->at, .value = m->value, .names = buf_str(&c->add)};
    return c;
}

static bool is_allowed(const struct client *client, const struct msg_change *m, struct fault *why)
{
    if (m->start > START_EARLIEST)
        return fail(why, REFUSE_MALFORMED, "start: %u is not known", m->start);
    if (!names_are_valid(m->add, "channel", why) || !names_are_valid(m->remove, "channel", why))
        return false;
    if (!client)
        return fail(why, REFUSE_NOT_FOUND, "clientId: not known");
    return str_eq(str_of(client->user), m->user) ||
           fail(why, REFUSE_FORBIDDEN, "clientId: another user's");
}

bool change_on_message(struct hub *h, struct peer *p, Str body)
{
    struct msg_change m;
    if (!msg_change_unpack(body, &m))
        return false;
    const struct client *client = client_find(h, m.client);
    struct fault why = {0};
    if (!hub_admits(h, RATE_SUBSCRIBES, m.user, &why) || !is_allowed(client, &m, &why) ||
        !presence_has_room(h, client, m.user, m.add, &why)) {
        refuse(h, p->link, m.ref, why.code, why.text);
        return true;
    }
    assert(client);
    struct change *c = change_new(p, &m, client);
    if (begin_needs_find(&c->begin)) {
        begin_prepare_find(h, &c->begin, &c->find);
        hub_submit(h, &c->find.op, &owner);
    } else {
        carry_on(h, c, NULL);
    }
    return true;
}

bool change_on_added(struct hub *h, struct peer *p, Str body)
{
    struct msg_added m;
    if (!msg_added_unpack(body, &m))
        return false;
    struct change *c = map_get(&h->changes.by_ref, key_of(&m.ref));
    if (!c || c->carrier != p->link)
        return true;
    map_del(&h->changes.by_ref, key_of(&m.ref));
    if (m.code == REFUSE_NOT)
        remember(h, c, m.at.at);
    say_changed(h, c->asker,
                &(struct msg_changed){.ref = c->asked_ref,
                                      .code = m.code,
                                      .detail = m.detail,
                                      .channels = m.channels,
                                      .at = m.at});
    change_free(c);
    return true;
}

static void give_up(struct hub *h, struct change *c)
{
    map_del(&h->changes.by_ref, key_of(&c->ref));
    refuse(h, c->asker, c->asked_ref, REFUSE_HUB_AWAY, "the worker of this client does not answer");
    change_free(c);
}

/* The link that was asked carries the client no more; another one may. */
static void ask_again(struct hub *h, struct change *c)
{
    const struct client *client = client_find(h, str_of(c->client));
    struct peer *p = client ? client_peer(client) : NULL;
    if (p)
        hand_to(h, p, c, client);
    else
        give_up(h, c);
}

void changes_leave(struct hub *h, uint64_t link)
{
    struct change *c;
    for (size_t at = 0; (c = map_next(&h->changes.by_ref, &at));)
        if (c->carrier == link)
            ask_again(h, c);
}

void changes_expire(struct hub *h)
{
    struct change *c;
    for (size_t at = 0; (c = map_next(&h->changes.by_ref, &at));)
        if (c->until <= h->now.mono)
            give_up(h, c);
}
