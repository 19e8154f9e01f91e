#include "ticket.h"

#include "engine.h"

#include <stdlib.h>

struct ticket_user {
    size_t n;
    Str name;
    char bytes[];
};

struct ticket {
    struct list node;
    Msec until;
    struct ticket_user *user;
    struct msg_ticket is; /* its strings lie behind */
    char bytes[];
};

void tickets_init(struct tickets *t)
{
    map_init(&t->by_digest);
    map_init(&t->by_user);
    list_init(&t->order);
}

static void forget(struct tickets *t, struct ticket *ticket)
{
    struct ticket_user *u = ticket->user;
    map_del(&t->by_digest, ticket->is.digest);
    list_remove(&ticket->node);
    free(ticket);
    if (--u->n)
        return;
    map_del(&t->by_user, u->name);
    free(u);
}

void tickets_fini(struct tickets *t)
{
    while (!list_is_empty(&t->order))
        forget(t, CONTAINER_OF(t->order.next, struct ticket, node));
    map_fini(&t->by_digest);
    map_fini(&t->by_user);
}

void tickets_expire(struct hub *h)
{
    struct tickets *t = &h->tickets;
    while (!list_is_empty(&t->order)) {
        struct ticket *oldest = CONTAINER_OF(t->order.next, struct ticket, node);
        if (oldest->until > h->now.mono)
            return;
        forget(t, oldest);
    }
}

static struct ticket_user *need_user(struct tickets *t, Str name)
{
    struct ticket_user *u = map_get(&t->by_user, name);
    if (u)
        return u;
    u = must_alloc(sizeof *u + name.len);
    memcpy(u->bytes, name.p, name.len);
    u->name = str_make(u->bytes, name.len);
    map_put(&t->by_user, u->name, u);
    return u;
}

static void keep(struct hub *h, Str body, const struct msg_ticket *m)
{
    struct tickets *t = &h->tickets;
    struct ticket *ticket = must_alloc(sizeof *ticket + body.len);
    memcpy(ticket->bytes, body.p, body.len);
    if (!msg_ticket_unpack(str_make(ticket->bytes, body.len), &ticket->is)) {
        free(ticket); /* never: it was read before */
        return;
    }
    ticket->until = h->now.mono + TICKET_MS;
    ticket->user = need_user(t, m->user);
    ticket->user->n++;
    list_append(&t->order, &ticket->node);
    map_put(&t->by_digest, ticket->is.digest, ticket);
}

/* Said again because the link broke before the answer came. */
static bool is_kept(const struct tickets *t, const struct msg_ticket *m)
{
    const struct ticket *ticket = map_get(&t->by_digest, m->digest);
    return ticket && str_eq(ticket->is.user, m->user);
}

static bool has_room(const struct tickets *t, const struct msg_ticket *m, struct fault *why)
{
    const struct ticket_user *u = map_get(&t->by_user, m->user);
    if (!user_is_valid(m->user, "user", why))
        return false;
    if (!m->digest.len || map_get(&t->by_digest, m->digest))
        return fail(why, REFUSE_CONFLICT, "ticket: is none that is new");
    if (u && u->n >= TICKETS_OWN)
        return fail(why, REFUSE_LIMIT, "ticket: %d of this user were not used yet", TICKETS_OWN);
    return t->by_digest.len < TICKETS_MAX ||
           fail(why, REFUSE_LIMIT, "ticket: %d were not used yet", TICKETS_MAX);
}

bool ticket_on_message(struct hub *h, struct peer *p, Str body)
{
    struct msg_ticket m;
    struct fault why = {0};
    struct buf answer;
    if (!msg_ticket_unpack(body, &m))
        return false;
    if (!is_kept(&h->tickets, &m) && has_room(&h->tickets, &m, &why))
        keep(h, body, &m);
    buf_init(&answer, BODY_MAX);
    msg_ticketed_pack(&answer, &(struct msg_ticketed){m.ref, (uint8_t)why.code, str_of(why.text)});
    peer_send(h, p, VERB_TICKETED, &answer);
    return true;
}

/* It is gone with this, also where the answer is lost on the way. */
bool ticket_on_redeem(struct hub *h, struct peer *p, Str body)
{
    struct msg_redeem m;
    struct buf answer;
    if (!msg_redeem_unpack(body, &m))
        return false;
    tickets_expire(h);
    struct ticket *ticket = map_get(&h->tickets.by_digest, m.digest);
    struct msg_redeemed is = {.ref = m.ref, .code = REFUSE_INVALID_TOKEN};
    if (ticket)
        is = (struct msg_redeemed){.ref = m.ref,
                                   .user = ticket->is.user,
                                   .grants = ticket->is.grants,
                                   .expires = ticket->is.expires,
                                   .token = ticket->is.token,
                                   .issued = ticket->is.issued,
                                   .public = ticket->is.public};
    buf_init(&answer, BODY_MAX);
    msg_redeemed_pack(&answer, &is);
    peer_send(h, p, VERB_REDEEMED, &answer);
    if (ticket)
        forget(&h->tickets, ticket);
    return true;
}
