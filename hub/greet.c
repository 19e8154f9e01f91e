#include "greet.h"

#include "account.h"
#include "base/log.h"
#include "engine.h"

static void take_channels(struct hub *h, struct peer *p, Str list)
{
    struct fault why = {0};
    for (Str name; list_next(&list, &name);)
        if (!pattern_is_valid(name, "channel", &why) || !peer_subscribe(h, p, name))
            hub_complain(h, "hello channel", p->id, why.text);
}

/* What of the worker's is of this log, and where its link goes on. */
struct judgement {
    int reason;
    Position from, fork;
};

/* Up to where this log shares a lineage: as the newest of it that is known here says; `least` where
 * none is. *reason is that of the last one. */
static Position judge_list(const struct hub *h, Str ids, Position least, int *reason)
{
    Position shared = least;
    for (Str id; list_next(&ids, &id);) {
        Cursor c;
        Position fork;
        if (!cursor_parse(id, &c))
            continue;
        *reason = epochs_judge(&h->epochs, c, h->through, &fork);
        if (*reason != GAP_UNKNOWN)
            shared = *reason == GAP_NONE ? c.at : fork;
    }
    return shared;
}

/* After what the worker has, as far as that is of this log. Its streams may be further, where the
 * log was being read for it. */
static struct judgement judge(const struct hub *h, const struct msg_hello *m)
{
    struct judgement j = {GAP_NONE, h->through, 0};
    int past;
    if (cursor_is_none(m->at))
        return j;
    int verdict = epochs_judge(&h->epochs, m->at, h->through, &j.from);
    if (verdict == GAP_NONE) {
        j.from = m->at.at;
        j.fork = judge_list(h, m->ahead, j.from, &verdict);
    } else {
        if (verdict == GAP_UNKNOWN) /* 0: of none, so that all of it is news */
            j.from = judge_list(h, m->past, 0, &past);
        j.fork = j.from;
    }
    j.reason = verdict == GAP_NONE ? GAP_NONE : GAP_RESET;
    return j;
}

/* What began above a fork of the log begins there: no event of before lies above it. */
static void take_parts(struct hub *h, struct client *c, Str list, Position fork)
{
    for (Str item; list_next(&list, &item);) {
        struct msg_part part;
        if (msg_part_unpack(item, &part) && part.added &&
            pattern_is_valid(part.channel, "channel", NULL))
            client_add_part(h, c, part.channel, part.from < fork ? part.from : fork, true);
    }
}

static void take_client(struct hub *h, struct peer *p, const struct msg_client *m, Position fork)
{
    bool known;
    struct fault why = {0};
    struct client *c = client_find(h, m->client);
    if (c && !str_eq(str_of(c->user), m->user)) /* its page says so with its next request */
        return;
    c = client_need(h, m->client, m->user, m->named, &known, &why);
    if (!c) {
        hub_complain(h, "hello client", p->id, why.text);
        return;
    }
    take_parts(h, c, m->parts, fork);
    if (m->streams || m->polls) {
        struct claim *claim = client_claim(h, c, p);
        client_count(h, claim, m->streams, m->polls);
        client_show(c, m->label, m->public);
        presence_enter(h, claim, m->channels, h->now.wall - m->since);
    } else if (!known || c->away == p->boot) {
        c->away = 0;
        client_idle(h, c, h->now.mono > m->gone ? h->now.mono - m->gone : 0);
    }
}

static void take_clients(struct hub *h, struct peer *p, const struct msg_hello *hello)
{
    Str list = hello->clients;
    struct judgement j = judge(h, hello);
    Position fork = j.reason == GAP_RESET ? j.fork : UINT64_MAX;
    for (Str item; list_next(&list, &item);) {
        struct msg_client m;
        if (msg_client_unpack(item, &m))
            take_client(h, p, &m, fork);
        else
            hub_complain(h, "hello client", p->id, "malformed");
    }
}

static void welcome(struct hub *h, struct peer *p, const struct msg_hello *m)
{
    struct judgement j = judge(h, m);
    struct buf body;
    buf_init(&body, BODY_MAX);
    msg_welcome_pack(&body, &(struct msg_welcome){.link = p->link,
                                                  .head = hub_cursor(h, h->through),
                                                  .from = hub_cursor(h, j.from),
                                                  .reason = (uint8_t)j.reason,
                                                  .oldest = hub_cursor(h, 0),
                                                  .greeting = m->greeting,
                                                  .fork = hub_cursor(h, j.fork),
                                                  .bundles = true});
    p->is_welcome = true;
    peer_send(h, p, VERB_WELCOME, &body);
    hub_count(h, COUNT_HELLOS);
    log_info("link", kz("peer", p->name), kn("from", j.from), kn("channels", p->subs.len),
             kz("reason", j.reason ? gap_reason_name(j.reason) : "none"));
    account_welcome(h, p);
    kick_welcome(h, p);
    if (p->is_gone)
        return;
    if (j.from < h->through)
        peer_make_lag(h, p, j.from);
    else
        peer_make_live(p);
}

/* One that came already, or before which one is missing: the worker begins again in a second. */
static bool is_out_of_order(const struct peer *p, uint64_t seq, const struct msg_hello *m)
{
    if (!seq)
        return false;
    if (m->goes_on)
        return !p || p->is_welcome || seq != p->said + 1;
    return p && seq <= p->said;
}

void greet_on_hello(struct hub *h, Str id, uint64_t seq, Str body)
{
    struct msg_hello m;
    if (!msg_hello_unpack(body, &m) || !list_is_whole(m.channels) || !list_is_whole(m.clients)) {
        hub_complain(h, "hello malformed", id, "");
        peer_reject(h, id, REFUSE_MALFORMED, "HELLO is malformed");
        return;
    }
    struct peer *p = peer_by_id(h, id);
    if (is_out_of_order(p, seq, &m))
        return;
    bool goes_on = p && !p->is_welcome && p->boot == m.boot && (m.goes_on || !seq);
    if (!goes_on) {
        bool is_new = !p && !peer_by_boot(h, m.boot);
        if (is_new && h->peers.by_id.len >= h->o->max_links) {
            hub_complain(h, "too many links", id, "max_links");
            peer_reject(h, id, REFUSE_LIMIT, "max_links are linked");
            return;
        }
        p = peer_new(h, id, m.boot, m.name);
    }
    p->heard = h->now.mono;
    p->said = seq;
    p->takes_bundles = m.bundles;
    take_channels(h, p, m.channels);
    take_clients(h, p, &m);
    if (!m.more)
        welcome(h, p, &m);
}
