/* A page: how it comes, goes and comes back, and what it asks for by POST. What it reads is in
 * reading.c. */
#include "reading.h"

#include "poll.h"
#include "sse.h"
#include "stream.h"
#include "wire/refusal.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PING = 5,
    SOON = 1500,
    POST_AGAIN = 500,
    WAIT_MOST = 6000,
    LATELY = 3000,
    LAST_MOST = 30,
    STILL_HELD = 150,
    EXPIRES_MOST = 15000
};

struct post {
    struct call call; /* first */
    struct browser *page;
    uint32_t conn;
    unsigned channels;
    unsigned settles; /* of these its answer says all: no other POST may yet be done */
    bool is_adding, is_late;
};

static void note(const struct browser *p, struct fact f)
{
    f.actor = str_of(p->actor);
    f.op = p->conn;
    world_note(p->world, f);
}

/* What it is follows from its number. */
static void make(struct browser *p)
{
    struct world *w = p->world;
    struct dice *d = &p->dice;
    *d = dice_of(w->setup.seed * 1000 + p->number);
    unsigned all = (1u << ROOM_NAMES) - 1 - (1u << USER_CHANNEL);
    p->is_made = true;
    p->is_poll = dice_luck(d, 25);
    p->is_named = dice_luck(d, 50);
    p->has_envelope = dice_luck(d, 20);
    p->has_user = dice_luck(d, w->setup.has_rights ? 60 : 25);
    p->first = (uint8_t)(dice_luck(d, 50) ? START_DEFAULT : 2 + dice_roll(d, 3));
    p->limit = dice_luck(d, 50) ? 1000 : 20 + (uint32_t)dice_roll(d, 200);
    p->url = (unsigned)dice_draw(d) & all;
    if (dice_luck(d, 70))
        p->url &= (unsigned)dice_draw(d);
    if (!p->is_poll && dice_luck(d, 30))
        p->url = 0; /* it says what it wants when it is connected */
    if (p->is_poll && !p->url)
        p->url = 1;
    if (!p->url)
        p->wants = 1u << dice_roll(d, USER_CHANNEL);
    snprintf(p->name, sizeof p->name, "client-%02u-of-a-page", p->number);
    p->with_presence = (w->setup.seed + p->number) % 2;
    snprintf(p->actor, sizeof p->actor, "p%u", p->number);
    buf_init(&p->text, SIZE_MAX / 2);
}

/* What its worker, asked for this, lets it have: the other channels are not in this URL. False: it
 * is not served at all, or not yet. */
static bool is_served(struct browser *p, const struct workside *k, struct rights *rights)
{
    struct world *w = p->world;
    const struct accounts *a = roster_accounts(k->roster);
    unsigned all = p->url | (p->has_user ? 1u << USER_CHANNEL : 0);
    *rights = options_rights(&w->worker_options);
    rights->user = str_of(p->has_user ? "ann" : "");
    p->given = w->setup.has_rights ? 0 : all;
    if (!w->setup.has_rights)
        return true;
    if (p->has_user && (!a || !accounts_admit(a, rights->user, STR_NONE, w->wall)))
        return false;
    if (p->has_user)
        accounts_grant(a, rights);
    for (unsigned i = 0; i < ROOM_NAMES; i++)
        if (all & 1u << i && may(rights, MAY_SUBSCRIBE, str_of(room_names[i])))
            p->given |= 1u << i;
    return p->given || !p->is_poll;
}

static void put_names(const struct browser *p, struct buf *out, bool as_list)
{
    for (unsigned i = 0; i < ROOM_NAMES; i++) {
        if (!(p->given & 1u << i))
            continue;
        if (as_list) {
            list_put(out, str_of(room_names[i]));
            continue;
        }
        buf_putz(out, out->len ? "," : "");
        buf_putz(out, room_names[i]);
    }
}

static struct hold *hold_of(struct browser *p)
{
    return &p->holds[p->holder];
}

static bool write_text(struct outlet *o, struct chunk *c)
{
    struct browser *p = ((struct hold *)(void *)o)->page;
    if (o != &hold_of(p)->outlet)
        world_fail(p->world, "takeover", "%s is written to by one that does not have it", p->actor);
    buf_put(&p->text, chunk_bytes(c));
    if (p->is_poll)
        p->began = peek_began(hold_of(p)->stream);
    p->is_full = p->world->mono < p->full_until || dice_luck(&p->dice, 3);
    return !p->is_full;
}

/* One that does not have the connection closes its own end of it only. */
static void end_text(struct outlet *o)
{
    struct hold *h = (struct hold *)(void *)o;
    struct browser *p = h->page;
    h->stream = NULL;
    p->is_ended |= h == hold_of(p);
    p->may_end |= !p->worker->link; /* it died */
}

/* So a stream ends that did not read. */
static void abort_text(struct outlet *o)
{
    struct hold *h = (struct hold *)(void *)o;
    h->page->may_end |= h == hold_of(h->page);
    end_text(o);
}

static const struct outlet_ops ops = {write_text, end_text, abort_text, NULL};

static void set_start(const struct browser *p, struct stream_request *q, char text[CURSOR_TEXT])
{
    struct world *w = p->world;
    if (!cursor_is_none(p->last)) {
        q->start = START_CURSOR;
        q->at = p->last;
        q->requested = cursor_print(p->last, text);
        return;
    }
    q->start = (enum start)p->first;
    if (q->start == START_SINCE)
        q->value = w->wall - dice_roll(&((struct browser *)(uintptr_t)p)->dice, LATELY);
    if (q->start == START_LAST)
        q->value = 1 + p->number % LAST_MOST;
}

static void note_connect(struct browser *p)
{
    static const enum start_at begins[] = {[START_DEFAULT] = BEGIN_NOW,
                                           [START_SINCE] = BEGIN_SINCE,
                                           [START_LAST] = BEGIN_LAST,
                                           [START_EARLIEST] = BEGIN_EARLIEST};
    struct buf names;
    buf_init(&names, SIZE_MAX / 2);
    put_names(p, &names, false);
    note(p, (struct fact){.what = FACT_CONNECT,
                          .channels = buf_str(&names),
                          .client = str_of(p->is_named ? p->name : ""),
                          .user = str_of(p->has_user ? "ann" : ""),
                          .start = begins[p->first],
                          .id = p->last});
    buf_fini(&names);
}

static void clear(struct browser *p)
{
    buf_clear(&p->text);
    p->is_full = p->is_open = p->is_ended = p->is_refused = p->has_ids = false;
    p->is_cut = p->may_end = false;
    p->has = 0;
    p->has_more = p->has_forked = p->has_late = false;
    p->asking = p->leaving = p->asked = p->remembered = p->limbo = 0;
    p->has_cursor = !cursor_is_none(p->last);
    p->began = CURSOR_NONE;
    memset(p->seen, 0, sizeof p->seen);
    p->is_exact = !p->world->setup.may_fork && dice_luck(&p->dice, 30);
}

static void open_stream(struct browser *p, struct workside *k, const struct rights *rights)
{
    struct world *w = p->world;
    char text[CURSOR_TEXT], client[24];
    struct buf names;
    buf_init(&names, SIZE_MAX / 2);
    put_names(p, &names, true);
    snprintf(client, sizeof client, "unnamed-%02u-%09u", p->number, p->conn);
    struct stream_request q = {.client = str_of(p->is_named ? p->name : client),
                               .named = p->is_named,
                               .poll = p->is_poll,
                               .user = rights->user,
                               .rights = *rights,
                               .issued = w->wall,
                               .expires = p->expires ? p->expires + w->wall - w->mono : 0,
                               .channels = buf_str(&names),
                               .listed = (p->url & p->given) != 0,
                               .envelope = p->has_envelope,
                               .ping = PING,
                               .presence = p->with_presence,
                               .label = str_of(p->actor),
                               .limit = p->limit};
    set_start(p, &q, text);
    struct hold *h = hold_of(p);
    *h = (struct hold){.outlet.ops = &ops, .page = p};
    struct sink sink = p->is_poll ? poll_new(&h->outlet, STR_NONE, STR("503"), STR("503"), p->limit)
                                  : sse_new(&h->outlet, STR("\n"), p->has_envelope, false);
    h->stream = stream_open(k->roster, &q, sink, w->mono);
    p->answer_at = w->mono + dice_roll(&p->dice, WAIT_MOST);
    buf_fini(&names);
}

/* A poll is not begun while the hub is away: it is refused after hub_wait. */
static void connect(struct browser *p)
{
    struct world *w = p->world;
    struct workside *k = workside_any(w, &p->dice);
    struct rights rights;
    if (!k || (p->is_poll && !link_is_up(k->link)) || !is_served(p, k, &rights)) {
        p->back_at = w->mono + dice_roll(&p->dice, SOON);
        return;
    }
    clear(p);
    p->conn++;
    p->worker = k;
    p->state = PAGE_ON;
    p->came_at = w->mono;
    bool may_expire = w->setup.has_rights && p->has_user && !w->is_calm && dice_luck(&p->dice, 30);
    p->expires = may_expire ? w->mono + dice_roll(&p->dice, EXPIRES_MOST) : 0;
    note_connect(p);
    open_stream(p, k, &rights);
}

void page_open(struct browser *p)
{
    if (!p->is_made)
        make(p);
    if (p->state != PAGE_AWAY)
        return;
    p->state = PAGE_WAITS;
    p->back_at = p->world->mono;
}

void page_note_left(struct browser *p, unsigned channels)
{
    p->limbo &= ~channels;
    for (unsigned i = 0; i < ROOM_NAMES; i++)
        if (channels & 1u << i)
            note(p, (struct fact){.what = FACT_LEFT, .channel = str_of(room_names[i])});
}

/* What was asked for and not answered may have been done, or may not. */
static void note_unanswered(struct browser *p)
{
    unsigned joined = p->asked & ~p->has;
    p->has_late |= joined != 0;
    for (unsigned i = 0; i < ROOM_NAMES; i++)
        if (joined & 1u << i)
            note(p, (struct fact){.what = FACT_JOINED,
                                  .channel = str_of(room_names[i]),
                                  .id = p->began,
                                  .late = true});
    page_note_left(p, p->has & ~p->wants);
    page_note_left(p, joined);
    p->haunting |= p->is_named ? joined : 0;
    p->never_again |= p->is_named ? p->leaving : 0;
    page_want(p, 0, true);
    p->told_from &= ~joined;
}

static void leave(struct browser *p, Msec away, const char *by)
{
    if (p->is_open)
        note_unanswered(p);
    if (!p->is_refused)
        note(p, (struct fact){.what = FACT_CLOSE, .reason = str_of(by)});
    buf_clear(&p->text);
    p->state = PAGE_WAITS;
    p->is_open = false;
    p->back_at = p->world->mono + away;
}

/* Tells its worker, once that reads again. */
static void go(struct browser *p)
{
    struct hold *h = hold_of(p);
    if (!h->stream)
        return;
    h->stream = NULL;
    h->outlet.owner_ops->on_gone(h->outlet.owner);
}

/* What had arrived is read, the rest is lost. */
void page_cut(struct browser *p, Msec away)
{
    if (p->state == PAGE_WAITS && away > SOON)
        p->back_at = p->world->mono + away;
    if (p->state != PAGE_ON)
        return;
    if (replace_is_frozen(p->worker)) {
        p->is_cut = true;
        return;
    }
    if (!p->is_poll)
        page_read(p, dice_roll(&p->dice, 20));
    go(p);
    leave(p, away, "client");
}

void page_want(struct browser *p, unsigned channels, bool is_adding)
{
    unsigned some = channels & ((1u << ROOM_NAMES) - 1) & ~(1u << USER_CHANNEL) & ~p->url;
    p->wants = is_adding ? p->wants | some : p->wants & ~some;
    p->wants = (p->wants | p->for_ever) & ~p->never_again;
}

/* POST subscribe and unsubscribe. */

/* A stream that came with a cursor begins its additions there, and may be further already: all but
 * one that was held, since so soon after `connected` it still is. */
static bool may_be_late(const struct browser *p)
{
    return p->has_cursor && (!p->is_held || p->has_ids || p->text.len ||
                             p->world->mono > p->connected_at + STILL_HELD);
}

static void on_changed(struct call *c, Str body, const struct fault *why)
{
    struct post *post = (struct post *)(void *)c;
    struct browser *p = post->page;
    struct msg_changed m = {0};
    if (!why && !msg_changed_unpack(body, &m))
        world_fail(p->world, "answers", "CHANGED cannot be read");
    bool is_unknown = why || m.code == REFUSE_HUB_AWAY;
    if (!post->is_adding)
        p->told_from &= ~post->channels;
    *(post->is_adding ? &p->for_ever : &p->never_again) |= is_unknown ? post->channels : 0;
    page_want(p, 0, true);
    bool is_current = p->conn == post->conn && p->state == PAGE_ON;
    if (is_current) {
        p->asking &= ~post->channels;
        p->leaving &= ~post->channels;
        p->ask_at = p->world->mono + dice_roll(&p->dice, POST_AGAIN);
    }
    /* The others may be of one that was done, and asked again since its answer was lost. */
    if (is_current && !why && (m.code == REFUSE_NOT || m.code == REFUSE_FORBIDDEN))
        p->asked &= ~post->settles;
    for (unsigned i = 0; is_current && !why && !m.code && i < ROOM_NAMES; i++) {
        if (!(post->channels & 1u << i))
            continue;
        if (!post->is_adding) {
            p->has &= ~(1u << i);
            p->told_from &= ~(1u << i);
            page_note_left(p, 1u << i);
        } else if ((p->has | p->remembered) & 1u << i) {
            continue; /* it was remembered, and goes on where it was */
        } else if (list_has(m.channels, str_of(room_names[i]))) {
            p->has |= 1u << i;
            p->from[i] = m.at;
            p->told_from |= 1u << i;
            bool is_late = post->is_late || may_be_late(p);
            is_late |= (p->late_before & 1u << i) != 0;
            p->late_before |= is_late ? 1u << i : 0;
            p->has_late |= is_late;
            note(p, (struct fact){.what = FACT_JOINED,
                                  .channel = str_of(room_names[i]),
                                  .id = m.at,
                                  .late = is_late});
        }
    }
    free(post);
}

static void note_asks(const struct browser *p, unsigned channels)
{
    for (unsigned i = 0; i < ROOM_NAMES; i++)
        if (channels & 1u << i)
            note(p, (struct fact){
                        .what = FACT_ASKS, .channel = str_of(room_names[i]), .id = p->began});
}

/* From here on nothing of them is owed any more, but it may come until the answer does. */
static void note_leaving(struct browser *p, unsigned channels)
{
    page_note_left(p, channels);
    page_note_limbo(p, channels);
}

static void send_post(struct browser *p, unsigned channels, bool is_adding)
{
    struct world *w = p->world;
    struct workside *k = workside_any(w, &p->dice);
    if (!k)
        return;
    struct buf names, body;
    buf_init(&names, SIZE_MAX / 2);
    buf_init(&body, SIZE_MAX / 2);
    for (unsigned i = 0; i < ROOM_NAMES; i++)
        if (channels & 1u << i)
            list_put(&names, str_of(room_names[i]));
    struct msg_change m = {.client = str_of(p->client), .user = str_of(p->has_user ? "ann" : "")};
    *(is_adding ? &m.add : &m.remove) = buf_str(&names);
    /* What it had before this connection, and this one does not: from where that ended. */
    bool is_explicit = is_adding && p->is_exact && !cursor_is_none(p->began);
    if (is_explicit) {
        m.start = START_CURSOR;
        m.at = p->began;
    }
    msg_change_pack(&body, &m);
    if (is_adding)
        note_asks(p, channels);
    else
        note_leaving(p, channels);
    struct post *post = must_alloc(sizeof *post);
    *post = (struct post){.call = {.done = on_changed},
                          .page = p,
                          .conn = p->conn,
                          .channels = channels,
                          .settles = channels & ~(is_adding ? p->asked : 0),
                          .is_adding = is_adding,
                          .is_late = is_explicit};
    p->asking |= channels;
    p->leaving |= is_adding ? 0 : channels;
    p->asked |= is_adding ? channels : 0;
    call_begin(k, &post->call, VERB_CHANGE, &body, true);
    buf_fini(&names);
}

/* What came late of a log that is no more is nobody's to judge; nor is a gap that comes after it.
 */
static bool may_ask(const struct browser *p)
{
    bool is_held = p->is_held && p->world->mono <= p->connected_at + STILL_HELD;
    return !p->world->setup.may_fork || !p->has_cursor || (is_held && !p->awaits_gap);
}

static void ask_for_channels(struct browser *p)
{
    if (!p->is_open || p->asking || p->world->mono < p->ask_at || p->is_poll || !may_ask(p))
        return;
    bool is_bold = p->world->setup.has_rights && dice_luck(&p->dice, 10);
    unsigned missing = p->wants & ~p->has & (is_bold ? UINT32_MAX : law_allows(p));
    unsigned excess = p->has & ~p->wants;
    if (missing)
        send_post(p, missing, true);
    else if (excess)
        send_post(p, excess, false);
}

/* A poll whose time is out is answered with what there is, as wait.c does. */
static void end_poll(struct browser *p)
{
    struct world *w = p->world;
    struct stream *s = hold_of(p)->stream;
    if (!p->is_poll || !s || w->mono < p->answer_at || !p->worker->link ||
        w->mono < p->worker->awake_at || replace_is_frozen(p->worker))
        return;
    if (!stream_is_behind(s) || w->mono >= p->answer_at + w->worker_options.hub_wait)
        stream_answer_now(s);
}

static void serve(struct browser *p)
{
    struct world *w = p->world;
    if (!p->is_poll && dice_luck(&p->dice, 80))
        page_read(p, SIZE_MAX);
    struct hold *h = hold_of(p);
    if (p->is_full && h->stream && w->mono >= p->full_until && !replace_is_frozen(p->worker)) {
        p->is_full = false;
        h->outlet.owner_ops->on_writable(h->outlet.owner);
    }
    end_poll(p);
    if (p->is_ended) {
        if (p->is_poll)
            page_read_answer(p);
        else
            page_read(p, SIZE_MAX);
        if (!p->is_poll && !p->may_end)
            world_fail(w, "takeover", "the stream of %s ended without a word", p->actor);
        Msec pause = p->has_more ? 1 : p->is_poll ? SOON / 10 : SOON;
        leave(p, dice_roll(&p->dice, pause), p->is_poll ? "client" : "");
        return;
    }
    ask_for_channels(p);
}

void page_turn(struct browser *p)
{
    if (p->is_cut && !replace_is_frozen(p->worker))
        page_cut(p, dice_roll(&p->dice, SOON));
    if (p->state == PAGE_ON)
        serve(p);
    else if (p->state == PAGE_WAITS && p->world->mono >= p->back_at)
        connect(p);
}

void page_fini(struct browser *p)
{
    if (!p->is_made)
        return;
    if (p->state == PAGE_ON)
        page_cut(p, 0);
    buf_fini(&p->text);
}

void page_give(struct browser *p, struct workside *heir)
{
    struct world *w = p->world;
    struct hold *from = hold_of(p), *to = &p->holds[!p->holder];
    struct portrait picture;
    struct image_stream stream;
    struct image_poll poll;
    buf_init(&picture.stream, SIZE_MAX / 2);
    buf_init(&picture.poll, SIZE_MAX / 2);
    from->outlet.owner_ops->draw(from->outlet.owner, w->mono, &picture);
    if (!image_stream_unpack(buf_str(&picture.stream), &stream) ||
        (p->is_poll && !image_poll_unpack(buf_str(&picture.poll), &poll)))
        world_fail(w, "takeover", "the image of %s cannot be read", p->actor);
    *to = (struct hold){.outlet.ops = &ops, .page = p};
    struct sink sink = p->is_poll ? poll_restore(&to->outlet, &poll)
                                  : sse_restore(&to->outlet, stream.envelope, p->is_full);
    to->stream = stream_restore(heir->roster, &stream, sink, w->mono);
    buf_fini(&picture.stream);
    buf_fini(&picture.poll);
}

void page_take(struct browser *p, struct workside *heir)
{
    p->holder = !p->holder;
    p->worker = heir;
    if (!hold_of(p)->stream)
        world_fail(p->world, "takeover", "the stream of %s ended on its way", p->actor);
}

bool page_is_on(const struct browser *p, const struct workside *k)
{
    return p->state == PAGE_ON && p->worker == k && p->holds[p->holder].stream;
}

bool page_is_done(const struct browser *p)
{
    bool is_refused = p->is_poll && !p->has_user && !(p->url & law_allows(p));
    if (!p->is_made || is_refused)
        return true;
    Cursor head = p->world->hub.head;
    if (cursor_is_none(p->last) || p->last.at < head.at || p->last.epoch != head.epoch)
        return false;
    if (p->is_poll)
        return true;
    bool has_all = !((p->wants ^ p->has) & law_allows(p));
    return p->state == PAGE_ON && p->is_open && !p->asking && (has_all || !may_ask(p)) &&
           !p->text.len;
}

/* What is late and of two logs is owed by nobody. */
void page_drain(struct browser *p)
{
    if (!p->is_made || p->is_poll)
        return;
    note_unanswered(p);
    if (!(p->has_late && p->has_forked))
        note(p, (struct fact){.what = FACT_DRAINED});
}
