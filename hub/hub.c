#include "hub.h"

#include "account.h"
#include "arrival.h"
#include "base/log.h"
#include "change.h"
#include "engine.h"
#include "fetch.h"
#include "greet.h"
#include "inspect.h"
#include "publish.h"
#include "refill.h"
#include "retention.h"
#include "tool.h"
#include "wire/people.h"

#include <stdlib.h>

enum { LATE_MS = 1000 }; /* a turn that comes later than so extends all leases */

struct hub *hub_new(const struct options *o, struct hub_out out)
{
    struct hub *h = must_alloc(sizeof *h);
    h->o = o;
    h->out = out;
    pool_init(&h->publishes);
    channel_table_init(&h->channels, o);
    topics_init(&h->topics);
    buf_init(&h->packed, BODY_MAX);
    peers_init(&h->peers);
    clients_init(&h->clients);
    seen_init(&h->seen);
    tickets_init(&h->tickets);
    kicks_init(&h->kicks);
    limits_init(&h->limits, o, 1);
    fleeting_init(&h->fleeting);
    presence_init(&h->presence);
    typing_init(&h->typing);
    changes_init(&h->changes);
    asks_init(&h->asks);
    hooks_init(&h->hooks, o);
    list_init(&h->inspections);
    list_init(&h->waiting);
    figures_init(&h->retired);
    return h;
}

void hub_on_channel(void *hub, const struct journal_channel *c)
{
    struct hub *h = hub;
    channel_load(&h->channels, c);
}

void hub_start(struct hub *h, struct journal *j, const struct journal_state *s, Now now)
{
    h->journal = j;
    h->now = now;
    h->started = h->ticked = h->beaten = now.mono;
    account_start(h, str_make(s->accounts, s->accounts_len));
    epochs_init(&h->epochs, s->epochs, s->epoch_count);
    h->through = s->head;
    h->is_writable = !s->is_full;
    presence_start(h, s->epoch_count <= 1);
    hook_start(h);
    h->channels.forgotten = s->forgotten;
    channel_table_start(&h->channels, now.wall);
    ring_init(&h->ring, h->o->ring_events, h->o->ring_bytes, s->head);
}

void hub_free(struct hub *h)
{
    if (!h)
        return;
    hooks_fini(h);
    peers_fini(h);
    clients_fini(h);
    account_fini(h);
    admin_fini(h);
    tickets_fini(&h->tickets);
    kicks_fini(&h->kicks);
    presence_fini(h);
    typing_fini(&h->typing);
    changes_fini(h);
    asks_fini(h);
    inspect_fini(h);
    topics_fini(&h->topics);
    channel_table_fini(&h->channels);
    pool_fini(&h->publishes);
    fleeting_fini(&h->fleeting);
    limits_fini(&h->limits);
    ring_fini(&h->ring);
    buf_fini(&h->packed);
    epochs_fini(&h->epochs);
    figures_fini(&h->retired);
    free(h);
}

bool hub_admits(struct hub *h, enum rate rate, Str user, struct fault *why)
{
    static const enum counter counters[RATE_COUNT] = {
        [RATE_CONNECTS] = COUNT_LIMITED_CONNECTS,
        [RATE_PUBLISHES] = COUNT_LIMITED_PUBLISHES,
        [RATE_SUBSCRIBES] = COUNT_LIMITED_SUBSCRIBES,
        [RATE_HISTORY] = COUNT_LIMITED_HISTORY,
    };
    if (limits_admit(&h->limits, rate, user, h->now.mono, why))
        return true;
    hub_count(h, counters[rate]);
    return false;
}

/* No stop waits for what walks through the whole log. */
static bool holds_up(const struct op *op)
{
    return op->kind != OP_BACKUP && op->kind != OP_CHECK;
}

void hub_submit(struct hub *h, struct op *op, struct op_owner *owner)
{
    if (op->kind <= OP_ACCOUNT)
        seen_go_along(h);
    op->owner = owner;
    op->why.code = REFUSE_NOT;
    h->ops += holds_up(op);
    h->journal->ops->submit(h->journal, op);
}

void hub_on_done(struct hub *h, struct op *op, Now now)
{
    h->now = now;
    h->ops -= holds_up(op);
    struct op_owner *owner = op->owner;
    owner->done(h, op);
}

void hub_complain(struct hub *h, const char *what, Str peer, const char *detail)
{
    hub_count(h, COUNT_GARBAGE);
    if (h->complained && h->now.mono < h->complained + 1000)
        return;
    h->complained = h->now.mono;
    const struct peer *p = peer_by_id(h, peer);
    log_warn(what, kz("peer", p ? p->name : "?"), kz("detail", detail),
             kn("so_far", h->counters[COUNT_GARBAGE]));
}

/* Totals only rise, and never above what was sent. */
static uint64_t within(uint64_t before, uint64_t said, uint64_t most)
{
    uint64_t now = said < most ? said : most;
    return now > before ? now : before;
}

static bool on_pulse(struct hub *h, struct peer *p, Str body)
{
    struct msg_pulse m;
    if (!msg_pulse_unpack(body, &m))
        return false;
    bool is_possible = m.bytes <= p->sent_bytes && m.messages <= p->sent_messages;
    p->done_bytes = within(p->done_bytes, m.bytes, p->sent_bytes);
    p->done_messages = within(p->done_messages, m.messages, p->sent_messages);
    figures_take(&p->figures, m.counters);
    fetches_send(h, p);
    return is_possible;
}

static bool on_query(struct hub *h, struct peer *p, Str body)
{
    struct msg_query m;
    if (!msg_query_unpack(body, &m))
        return false;
    struct buf text, answer;
    buf_init(&text, BODY_MAX);
    buf_init(&answer, BODY_MAX);
    if (str_eq(m.what, STR("metrics")))
        metrics_print(h, &text);
    else if (str_eq(m.what, STR("presence")) && presence_is_known(h))
        presence_put(h, m.channel, PEOPLE_SHOWN, &text);
    msg_answer_pack(&answer, &(struct msg_answer){m.ref, buf_str(&text)});
    buf_fini(&text);
    peer_send(h, p, VERB_ANSWER, &answer);
    return true;
}

static bool on_goodbye(struct hub *h, struct peer *p, Str body)
{
    (void)body;
    log_info("goodbye", kz("peer", p->name));
    peer_go(h, p);
    return true;
}

/* A worker was replaced: this one said HELLO with all that the other had. */
static bool on_moved(struct hub *h, struct peer *p, Str body)
{
    struct msg_moved m;
    if (!msg_moved_unpack(body, &m))
        return false;
    struct peer *before = peer_by_boot(h, m.boot);
    if (!before || before == p)
        return true;
    log_info("moved", kz("peer", p->name), kn("channels", before->subs.len));
    peer_unsubscribe_all(h, before);
    clients_leave(h, before);
    changes_leave(h, before->link);
    return true;
}

static const struct {
    enum verb verb;
    bool (*on)(struct hub *h, struct peer *p, Str body);
} table[] = {
    {VERB_PUBLISH, publish_on_message},  {VERB_PULSE, on_pulse},
    {VERB_OPEN, arrival_on_message},     {VERB_CLOSE, arrival_on_close},
    {VERB_FETCH, fetch_on_message},      {VERB_LEAVE, arrival_on_leave},
    {VERB_CHANGE, change_on_message},    {VERB_ADDED, change_on_added},
    {VERB_TOLD, asks_on_told},           {VERB_QUERY, on_query},
    {VERB_GOODBYE, on_goodbye},          {VERB_MOVED, on_moved},
    {VERB_TICKET, ticket_on_message},    {VERB_REDEEM, ticket_on_redeem},
    {VERB_HERE, presence_on_here},       {VERB_WATCH, presence_on_watch},
    {VERB_UNWATCH, presence_on_unwatch}, {VERB_CONSULT, hook_on_consult},
};

static void dispatch(struct hub *h, struct peer *p, int verb, Str body)
{
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if ((int)table[i].verb != verb)
            continue;
        if (!table[i].on(h, p, body))
            hub_complain(h, "malformed message", p->id, verb_name(verb));
        return;
    }
    hub_complain(h, "unknown message", p->id, verb_name(verb));
}

static bool version_is_spoken(uint8_t version)
{
    return version > 0 && version + 1 >= PROTOCOL_VERSION && version <= PROTOCOL_VERSION + 1;
}

/* What comes twice or late is let go; where something is missing the worker begins again. */
static bool is_next(struct hub *h, struct peer *p, uint64_t seq)
{
    if (seq && seq != p->said + 1) {
        if (seq > p->said)
            peer_say_who(h, p->id);
        return false;
    }
    p->said = seq;
    return true;
}

static void on_message(struct hub *h, Str peer, Str header, Str body)
{
    struct header head;
    struct peer *p = peer_by_id(h, peer);
    if (!header_unpack(header, &head)) {
        hub_complain(h, "garbage", peer, "no header");
        peer_say_who(h, peer);
        return;
    }
    if (!version_is_spoken(head.version)) {
        char detail[80];
        snprintf(detail, sizeof detail, "version %u is not spoken here, but %d", head.version,
                 PROTOCOL_VERSION);
        hub_complain(h, "version", peer, detail);
        peer_reject(h, peer, REFUSE_VERSION, detail);
        return;
    }
    if (head.verb == VERB_HELLO) {
        if (!h->is_stopping)
            greet_on_hello(h, peer, head.seq, body);
        return;
    }
    if (!p || !p->is_welcome) {
        if (head.verb != VERB_GOODBYE && !h->is_stopping)
            peer_say_who(h, peer);
        return;
    }
    p->heard = h->now.mono;
    if (is_next(h, p, head.seq))
        dispatch(h, p, head.verb, body);
}

static void on_bundle(struct hub *h, Str peer, Str items)
{
    for (Str header, body; bundle_next(&items, &header, &body);)
        on_message(h, peer, header, body);
    if (items.len)
        hub_complain(h, "malformed message", peer, verb_name(VERB_BUNDLE));
}

void hub_on_message(struct hub *h, Str peer, Str header, Str body, Now now)
{
    struct header head;
    h->now = now;
    if (header_unpack(header, &head) && head.version == PROTOCOL_VERSION &&
        head.verb == VERB_BUNDLE)
        on_bundle(h, peer, body);
    else
        on_message(h, peer, header, body);
}

void hub_on_publish(struct hub *h, Str peer, const Str *frames, size_t n, Now now)
{
    h->now = now;
    tool_publish(h, peer, false, frames, n);
}

void hub_on_intake(struct hub *h, const Str *frames, size_t n, Now now)
{
    h->now = now;
    tool_publish(h, STR_NONE, true, frames, n);
}

void hub_on_admin(struct hub *h, Str peer, const Str *frames, size_t n, Now now)
{
    h->now = now;
    admin_on_message(h, peer, frames, n);
}

/* A hub that was stopped itself does not take that for the silence of others. Of some it has heard
 * since it goes on. */
static void extend_leases(struct hub *h, Msec delay)
{
    struct peer *p;
    for (size_t at = 0; (p = map_next(&h->peers.by_id, &at));)
        p->heard = p->heard + delay < h->now.mono ? p->heard + delay : h->now.mono;
    presence_extend(h, delay);
}

void hub_tick(struct hub *h, Now now)
{
    h->now = now;
    Msec delay = now.mono - h->ticked;
    h->ticked = now.mono;
    if (delay > LATE_MS)
        extend_leases(h, delay);
    peers_expire(h);
    clients_expire(h);
    tickets_expire(h);
    account_expire(h);
    hook_tick(h);
    changes_expire(h);
    asks_expire(h);
    fleeting_expire(&h->fleeting, now.mono);
    presence_expire(h);
    typing_expire(h);
    if (h->queue == 0)
        pool_fini(&h->publishes); /* what a burst of them took */
    if (now.mono >= h->beaten + BEAT_MS) {
        h->beaten = now.mono;
        peers_beat(h);
    }
}

void hub_on_turned_away(struct hub *h, uint64_t peers)
{
    h->counters[COUNT_TURNED_AWAY] += peers;
}

bool hub_turn(struct hub *h, Now now)
{
    h->now = now;
    bool more = refill_all(h);
    retention_turn(h);
    peers_reap(h);
    presence_turn(h);
    if (h->is_stopping && h->ops == 0 && !h->has_noted_last) {
        h->has_noted_last = true;
        seen_stop(h);
        retention_note(h);
    }
    peers_flush(h);
    h->journal->ops->flush(h->journal);
    return more;
}

bool hub_is_full(const struct hub *h)
{
    return h->queue >= 2 * h->o->max_queue;
}

bool hub_is_waiting(const struct hub *h)
{
    return h->queue > 0;
}

void hub_stop(struct hub *h, Now now)
{
    h->now = now;
    h->is_stopping = true;
    inspect_stop(h);
    struct peer *p;
    for (size_t at = 0; (p = map_next(&h->peers.by_id, &at));) {
        struct buf body;
        buf_init(&body, BODY_MAX);
        msg_stopping_pack(&body, &(struct msg_stopping){0});
        peer_send(h, p, VERB_STOPPING, &body);
    }
}

bool hub_is_stopped(const struct hub *h)
{
    return h->has_noted_last && h->ops == 0;
}
