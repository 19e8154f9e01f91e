#include "link.h"

#include "base/log.h"
#include "base/random.h"
#include "link_request.h"
#include "roster.h"
#include "voice.h"
#include "wire/event.h"
#include "wire/refusal.h"

#include <assert.h>
#include <stdlib.h>

enum { LEASE = 3000, HELLO_AGAIN = 1000, PULSE_EVERY = 1000, LATE_TURN = 1000 };
enum { LIST_MAX = 1024 * 1024 * 1024, TOLD_MAX = 512 * 1024 };

enum state {
    STATE_AWAY,     /* nobody there, or nothing heard of it */
    STATE_GREETING, /* HELLO was said */
    STATE_UP,
};

struct credit {
    uint64_t bytes, messages;
};

struct link {
    const struct options *options;
    char *name;
    struct voice voice;
    struct roster *roster;
    uint64_t boot;
    enum state state;
    bool is_writable; /* the log takes publishes */
    bool is_stopping; /* the hub said so: it answers, but is asked nothing any more */
    bool is_leaving;
    bool is_moved;         /* clients and subscriptions are another link's */
    uint64_t predecessor;  /* boot of the link whose they were; 0: none */
    struct fault rejected; /* code 0: it is not */
    uint64_t greeting;     /* HELLOs that were said */
    uint64_t greeting_due; /* a WELCOME counts only from this one on */
    bool has_added;        /* channels by ADD or OPENED, since HELLO was said */
    uint64_t seq;          /* of the last message on this link */
    Msec now, wall;
    Msec heard, greeted, pulsed, ticked;
    struct credit used, told; /* since WELCOME */
    Cursor head;
    struct link_requests requests;
};

struct link *link_new(const struct options *options, Str name, struct link_out out)
{
    struct link *l = must_alloc(sizeof *l);
    l->options = options;
    l->name = str_dup(name);
    voice_init(&l->voice, out);
    l->boot = random_u64();
    link_requests_init(&l->requests, options);
    return l;
}

void link_free(struct link *l)
{
    if (!l)
        return;
    link_requests_fini(&l->requests);
    voice_fini(&l->voice);
    free(l->name);
    free(l);
}

void link_attach(struct link *l, struct roster *r)
{
    assert(!l->roster);
    l->roster = r;
}

/* Takes as many items off as fit into `most` bytes; one where `at_least_one`. */
static Str cut_list(Str *rest, size_t most, bool at_least_one)
{
    Str start = *rest, item;
    while (rest->len) {
        Str after = *rest;
        list_next(&after, &item);
        size_t len = start.len - after.len;
        if (len > most && !(at_least_one && rest->len == start.len))
            break;
        *rest = after;
    }
    return str_make(start.p, start.len - rest->len);
}

static bool say_hello_piece(struct link *l, Str *channels, Str *clients, bool goes_on)
{
    struct msg_hello m = {.boot = l->boot, .name = str_of(l->name), .at = roster_at(l->roster)};
    m.goes_on = goes_on;
    struct buf body, past, ahead;
    m.greeting = l->greeting;
    m.bundles = true;
    buf_init(&body, LIST_MAX);
    buf_init(&past, LIST_PIECE);
    buf_init(&ahead, LIST_PIECE);
    roster_put_past(l->roster, &past);
    roster_put_ahead(l->roster, &ahead);
    m.past = buf_str(&past);
    m.ahead = buf_str(&ahead);
    m.channels = cut_list(channels, LIST_PIECE, true);
    m.clients = cut_list(clients, LIST_PIECE - m.channels.len, !m.channels.len);
    m.more = channels->len || clients->len;
    msg_hello_pack(&body, &m);
    buf_fini(&past);
    buf_fini(&ahead);
    return voice_say(&l->voice, VERB_HELLO, &body);
}

static void say_hello(struct link *l)
{
    struct buf channels, clients;
    buf_init(&channels, LIST_MAX);
    buf_init(&clients, LIST_MAX);
    l->greeting++;
    l->voice.may_bundle = false;
    if (!l->is_moved) {
        roster_put_channels(l->roster, &channels);
        roster_put_clients(l->roster, &clients, l->now);
    }
    Str channels_left = buf_str(&channels), clients_left = buf_str(&clients);
    bool ok = say_hello_piece(l, &channels_left, &clients_left, false);
    while (ok && (channels_left.len || clients_left.len))
        ok = say_hello_piece(l, &channels_left, &clients_left, true);
    l->state = ok ? STATE_GREETING : STATE_AWAY;
    l->greeted = l->now;
    if (l->has_added)
        l->greeting_due = l->greeting; /* the hub's link of an earlier one is without them */
    l->has_added = false;
    buf_fini(&channels);
    buf_fini(&clients);
}

static void say_hello_again(struct link *l, const char *why)
{
    log_warn("link", kz("hello_again", why), kn("seq", l->seq));
    say_hello(l);
}

static void pulse(struct link *l, bool with_counters)
{
    struct buf counters, body;
    buf_init(&counters, LIST_PIECE);
    buf_init(&body, LIST_MAX);
    if (with_counters && l->voice.out.counters)
        l->voice.out.counters(l->voice.out.ctx, &counters);
    struct msg_pulse m = {l->seq, l->used.bytes, l->used.messages, buf_str(&counters)};
    msg_pulse_pack(&body, &m);
    voice_say(&l->voice, VERB_PULSE, &body);
    buf_fini(&counters);
    l->told = l->used;
    if (with_counters)
        l->pulsed = l->now;
}

static void use_credit(struct link *l, size_t bytes)
{
    l->used.bytes += bytes;
    l->used.messages++;
    if (l->used.bytes - l->told.bytes >= CREDIT_BYTES / 2 ||
        l->used.messages - l->told.messages >= CREDIT_MESSAGES / 2)
        pulse(l, false);
}

static bool may_ask(const struct link *l)
{
    return l->state == STATE_UP && !l->is_stopping;
}

static void send_request(struct link *l, struct link_request *r)
{
    if (!voice_say_copy(&l->voice, r->verb, buf_str(&r->body)))
        return;
    link_requests_sent(&l->requests, r, l->now);
    if (r->patience == LINK_ONCE)
        buf_fini(&r->body);
}

static void send_what_waits(struct link *l)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &l->requests.all)
    {
        struct link_request *r = CONTAINER_OF(node, struct link_request, node);
        if (!r->is_sent)
            send_request(l, r);
    }
}

struct link_request *link_ask(struct link *l, enum verb verb, struct buf *body,
                              enum link_patience patience, link_answer *answer, void *owner)
{
    struct link_request *r = link_requests_add(&l->requests, verb, body, patience, l->now);
    r->answer = answer;
    r->owner = owner;
    if (!r->code && may_ask(l))
        send_request(l, r);
    return r;
}

void link_cancel(struct link *l, struct link_request *r)
{
    link_requests_remove(&l->requests, r);
}

bool link_is_asked(const struct link_request *r)
{
    return r->is_sent;
}

void link_tell(struct link *l, enum verb verb, struct buf *body)
{
    bool is_said = l->state != STATE_AWAY; /* in HELLO: what became other since comes after it */
    if (is_said && !l->is_moved)           /* else whom it would be about is another's */
        voice_say(&l->voice, verb, body);
    else
        buf_fini(body);
}

void link_on_connected(struct link *l, Msec now)
{
    l->now = now;
    l->greeting_due = l->greeting + 1;
    say_hello(l);
}

static void go_away(struct link *l, const char *why)
{
    if (l->state == STATE_UP)
        log_warn("link", kz("lost", why));
    l->state = STATE_AWAY;
    voice_drop(&l->voice);
    link_requests_break(&l->requests, l->now);
}

void link_on_disconnected(struct link *l, Msec now)
{
    l->now = now;
    go_away(l, "disconnected");
    link_requests_settle(&l->requests);
}

static void say_moved(struct link *l)
{
    struct buf body;
    buf_init(&body, LIST_PIECE);
    msg_moved_pack(&body, &(struct msg_moved){l->predecessor});
    voice_say(&l->voice, VERB_MOVED, &body);
}

/* A second WELCOME on a link that is up answers a HELLO that was said before the first came: all
 * that was asked since was asked of it, too. What the hub added to the first meanwhile, by itself
 * or for what was asked before, it does not know. */
static bool on_welcome(struct link *l, Str body)
{
    struct msg_welcome m;
    if (!msg_welcome_unpack(body, &m))
        return false;
    if (m.greeting && m.greeting < l->greeting_due)
        return true; /* of a hub that is no more, or of a link without some channels */
    bool is_new = l->state != STATE_UP;
    l->state = STATE_UP;
    l->is_stopping = false;
    l->is_writable = true;
    l->voice.may_bundle = m.bundles;
    l->rejected.code = 0;
    l->seq = 1;
    l->used = l->told = (struct credit){0, 0};
    l->head = m.head;
    l->heard = l->pulsed = l->now;
    if (is_new)
        link_requests_break(&l->requests, l->now);
    roster_on_welcome(l->roster, &m);
    if (is_new) {
        log_info("link", kn("welcome", m.link), kn("from", m.from.at));
        send_what_waits(l);
        if (l->predecessor)
            say_moved(l);
    } else if (l->has_added) {
        say_hello_again(l, "channels were added before this welcome");
    }
    return true;
}

static bool on_reject(struct link *l, Str body)
{
    struct msg_reject m;
    if (!msg_reject_unpack(body, &m))
        return false;
    if (!l->rejected.code)
        log_error("link", kv("rejected", m.detail));
    l->state = STATE_GREETING;
    return !fail(&l->rejected, m.code ? m.code : REFUSE_VERSION, "%.*s", FMT(m.detail));
}

static bool on_event(struct link *l, Str body)
{
    struct event e;
    if (!event_unpack(body, &e))
        return false;
    roster_on_event(l->roster, &e);
    use_credit(l, body.len);
    if (roster_has_hole(l->roster))
        say_hello_again(l, "an event is missing");
    return true;
}

static bool on_gap(struct link *l, Str body)
{
    struct msg_gap m;
    if (!msg_gap_unpack(body, &m))
        return false;
    roster_on_gap(l->roster, &m);
    return true;
}

static bool on_beat(struct link *l, Str body)
{
    struct msg_beat m;
    if (!msg_beat_unpack(body, &m))
        return false;
    l->head = m.head;
    l->is_writable = m.writable;
    roster_on_through(l->roster, m.through);
    return true;
}

static bool on_presence(struct link *l, Str body)
{
    return roster_on_presence(l->roster, body);
}

static bool on_add(struct link *l, Str body)
{
    struct msg_add m;
    if (!msg_add_unpack(body, &m))
        return false;
    if (l->is_moved)
        return true; /* the hub asks again where the client is now */
    struct buf channels, out;
    buf_init(&channels, LIST_MAX);
    buf_init(&out, LIST_MAX);
    struct msg_added answer = {.ref = m.ref};
    l->has_added = true;
    roster_on_add(l->roster, &m, &answer, &channels);
    msg_added_pack(&out, &answer);
    voice_say(&l->voice, VERB_ADDED, &out);
    buf_fini(&channels);
    if (roster_has_hole(l->roster))
        say_hello_again(l, "a channel that was left is added");
    return true;
}

static bool on_accounts(struct link *l, Str body)
{
    struct msg_accounts m;
    if (!msg_accounts_unpack(body, &m) || !list_is_whole(m.rows))
        return false;
    roster_on_accounts(l->roster, &m);
    return true;
}

static bool on_kick(struct link *l, Str body)
{
    struct msg_kick m;
    if (!msg_kick_unpack(body, &m))
        return false;
    roster_on_kick(l->roster, &m);
    return true;
}

static void tell(struct link *l, uint64_t ref, bool more, Str json)
{
    struct buf body;
    buf_init(&body, LIST_MAX);
    msg_told_pack(&body, &(struct msg_told){ref, more, json});
    voice_say(&l->voice, VERB_TOLD, &body);
}

static bool on_ask(struct link *l, Str body)
{
    struct msg_ask m;
    if (!msg_ask_unpack(body, &m))
        return false;
    size_t from = 0;
    bool more = str_eq(m.what, STR("streams"));
    do {
        struct buf json;
        buf_init(&json, TOLD_MAX);
        buf_putc(&json, '[');
        more = more && roster_put_streams(l->roster, &json, &from);
        buf_putc(&json, ']');
        tell(l, m.ref, more, buf_str(&json));
        buf_fini(&json);
    } while (more);
    return true;
}

static bool on_answer(struct link *l, enum verb verb, Str body)
{
    if (!link_request_is_answer(verb, body))
        return false;
    struct link_request *r = link_requests_find(&l->requests, verb, body);
    l->has_added |= verb == VERB_OPENED;
    if (r)
        link_requests_answer(&l->requests, r, body);
    else if (verb == VERB_OPENED)
        roster_on_stale_opened(l->roster);
    if (verb == VERB_ROWS)
        use_credit(l, body.len);
    if (l->state == STATE_UP && roster_has_hole(l->roster))
        say_hello_again(l, "a channel that was left is opened");
    return true;
}

static bool take(struct link *l, enum verb verb, Str body)
{
    /* What is not named here is from a newer hub, or of no meaning to a worker. */
    static bool (*const takers[VERB_COUNT])(struct link *, Str) = {
        [VERB_EVENT] = on_event, [VERB_GAP] = on_gap,           [VERB_BEAT] = on_beat,
        [VERB_ADD] = on_add,     [VERB_ASK] = on_ask,           [VERB_ACCOUNTS] = on_accounts,
        [VERB_KICK] = on_kick,   [VERB_PRESENCE] = on_presence,
    };
    if (link_requests_answers(verb))
        return on_answer(l, verb, body);
    l->is_stopping |= verb == VERB_STOPPING;
    return !takers[verb] || takers[verb](l, body);
}

/* In the order of the link, nothing left out: only then it counts. What became of a publish is
 * true whenever it is heard. */
static void on_numbered(struct link *l, struct header h, Str body)
{
    enum verb verb = h.verb < VERB_COUNT ? h.verb : VERB_NONE;
    if (l->state != STATE_UP) {
        if (verb == VERB_PUBLISHED)
            on_answer(l, verb, body);
        return;
    }
    if (h.seq != l->seq + 1) {
        say_hello_again(l, "a message is missing");
        return;
    }
    l->seq = h.seq;
    l->heard = l->now;
    if (!take(l, verb, body))
        say_hello_again(l, "a message cannot be read");
}

static void on_message(struct link *l, Str header, Str body)
{
    struct header h;
    if (!header_unpack(header, &h))
        return;
    if (h.verb == VERB_REJECT)
        on_reject(l, body);
    else if (h.version != PROTOCOL_VERSION)
        log_warn("link", kz("ignored", verb_name(h.verb)), kn("version", h.version));
    else if (h.verb == VERB_WELCOME)
        on_welcome(l, body);
    else if (h.verb != VERB_WHO)
        on_numbered(l, h, body);
    else if (l->state == STATE_UP)
        say_hello_again(l, "the hub does not know this worker");
}

void link_on_message(struct link *l, Str header, Str body, Msec now)
{
    struct header h;
    l->now = now;
    bool is_bundle = header_unpack(header, &h) && h.verb == VERB_BUNDLE;
    if (!is_bundle)
        on_message(l, header, body);
    else
        for (Str inner; bundle_next(&body, &header, &inner);)
            on_message(l, header, inner);
    link_requests_settle(&l->requests);
}

void link_flush(struct link *l, Msec now)
{
    l->now = now;
    if (voice_flush(&l->voice))
        return;
    go_away(l, "not connected");
    link_requests_settle(&l->requests);
}

/* A worker that was itself stopped for a while has not heard anything because of that. */
static void forgive_late_turn(struct link *l)
{
    Msec late = l->ticked ? l->now - l->ticked : 0;
    if (late > LATE_TURN)
        l->heard = l->heard + late > l->now ? l->now : l->heard + late;
    l->ticked = l->now;
}

void link_tick(struct link *l, Msec now)
{
    l->now = now;
    forgive_late_turn(l);
    if (l->state == STATE_UP && now - l->heard >= LEASE)
        go_away(l, "silent");
    if (l->state != STATE_UP && !l->is_leaving && (!l->greeted || now - l->greeted >= HELLO_AGAIN))
        say_hello(l);
    if (l->state == STATE_UP && now - l->pulsed >= PULSE_EVERY)
        pulse(l, true);
    link_requests_expire(&l->requests, now);
    link_requests_settle(&l->requests);
}

void link_goodbye(struct link *l)
{
    struct buf body;
    buf_init(&body, LIST_PIECE);
    msg_goodbye_pack(&body, &(struct msg_goodbye){0});
    if (l->state != STATE_AWAY)
        voice_say(&l->voice, VERB_GOODBYE, &body);
    else
        buf_fini(&body);
    (void)voice_flush(&l->voice);
    l->is_leaving = true;
    l->state = STATE_AWAY;
}

void link_move(struct link *l)
{
    l->is_moved = true;
}

bool link_is_moved(const struct link *l)
{
    return l->is_moved;
}

uint64_t link_boot(const struct link *l)
{
    return l->boot;
}

void link_succeed(struct link *l, uint64_t boot)
{
    l->predecessor = boot;
}

bool link_is_up(const struct link *l)
{
    return may_ask(l);
}

bool link_is_writable(const struct link *l)
{
    return may_ask(l) && l->is_writable;
}

size_t link_publishes(const struct link *l)
{
    return l->requests.publishes;
}

size_t link_crowd(struct link *l)
{
    size_t most = l->requests.crowd;
    l->requests.crowd = l->requests.publishes;
    return most;
}

bool link_is_rejected(const struct link *l, struct fault *why)
{
    if (l->rejected.code)
        *why = l->rejected;
    return l->rejected.code != 0;
}

Cursor link_head(const struct link *l)
{
    Cursor at = roster_at(l->roster);
    return at.at > l->head.at ? at : l->head;
}

Msec link_wall(const struct link *l)
{
    return l->wall;
}

void link_set_wall(struct link *l, Msec wall)
{
    l->wall = wall;
}
