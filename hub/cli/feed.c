#include "cli/feed.h"

#include "base/map.h"
#include "base/random.h"
#include "cli/held.h"
#include "wire/names.h"
#include "wire/refusal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define HELLO_MS   1000 /* again, until we are welcomed */
#define PULSE_MS   1000
#define SILENCE_MS 3000 /* then the hub is taken for gone */
#define NOTE_BYTES 4096

/* AWAY: not welcomed. OPENING: the hub looks where we begin. BEHIND: the log is replayed up to
 * `goal`, what comes live is held. */
enum state { AWAY, OPENING, BEHIND, LIVE };

/* An exact channel: what its next live event's `prev` is checked against. */
struct followed {
    Str name;
    Position last;
};

struct feed {
    struct feed_out out;
    enum start start;
    Cursor start_at;
    uint64_t start_value;
    struct buf channels; /* the list as the wire has it */
    struct followed *followed;
    size_t followed_count;
    struct map by_name;
    uint64_t boot;
    char name[64], client[RANDOM_NAME];

    enum state state;
    bool is_connected, is_opened, said_away;
    Cursor position; /* everything up to here was handed out; holds once is_opened */
    Position base;   /* this link has every event of our channels above it */
    Position goal;
    uint64_t seq, ref;
    uint64_t bytes, messages, told_bytes, told_messages; /* worked off on this link */
    Msec hello_at, heard_at, pulse_at;
    struct held held;
    struct fault refused;
};

static void follow(struct feed *f, const struct feed_wish *wish)
{
    buf_init(&f->channels, LIST_PIECE);
    map_init(&f->by_name);
    for (size_t i = 0; i < wish->n; i++)
        list_put(&f->channels, wish->channels[i]);
    assert(!f->channels.full);
    f->followed = must_alloc((wish->n + 1) * sizeof *f->followed);
    Str rest = buf_str(&f->channels), name;
    while (list_next(&rest, &name))
        if (!is_pattern(name) && !map_get(&f->by_name, name)) {
            struct followed *one = &f->followed[f->followed_count++];
            one->name = name;
            map_put(&f->by_name, name, one);
        }
}

struct feed *feed_new(const struct feed_wish *wish, const char *name, struct feed_out out)
{
    struct feed *f = must_alloc(sizeof *f);
    assert(wish->n && wish->n <= FEED_CHANNELS);
    f->out = out;
    f->start = wish->start;
    f->start_at = wish->at;
    f->start_value = wish->value;
    f->boot = random_u64();
    random_name(f->client);
    snprintf(f->name, sizeof f->name, "%s", name);
    held_init(&f->held);
    follow(f, wish);
    return f;
}

void feed_free(struct feed *f)
{
    if (!f)
        return;
    held_fini(&f->held);
    map_fini(&f->by_name);
    buf_fini(&f->channels);
    free(f->followed);
    free(f);
}

bool feed_is_live(const struct feed *f)
{
    return f->state == LIVE;
}

bool feed_is_refused(const struct feed *f, struct fault *why)
{
    if (f->refused.code && why)
        *why = f->refused;
    return f->refused.code;
}

static void refuse(struct feed *f, int code, Str detail)
{
    fail(&f->refused, code ? code : REFUSE_INTERNAL, "%.*s",
         FMT(detail.len ? detail : str_of(refusal_title(code))));
}

/* Packs and sends one message. */
#define SAY(f, VERB, type, ...)                                                                    \
    do {                                                                                           \
        struct buf body_;                                                                          \
        buf_init(&body_, 4 * LIST_PIECE);                                                          \
        struct msg_##type m_ = {__VA_ARGS__};                                                      \
        if (msg_##type##_pack(&body_, &m_))                                                        \
            (f)->out.send((f)->out.ctx,                                                            \
                          (struct header) {                                                        \
                              PROTOCOL_VERSION, VERB_##VERB                                        \
                              , 0                                                                  \
                          },                                                                       \
                          buf_str(&body_));                                                        \
        buf_fini(&body_);                                                                          \
    } while (0)

/* Says who we are and what we have; until the WELCOME nothing else counts. */
static void greet(struct feed *f, Msec now)
{
    struct buf client, clients;
    struct msg_client me = {.client = str_of(f->client), .streams = 1};
    f->state = AWAY;
    f->hello_at = now + HELLO_MS;
    held_clear(&f->held);
    if (!f->is_connected)
        return;
    buf_init(&client, LIST_PIECE);
    buf_init(&clients, LIST_PIECE);
    if (f->is_opened && msg_client_pack(&client, &me))
        list_put(&clients, buf_str(&client));
    SAY(f, HELLO, hello, .boot = f->boot, .name = str_of(f->name),
        .at = f->is_opened ? f->position : CURSOR_NONE,
        .channels = f->is_opened ? buf_str(&f->channels) : STR_NONE, .clients = buf_str(&clients));
    buf_fini(&client);
    buf_fini(&clients);
}

static void pulse(struct feed *f, Msec now)
{
    f->told_bytes = f->bytes;
    f->told_messages = f->messages;
    f->pulse_at = now + PULSE_MS;
    SAY(f, PULSE, pulse, .seq = f->seq, .bytes = f->bytes, .messages = f->messages);
}

static void note_gap(struct feed *f, int reason, Cursor oldest, Str channels)
{
    struct buf text;
    char cursor[CURSOR_TEXT];
    Str name;
    buf_init(&text, NOTE_BYTES);
    buf_printf(&text, "gap: events are missing (%s)", gap_reason_name(reason));
    if (!cursor_is_none(oldest))
        buf_printf(&text, ", the oldest kept come after %.*s", FMT(cursor_print(oldest, cursor)));
    for (const char *before = ", on "; list_next(&channels, &name); before = ", ")
        buf_printf(&text, "%s%.*s", before, FMT(name));
    buf_putc(&text, '\0');
    f->out.note(f->out.ctx, text.p);
    buf_fini(&text);
}

/* Everything that is handed out passes here: nothing at or below the position, ever. */
static void deliver(struct feed *f, const struct event *e)
{
    bool is_ours = !e->to.len || str_eq(e->to, str_of(f->client));
    if (!event_is_ephemeral(e)) {
        if (e->id.at <= f->position.at)
            return;
        f->position = e->id;
    }
    if (is_ours)
        f->out.event(f->out.ctx, e);
}

static void advance(struct feed *f, Cursor to)
{
    if (to.at > f->position.at)
        f->position = to;
}

static void fetch(struct feed *f)
{
    SAY(f, FETCH, fetch, .ref = ++f->ref, .after = {0, f->position.at}, .upto = f->goal,
        .limit = SLICE_ROWS, .bytes = SLICE_BYTES, .channels = buf_str(&f->channels));
}

static void go_live(struct feed *f)
{
    struct event *e;
    f->state = LIVE;
    if (f->said_away)
        f->out.note(f->out.ctx, "the hub is back");
    f->said_away = false;
    while ((e = held_take(&f->held))) {
        deliver(f, e);
        event_unref(e);
    }
}

static void on_welcome(struct feed *f, Str body, Msec now)
{
    struct msg_welcome m;
    if (!msg_welcome_unpack(body, &m))
        return;
    f->bytes = f->messages = f->told_bytes = f->told_messages = 0;
    f->pulse_at = now + PULSE_MS;
    f->base = m.from.at;
    for (size_t i = 0; i < f->followed_count; i++)
        f->followed[i].last = 0;
    if (f->is_opened) {
        if (m.reason) {
            note_gap(f, m.reason, m.from, STR_NONE);
            f->position = m.from;
        }
        go_live(f);
        return;
    }
    f->state = OPENING;
    SAY(f, OPEN, open, .ref = ++f->ref, .client = str_of(f->client), .start = (uint8_t)f->start,
        .at = f->start_at, .value = f->start_value, .channels = buf_str(&f->channels),
        .address = str_of(f->name));
}

static void on_opened(struct feed *f, Str body)
{
    struct msg_opened m;
    if (f->state != OPENING || !msg_opened_unpack(body, &m) || m.ref != f->ref)
        return;
    if (m.code) {
        refuse(f, m.code, m.detail);
        return;
    }
    if (m.reason)
        note_gap(f, m.reason, m.oldest, m.missing);
    f->is_opened = true;
    f->position = m.from;
    f->base = f->goal = m.join.at;
    f->state = BEHIND;
    if (f->position.at < f->goal)
        fetch(f);
    else
        go_live(f);
}

static void on_rows(struct feed *f, Str body)
{
    struct msg_rows m;
    Str item;
    struct event e;
    if (f->state != BEHIND || !msg_rows_unpack(body, &m) || m.ref != f->ref)
        return;
    if (m.code && refusal_retry(m.code)) {
        f->state = AWAY; /* the next greeting goes on from our position */
        return;
    }
    if (m.code) {
        refuse(f, m.code, m.detail);
        return;
    }
    if (m.reason)
        note_gap(f, m.reason, m.oldest, m.missing);
    while (list_next(&m.rows, &item))
        if (event_unpack(item, &e))
            deliver(f, &e);
    advance(f, m.next);
    if (m.more || f->position.at < f->goal)
        fetch(f);
    else
        go_live(f);
}

/* Whether an event of this channel was lost before `e`. */
static bool is_hole(struct feed *f, const struct event *e)
{
    struct followed *one = map_get(&f->by_name, e->channel);
    if (!one)
        return false;
    Position known = one->last > f->base ? one->last : f->base;
    one->last = e->id.at;
    return e->prev > known;
}

static void on_event(struct feed *f, Str body, Msec now)
{
    struct event e;
    if (!event_unpack(body, &e) || f->state == OPENING)
        return;
    if (event_is_ephemeral(&e)) {
        if (f->state == LIVE)
            deliver(f, &e);
    } else if (is_hole(f, &e)) {
        greet(f, now);
    } else if (f->state == LIVE) {
        deliver(f, &e);
    } else if (!held_put(&f->held, &e)) {
        held_clear(&f->held); /* it comes from the log instead */
        f->goal = e.id.at;
    }
}

/* Only what is gone above our position: what we had before is no loss. */
static void on_gap(struct feed *f, Str body)
{
    struct msg_gap m;
    struct buf names;
    if (!msg_gap_unpack(body, &m))
        return;
    buf_init(&names, NOTE_BYTES);
    Cursor oldest = {m.oldest.epoch, 0};
    for (Str rest = m.channels, name; list_next(&rest, &name);) {
        Position floor = gap_floor(&m, name);
        if (floor <= f->position.at)
            continue;
        list_put(&names, name);
        oldest.at = floor > oldest.at ? floor : oldest.at;
    }
    if (oldest.at)
        note_gap(f, m.reason, oldest, buf_str(&names));
    buf_fini(&names);
}

static void on_beat(struct feed *f, Str body)
{
    struct msg_beat m;
    if (f->state == LIVE && msg_beat_unpack(body, &m))
        advance(f, m.through);
}

static void on_ask(struct feed *f, Str body)
{
    struct msg_ask m;
    if (msg_ask_unpack(body, &m))
        SAY(f, TOLD, told, .ref = m.ref, .json = STR("[]"));
}

static void on_add(struct feed *f, Str body)
{
    struct msg_add m;
    if (msg_add_unpack(body, &m))
        SAY(f, ADDED, added, .ref = m.ref, .code = REFUSE_NOT_FOUND);
}

static void on_reject(struct feed *f, Str body)
{
    struct msg_reject m;
    if (msg_reject_unpack(body, &m))
        refuse(f, m.code, m.detail);
}

static void dispatch(struct feed *f, int verb, Str body, Msec now)
{
    if (verb == VERB_EVENT)
        on_event(f, body, now);
    else if (verb == VERB_ROWS)
        on_rows(f, body);
    else if (verb == VERB_OPENED)
        on_opened(f, body);
    else if (verb == VERB_BEAT)
        on_beat(f, body);
    else if (verb == VERB_GAP)
        on_gap(f, body);
    else if (verb == VERB_ASK)
        on_ask(f, body);
    else if (verb == VERB_ADD)
        on_add(f, body);
}

static void work_off(struct feed *f, int verb, Str body, Msec now)
{
    if (f->state == AWAY || (verb != VERB_EVENT && verb != VERB_ROWS))
        return;
    f->bytes += body.len;
    f->messages++;
    if (f->bytes - f->told_bytes >= CREDIT_BYTES / 2 ||
        f->messages - f->told_messages >= CREDIT_MESSAGES / 2)
        pulse(f, now);
}

void feed_on_message(struct feed *f, Str head, Str body, Msec now)
{
    struct header h;
    if (!header_unpack(head, &h))
        return;
    f->heard_at = now;
    if (h.verb == VERB_REJECT) {
        on_reject(f, body);
    } else if (h.verb == VERB_WELCOME) {
        f->seq = h.seq;
        on_welcome(f, body, now);
    } else if (h.verb == VERB_WHO) {
        if (f->state != AWAY)
            greet(f, now);
    } else if (f->state != AWAY && h.seq != ++f->seq) {
        greet(f, now);
    } else if (f->state != AWAY) {
        dispatch(f, h.verb, body, now);
        work_off(f, h.verb, body, now);
    }
}

void feed_on_connected(struct feed *f, Msec now)
{
    f->is_connected = true;
    greet(f, now);
}

static void lose(struct feed *f)
{
    if (f->state == LIVE && !f->said_away) {
        f->out.note(f->out.ctx, "the hub is away, waiting for it");
        f->said_away = true;
    }
    f->state = AWAY;
}

void feed_on_disconnected(struct feed *f)
{
    f->is_connected = false;
    lose(f);
}

void feed_tick(struct feed *f, Msec now)
{
    if (f->state != AWAY && now - f->heard_at > SILENCE_MS) {
        lose(f);
        greet(f, now);
    } else if (f->state == AWAY && now >= f->hello_at)
        greet(f, now);
    else if (f->state != AWAY && now >= f->pulse_at)
        pulse(f, now);
}

void feed_goodbye(struct feed *f)
{
    if (f->is_connected)
        SAY(f, GOODBYE, goodbye, .unused = 0);
}
