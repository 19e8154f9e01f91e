#include "inside.h"

#include "base/log.h"
#include "link.h"
#include "poll.h"
#include "wire/names.h"
#include "wire/refusal.h"

#include <assert.h>
#include <stdlib.h>

enum { LIST_MAX = 1024 * 1024 * 1024 };
/* A flush that wrote to so many streams is followed by a pause: a longer one where more is
 * delivered than is usual (in a ms), and where there are more streams. */
enum { BUSY_WRITES = 256, PAUSE = 5, LONGEST_PAUSE = 200 };
enum { USUAL = 125, EASE = 5000 };
/* How long at most, in us for each stream: one for each that publishes, or so many events found. A
 * web server takes half of FEW for one. */
enum { FEW = 13, MANY = 45, FOUND_A_PUBLISHER = 16, LAPS = 3 };

struct roster *roster_new(const struct options *options, struct link *link)
{
    struct roster *r = must_alloc(sizeof *r);
    r->options = options;
    r->link = link;
    pool_init(&r->pool);
    subscriptions_init(&r->subs);
    pages_init(&r->pages);
    map_init(&r->audiences);
    tally_init(&r->addresses);
    passes_init(&r->passes);
    accounts_init(&r->accounts);
    accounts_init(&r->learned);
    rooms_init(&r->rooms);
    r->shelf = shelf_new(options->ring_events, options->ring_bytes);
    r->slices = slices_new(link);
    list_init(&r->streams);
    list_init(&r->orphans);
    list_init(&r->ready);
    list_init(&r->held);
    list_init(&r->gone);
    list_init(&r->dirty);
    return r;
}

static void free_stream(struct stream *s)
{
    if (s->arrival && s->arrival->ask) {
        link_cancel(s->roster->link, s->arrival->ask);
        s->arrival->ask = NULL;
    }
    s->state = STREAM_GONE;
    stream_reap(s);
}

void roster_free(struct roster *r)
{
    if (!r)
        return;
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->streams)
    free_stream(CONTAINER_OF(node, struct stream, node));
    LIST_EACH(node, safe, &r->orphans)
    free_stream(CONTAINER_OF(node, struct stream, node));
    batch_fini(&r->batch);
    slices_free(r->slices);
    shelf_free(r->shelf);
    map_fini(&r->audiences);
    tally_fini(&r->addresses);
    passes_fini(&r->passes);
    accounts_fini(&r->accounts);
    accounts_fini(&r->learned);
    rooms_fini(&r->rooms);
    pages_fini(&r->pages);
    subscriptions_fini(&r->subs);
    pool_fini(&r->pool);
    free(r);
}

size_t roster_streams(const struct roster *r)
{
    return r->stream_count;
}

Str stream_origin(const struct stream *s, char key[ADDRESS_KEY])
{
    return address_key(str_of(s->roster->options->trusted_proxies), stream_address(s), key);
}

bool roster_has_room(struct roster *r, Str address, struct fault *why)
{
    const struct options *o = r->options;
    char key[ADDRESS_KEY];
    Str origin = address_key(str_of(o->trusted_proxies), address, key);
    uint64_t share = (o->max_streams_address + o->workers - 1) / o->workers;
    if (!share || tally_of(&r->addresses, origin) < share)
        return true;
    r->counts.limited++;
    return fail(why, REFUSE_LIMIT, "max_streams_address is %llu",
                (unsigned long long)o->max_streams_address);
}

const struct roster_counts *roster_counts(const struct roster *r)
{
    return &r->counts;
}

Cursor roster_at(const struct roster *r)
{
    return r->at;
}

bool roster_has_hole(const struct roster *r)
{
    return r->has_hole;
}

/* A log that was put back may know an older epoch, and not the newest. */
static void move_to(struct roster *r, Cursor c)
{
    if (!cursor_is_none(r->at) && c.epoch != r->at.epoch) {
        if (r->past_len == PAST_MOST)
            memmove(r->past, r->past + 1, --r->past_len * sizeof r->past[0]);
        r->past[r->past_len++] = r->at;
    }
    r->at = c;
}

void roster_put_past(const struct roster *r, struct buf *list)
{
    char text[CURSOR_TEXT];
    for (size_t i = 0; i < r->past_len; i++)
        list_put(list, cursor_print(r->past[i], text));
}

void roster_reach(struct roster *r, Cursor c)
{
    if (c.at > r->reach.at)
        r->reach = c;
}

/* Of two above `at` the lower one, but the further one of the same epoch. */
static Cursor nearer(Cursor at, Cursor next, Cursor c)
{
    bool is_further = c.epoch == next.epoch && c.at > next.at;
    bool is_nearer =
        cursor_is_none(next) || is_further || (c.epoch != next.epoch && c.at < next.at);
    return c.at > at.at && is_nearer ? c : next;
}

/* The next after `at` of which no other of its epoch is further; none: that was all. */
static Cursor next_ahead(const struct roster *r, Cursor at)
{
    Cursor next = nearer(at, CURSOR_NONE, r->reach);
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->streams)
    {
        const struct stream *s = CONTAINER_OF(node, struct stream, node);
        if (s->state == STREAM_BEHIND)
            next = nearer(at, next, s->at);
    }
    return next;
}

void roster_put_ahead(const struct roster *r, struct buf *list)
{
    char text[CURSOR_TEXT];
    Cursor c = r->at;
    for (size_t i = 0; i < PAST_MOST && !cursor_is_none(c = next_ahead(r, c)); i++)
        list_put(list, cursor_print(c, text));
}

void roster_advance(struct roster *r, Cursor c)
{
    bool is_first = cursor_is_none(r->at) && r->at.at == 0;
    if (is_first || c.at > r->at.at)
        move_to(r, c);
}

void roster_on_through(struct roster *r, Cursor through)
{
    roster_advance(r, through);
}

/* Whether any subscription takes it; what none does is only passed by. */
static bool is_wanted(const struct roster *r, Str channel)
{
    if (subscription_find(&r->subs, channel))
        return true;
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->subs.patterns)
    if (pattern_matches(CONTAINER_OF(node, struct subscription, patterns)->name, channel))
        return true;
    return false;
}

/* The channel's event before this one came on the link, or lies before the join: both are at or
 * below where the link is. One above was lost on the way. */
static bool is_after_a_hole(const struct roster *r, const struct event *e)
{
    const struct subscription *sub = subscription_find(&r->subs, e->channel);
    return sub && sub->is_joined && e->prev > r->at.at;
}

void roster_on_event(struct roster *r, const struct event *e)
{
    bool is_logged = !event_is_ephemeral(e);
    if (is_logged && e->id.at <= r->at.at)
        return;
    if (is_logged && is_after_a_hole(r, e)) {
        r->has_hole = true;
        return;
    }
    if (is_logged)
        move_to(r, e->id);
    if (!e->to.len && !is_wanted(r, e->channel))
        return;
    struct item *i = item_new(e);
    if (is_logged && !e->to.len)
        shelf_put(r->shelf, i);
    audience_spread(r, i);
    item_unref(i);
}

/* What is gone of these channels above where the stream is: it may be further than the link was. */
static void tell_gap(struct stream *s, const struct msg_gap *m)
{
    char text[CURSOR_TEXT];
    struct buf names;
    buf_init(&names, LIST_MAX);
    Cursor at = stream_at(s), oldest = {m->oldest.epoch, 0};
    for (size_t i = 0; i < s->part_count; i++) {
        Position floor = gap_floor(m, s->parts[i].sub->name);
        if (floor <= at.at || floor <= part_begin(&s->parts[i]))
            continue;
        list_put(&names, s->parts[i].sub->name);
        oldest.at = floor > oldest.at ? floor : oldest.at;
    }
    if (names.len) {
        struct gap g = {cursor_print(at, text), oldest, m->reason, buf_str(&names)};
        stream_leave_live(s, at);
        replay_owe_gap(s, &g);
        stream_wake(s);
    }
    buf_fini(&names);
}

void roster_uncover(struct roster *r, Str names, Cursor oldest)
{
    roster_reach(r, oldest);
    for (Str name; list_next(&names, &name);) {
        struct subscription *sub = subscription_find(&r->subs, name);
        if (sub && sub->is_joined && sub->covered.at < oldest.at)
            sub->covered = oldest;
    }
}

/* What follows it the poll had with the first one, or it is for another. */
void roster_on_stale_opened(struct roster *r)
{
    r->came = NULL;
}

void roster_on_gap(struct roster *r, const struct msg_gap *m)
{
    roster_uncover(r, m->channels, m->oldest);
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->streams)
    {
        struct stream *s = CONTAINER_OF(node, struct stream, node);
        if (s->state == STREAM_LIVE)
            tell_gap(s, m); /* one that is behind hears of it with its rows */
    }
}

/* None of it has left: so it is gathered again, from the log as it is now. */
static void rewind_poll(struct stream *s)
{
    s->left += (uint32_t)s->ops->rewind(s->to);
    s->left_bytes = POLL_BYTES;
    s->at = s->opened;
}

/* The log is another one above the fork: what lies above it is gone, and said to be. */
static void rewind_stream(struct stream *s, enum gap_reason reason, Cursor fork)
{
    char text[CURSOR_TEXT];
    struct buf names;
    for (size_t i = 0; i < s->part_count; i++) {
        struct part *part = &s->parts[i];
        part->from = part->from < fork.at ? part->from : fork.at;
        part->caught = part->caught < fork.at ? part->caught : fork.at;
    }
    if (!stream_is_on(s)) {
        s->opened = s->opened.at > fork.at ? fork : s->opened;
        return;
    }
    stream_leave_live(s, stream_at(s));
    replay_rewind(s, fork.at);
    if (s->is_poll)
        rewind_poll(s);
    Cursor at = s->at;
    if (at.at > fork.at || reason != GAP_RESET) {
        buf_init(&names, LIST_MAX);
        stream_put_names(s, &names, false);
        struct gap g = {cursor_print(at, text), fork, reason, buf_str(&names)};
        replay_owe_gap(s, &g);
        s->is_resumed = false;
        s->at = fork;
        if (s->opened.at > fork.at)
            s->opened = fork;
        buf_fini(&names);
    }
    stream_wake(s);
}

static void clear_dirty(struct roster *r)
{
    while (!list_is_empty(&r->dirty)) {
        struct audience *a = CONTAINER_OF(r->dirty.next, struct audience, dirty);
        audience_drop_due(a);
    }
}

static void rewind_all(struct roster *r, const struct msg_welcome *m)
{
    struct list *node, *safe;
    Cursor fork = cursor_is_none(m->fork) ? m->from : m->fork;
    LIST_EACH(node, safe, &r->streams)
    rewind_stream(CONTAINER_OF(node, struct stream, node), m->reason, fork);
    clear_dirty(r);
    pages_rewind(&r->pages, fork.at);
    Cursor keep = m->reason == GAP_RESET ? fork : CURSOR_NONE;
    shelf_cut(r->shelf, keep);
    LIST_EACH(node, safe, &r->subs.all)
    {
        struct subscription *sub = CONTAINER_OF(node, struct subscription, node);
        if (sub->covered.at > fork.at || m->reason != GAP_RESET)
            sub->covered = fork;
    }
    while (r->past_len && r->past[r->past_len - 1].at > fork.at)
        r->past_len--;
    if (r->reach.at > fork.at || m->reason != GAP_RESET)
        r->reach = fork;
    r->at = r->flushed = m->from;
}

/* The link broke meanwhile: no answer comes any more. */
static void free_orphans(struct roster *r)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->orphans)
    {
        struct stream *s = CONTAINER_OF(node, struct stream, node);
        if (s->arrival->ask && !link_is_asked(s->arrival->ask))
            stream_reap(s);
    }
}

void roster_on_welcome(struct roster *r, const struct msg_welcome *m)
{
    r->has_hole = false;
    free_orphans(r);
    if (m->reason != GAP_NONE && !cursor_is_none(r->at))
        rewind_all(r, m);
    roster_advance(r, m->from);
    roster_watch_again(r);
}

static void flush_dirty(struct roster *r)
{
    Cursor before = r->flushed;
    uint64_t delivered = r->counts.deliveries;
    r->flushed = r->at;
    while (!list_is_empty(&r->dirty))
        audience_flush(r, CONTAINER_OF(r->dirty.next, struct audience, dirty), before);
    r->sent = r->counts.deliveries - delivered;
}

/* Where many events were found waiting they come faster than they leave, however slow the machine
 * is: twice the pause; the longer it is, the more there must be. */
static Msec pause_for_waiting(struct roster *r, Msec most)
{
    uint64_t found = r->sent / r->writes;
    r->pause = 4 * found >= 8 + r->pause ? 2 * r->pause : r->pause * 3 / 4;
    r->pause = r->pause < most ? r->pause : most;
    r->pause = r->pause > PAUSE ? r->pause : PAUSE;
    return r->pause;
}

/* Where few publish at a time, what counts is how soon their events arrive; where many do, that
 * they all get through. A round of the web server costs the same whatever it brings: where those
 * that publish get less than LAPS events each in meanwhile, a longer pause makes it worth while. */
static Msec longest_pause(struct roster *r)
{
    r->found = (r->found + r->sent / r->writes) / 2; /* little comes while much is delivered */
    size_t publishers = link_crowd(r->link), foreign = r->found / FOUND_A_PUBLISHER;
    size_t crowd = publishers > foreign ? publishers : foreign;
    size_t eased = r->found < LAPS * publishers ? r->crowd * 5 / 4 : r->crowd * 3 / 4;
    r->crowd = crowd > eased ? crowd : eased;
    r->crowd = r->crowd < FEW ? FEW : r->crowd < MANY ? r->crowd : MANY;
    Msec most = r->writes * r->crowd / 1000;
    most = most > PAUSE ? most : PAUSE;
    return most < LONGEST_PAUSE ? most : LONGEST_PAUSE;
}

/* Web servers write as often as they are written to, and that is what costs most: so what comes
 * while they are at it leaves together, and the more comes, the longer is waited for it. */
static Msec pause_after(struct roster *r, Msec now)
{
    Msec since = now > r->paced ? now - r->paced : 1;
    if (r->writes < BUSY_WRITES)
        return 0;
    r->pace = (3 * r->pace + r->sent / since) / 4;
    r->paced = now;
    Msec most = longest_pause(r);
    Msec pause = PAUSE + (r->pace > USUAL ? (r->pace - USUAL) * r->writes / EASE : 0);
    Msec waiting = pause_for_waiting(r, most);
    pause = pause > waiting ? pause : waiting;
    return pause < most ? pause : most;
}

/* Only those that are there now: who is ready again comes with the next turn. */
static void serve_ready(struct roster *r)
{
    struct list now;
    list_init(&now);
    while (!list_is_empty(&r->ready)) {
        struct list *node = r->ready.next;
        list_remove(node);
        list_append(&now, node);
    }
    while (!list_is_empty(&now)) {
        struct stream *s = CONTAINER_OF(now.next, struct stream, place);
        list_remove(&s->place);
        if (s->state == STREAM_BEHIND && !s->is_full)
            replay_serve(s);
    }
}

static void reap(struct roster *r)
{
    while (!list_is_empty(&r->gone))
        stream_reap(CONTAINER_OF(r->gone.next, struct stream, place));
}

void roster_flush(struct roster *r, Msec now)
{
    r->now = now;
    r->writes = 0;
    replay_release(r);
    flush_dirty(r);
    serve_ready(r);
    batch_forget(&r->batch);
    reap(r);
    r->flush_at = now + pause_after(r, now);
}

Msec roster_next_flush(const struct roster *r, Msec now)
{
    bool is_due =
        !list_is_empty(&r->dirty) || !list_is_empty(&r->ready) || !list_is_empty(&r->gone);
    Msec release = replay_first_release(r);
    if (!is_due && (!release || release > now))
        return release;
    return r->flush_at > now ? r->flush_at : now;
}

void roster_tick(struct roster *r, Msec now)
{
    r->now = now;
    if (list_is_empty(&r->dirty))
        r->flushed = r->at; /* for the heartbeats: nothing is due to anybody up to there */
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->streams)
    stream_tick(CONTAINER_OF(node, struct stream, node));
    free_orphans(r);
    r->counts.slices = slices_asked(r->slices);
    pages_expire(&r->pages, now, r->options->client_keep);
    struct buf left, body;
    buf_init(&left, LIST_PIECE);
    buf_init(&body, LIST_MAX);
    subscriptions_expire(&r->subs, now, r->options->linger, &left);
    if (left.len && msg_leave_pack(&body, &(struct msg_leave){buf_str(&left)}))
        link_tell(r->link, VERB_LEAVE, &body);
    buf_fini(&left);
}

void roster_abandon(struct roster *r)
{
    uint64_t closed = r->counts.closed;
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->streams)
    {
        struct stream *s = CONTAINER_OF(node, struct stream, node);
        s->aborts |= s->state != STREAM_GONE;
        stream_end(s);
    }
    reap(r);
    r->counts.closed = closed; /* they are open */
}

/* As many as are due so that the last one goes when the time is out. */
bool roster_drain(struct roster *r, Msec now, Msec left)
{
    Msec past = r->drained ? now - r->drained : 1;
    r->drained = r->now = now;
    uint64_t due = r->stream_count * (past ? past : 1) / (left + 1) + 1;
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->streams)
    {
        struct stream *s = CONTAINER_OF(node, struct stream, node);
        if (s->state == STREAM_PARTING || s->state == STREAM_GONE)
            continue;
        if (due-- == 0)
            break;
        stream_bye(s, BYE_DRAIN);
    }
    return r->stream_count == 0;
}
