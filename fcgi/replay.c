/* What a stream is owed of the past: from the shelf where that covers it, else from the log by
 * slices, in one rising order. What began late comes first, without ids, while the main line
 * waits. */
#include "inside.h"

#include "link.h"
#include "poll.h"
#include "slice.h"

#include <stdlib.h>

enum { LIST_MAX = 16 * 1024 * 1024, KEPT_MOST = 32 };

struct replay {
    struct slice_waiter waiter; /* first */
    struct stream *stream;
    Cursor goal;      /* how far the slice that it waits for goes */
    bool is_falling;  /* that slice measures */
    bool is_measured; /* it is known that it fits into max_replay */
    bool is_late;     /* late parts come first, from late_at to the stream's own position */
    bool owes_gap;
    Cursor late_at;
    Position low; /* measured down to here; 0: not begun */
    uint64_t count, bytes;
    struct gap gap; /* its texts in gap_text */
    struct buf gap_text;
    struct buf told; /* list of names that a gap up to told_upto was said for */
    Position told_upto;
    struct item **kept; /* NULL: none */
    size_t kept_len;
    struct list held; /* roster's, while a held start lasts */
    Msec hold_until;
    uint64_t mark; /* its audience's bytes when it was live, or became full, last */
};

/* What is to come next: everything in (from, upto]. */
struct span {
    Cursor from, upto;
    bool late;
};

static void take_rows(struct slice_waiter *w, const struct slice_rows *rows);

static struct replay *replay_of(struct stream *s)
{
    if (s->replay)
        return s->replay;
    struct replay *p = must_alloc(sizeof *p);
    p->stream = s;
    p->waiter.take = take_rows;
    buf_init(&p->gap_text, LIST_MAX);
    buf_init(&p->told, LIST_MAX);
    s->replay = p;
    replay_mark(s);
    return p;
}

void replay_begin(struct stream *s, bool is_measured)
{
    replay_of(s)->is_measured = is_measured;
}

void replay_drop(struct stream *s)
{
    if (s->replay)
        slice_unwant(&s->replay->waiter);
}

void replay_rewind(struct stream *s, Position fork)
{
    replay_drop(s);
    if (s->replay && s->replay->told_upto > fork)
        s->replay->told_upto = fork;
}

void replay_free(struct stream *s)
{
    struct replay *p = s->replay;
    if (!p)
        return;
    slice_unwant(&p->waiter);
    for (size_t i = 0; i < p->kept_len; i++)
        item_unref(p->kept[i]);
    free(p->kept);
    list_remove(&p->held);
    buf_fini(&p->gap_text);
    buf_fini(&p->told);
    free(p);
    s->replay = NULL;
}

void replay_mark(struct stream *s)
{
    if (s->replay && s->audience)
        s->replay->mark = s->audience->bytes;
}

uint64_t replay_lag(const struct stream *s)
{
    return s->replay && s->audience ? s->audience->bytes - s->replay->mark : 0;
}

void replay_hold(struct stream *s, Msec until)
{
    struct replay *p = replay_of(s);
    p->hold_until = until;
    if (!list_is_linked(&p->held))
        list_append(&s->roster->held, &p->held);
}

bool replay_is_held(const struct stream *s)
{
    return s->replay && list_is_linked(&s->replay->held);
}

void replay_release(struct roster *r)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->held)
    {
        struct replay *p = CONTAINER_OF(node, struct replay, held);
        if (r->now < p->hold_until)
            continue;
        list_remove(&p->held);
        stream_wake(p->stream);
    }
}

Msec replay_first_release(const struct roster *r)
{
    Msec first = 0;
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->held)
    {
        const struct replay *p = CONTAINER_OF(node, struct replay, held);
        if (!first || p->hold_until < first)
            first = p->hold_until;
    }
    return first;
}

void replay_keep(struct stream *s, struct item *i)
{
    struct replay *p = replay_of(s);
    if (p->kept_len == KEPT_MOST || !stream_is_for(s, i->event))
        return;
    if (!p->kept)
        p->kept = must_alloc(KEPT_MOST * sizeof(struct item *));
    p->kept[p->kept_len++] = item_ref(i);
}

static void write_kept(struct stream *s)
{
    struct batch *b = &s->roster->batch;
    batch_clear(b);
    for (size_t i = 0; s->replay && i < s->replay->kept_len && i < s->left; i++)
        batch_add(b, s->replay->kept[i]);
    stream_write_batch(s, false);
}

void replay_put_image(const struct stream *s, Msec now, struct image_stream *m, struct buf *gap)
{
    const struct replay *p = s->replay;
    if (!p)
        return;
    if (replay_is_held(s))
        m->hold = p->hold_until > now ? p->hold_until - now : 1;
    m->measured = p->is_measured;
    m->late = p->is_late;
    m->late_at = p->late_at;
    m->told = buf_str(&p->told);
    m->told_upto = p->told_upto;
    if (p->owes_gap || (s->is_poll && p->gap.reason != GAP_NONE))
        image_gap_pack(gap, &(struct image_gap){p->gap.requested, p->gap.oldest,
                                                (uint8_t)p->gap.reason, p->gap.channels});
}

void replay_restore(struct stream *s, Msec now, const struct image_stream *m)
{
    struct replay *p = replay_of(s);
    struct image_gap g;
    p->is_measured = m->measured;
    p->is_late = m->late;
    p->late_at = m->late_at;
    buf_put(&p->told, m->told);
    p->told_upto = m->told_upto;
    if (m->hold)
        replay_hold(s, now + m->hold);
    if (m->gap.len && image_gap_unpack(m->gap, &g))
        replay_owe_gap(s, &(struct gap){g.requested, g.oldest, g.reason, g.channels});
}

bool replay_is_waiting(const struct stream *s)
{
    return s->replay && s->replay->waiter.slice;
}

/* The log being another one, or more than fits, is more than that a part of it is gone. */
static enum gap_reason worse(enum gap_reason before, enum gap_reason now)
{
    return before != GAP_NONE && now == GAP_PRUNED ? before : now;
}

/* A second one before the first was said makes it the worse; so does a poll's, whose one answer has
 * room for one. Where the log is another one, what was gone of the one before says nothing. */
void replay_owe_gap(struct stream *s, const struct gap *g)
{
    struct replay *p = replay_of(s);
    struct buf text;
    buf_init(&text, LIST_MAX);
    struct gap before = p->owes_gap || s->is_poll ? p->gap : (struct gap){.reason = GAP_NONE};
    bool is_first = before.reason == GAP_NONE;
    Str requested = is_first ? g->requested : before.requested;
    bool is_other_log = g->reason == GAP_RESET || g->reason == GAP_UNKNOWN;
    bool is_higher = before.oldest.at > g->oldest.at && !is_other_log;
    Cursor oldest = is_higher ? before.oldest : g->oldest;
    buf_put(&text, requested);
    Str names = g->channels;
    buf_put(&text, names);
    for (Str name; list_next(&before.channels, &name);)
        if (!list_has(names, name))
            list_put(&text, name);
    Str all = buf_str(&text);
    p->gap = (struct gap){str_make(all.p, requested.len), oldest, worse(before.reason, g->reason),
                          str_skip(all, requested.len)};
    buf_fini(&p->gap_text);
    p->gap_text = text;
    p->owes_gap = true;
}

void replay_owe_late(struct stream *s, Cursor from)
{
    struct replay *p = replay_of(s);
    replay_drop(s);
    if (p->is_late && p->late_at.at <= from.at)
        return;
    for (size_t i = 0; p->is_late && i < s->part_count; i++) {
        struct part *part = &s->parts[i];
        if (part->is_late && part->caught < p->late_at.at)
            part->caught = p->late_at.at;
    }
    p->is_late = true;
    p->is_measured = false;
    p->low = 0;
    p->late_at = from;
}

static bool say_gap(struct stream *s)
{
    struct replay *p = s->replay;
    if (!p || !p->owes_gap)
        return true;
    p->owes_gap = false;
    buf_clear(&p->told);
    if (p->gap.reason == GAP_PRUNED) {
        buf_put(&p->told, p->gap.channels);
        p->told_upto = p->gap.oldest.at;
    }
    s->roster->counts.gaps++;
    return stream_wrote(s, s->ops->gap(s->to, &p->gap));
}

static struct span next_span(const struct stream *s)
{
    const struct replay *p = s->replay;
    if (p && p->is_late)
        return (struct span){p->late_at, s->at, true};
    return (struct span){s->at, s->roster->flushed, false};
}

static void advance(struct stream *s, const struct span *span, Cursor to)
{
    if (span->late)
        s->replay->late_at = to;
    else
        s->at = to;
}

/* From where on the shelf has all that the span wants. */
static Cursor cover(const struct stream *s, const struct span *span)
{
    Cursor evicted = shelf_evicted(s->roster->shelf), most = span->from;
    for (size_t i = 0; i < s->part_count; i++) {
        const struct part *part = &s->parts[i];
        if (part->is_late != span->late)
            continue;
        Position begin = part_begin(part) > span->from.at ? part_begin(part) : span->from.at;
        Cursor covered = part->sub->covered.at > evicted.at ? part->sub->covered : evicted;
        if (covered.at > begin && covered.at > most.at)
            most = covered;
    }
    return most;
}

/* What was pruned may be on the shelf: gone is no more than what comes from the log. */
static Cursor still_gone(const struct stream *s, const struct span *span, Cursor oldest)
{
    Cursor covered = cover(s, span);
    return covered.at < oldest.at ? covered : oldest;
}

bool replay_misses(const struct stream *s, enum gap_reason reason, Cursor from, Cursor *oldest)
{
    struct span span = next_span(s);
    if (reason == GAP_PRUNED)
        *oldest = still_gone(s, &span, *oldest);
    return reason != GAP_NONE && (reason != GAP_PRUNED || oldest->at > from.at);
}

static bool is_too_much(const struct stream *s)
{
    const struct options *o = s->roster->options;
    return s->replay->count > o->max_replay || s->replay->bytes > o->max_replay_bytes;
}

/* The newest that fit begin after `dropped`. */
static void skip_to(struct stream *s, const struct span *span, Cursor dropped)
{
    struct buf names;
    char text[CURSOR_TEXT];
    buf_init(&names, LIST_MAX);
    stream_put_names(s, &names, span->late);
    struct gap g = {cursor_print(span->from, text), dropped, GAP_LIMIT, buf_str(&names)};
    if (!span->late && s->requested_len && s->at.at == s->opened.at)
        g.requested = stream_requested(s);
    replay_owe_gap(s, &g);
    buf_fini(&names);
    s->replay->is_measured = true;
    advance(s, span, dropped);
}

/* Counts one more from the new end; whether it was one too many. */
static bool measure_one(struct stream *s, const struct span *span, const struct event *e)
{
    if (!stream_wants(s, e, span->late))
        return false;
    s->replay->count++;
    s->replay->bytes += e->data.len;
    if (!is_too_much(s))
        return false;
    skip_to(s, span, e->id);
    return true;
}

/* What the shelf has above `from`. */
static bool measure_shelf(struct stream *s, const struct span *span, Position from)
{
    const struct shelf *shelf = s->roster->shelf;
    size_t end = shelf_find(shelf, from);
    for (size_t i = shelf_find(shelf, span->upto.at); i-- > end;)
        if (measure_one(s, span, shelf_get(shelf, i)->event))
            return true;
    return false;
}

static size_t room_for(const struct stream *s)
{
    return s->left < SLICE_ROWS ? s->left : SLICE_ROWS;
}

/* False: the batch is full, this one belongs to the next. */
static bool gather(struct stream *s, const struct span *span, struct item *i)
{
    struct batch *b = &s->roster->batch;
    bool is_first = !b->len && (!s->is_poll || s->left_bytes == POLL_BYTES);
    size_t most = b->len && s->left_bytes > SLICE_BYTES ? SLICE_BYTES : s->left_bytes;
    if (i->event->id.at <= span->from.at || !stream_wants(s, i->event, span->late))
        return true;
    bool has_bytes = is_first || b->bytes + i->event->data.len <= most;
    if (b->len >= room_for(s) || !has_bytes)
        return false;
    batch_add(b, i);
    return true;
}

/* Writes the batch; the stream is then at `to`. A poll whose answer is full is answered. */
static bool write_out(struct stream *s, const struct span *span, Cursor to, bool is_full)
{
    advance(s, span, to);
    bool may_go_on = stream_write_batch(s, span->late);
    if (s->is_poll && is_full && s->state == STREAM_BEHIND)
        stream_rest(s, s->at, true);
    return may_go_on && s->state == STREAM_BEHIND;
}

static bool is_answer_full(const struct stream *s)
{
    return s->is_poll &&
           (s->roster->batch.len >= s->left || s->roster->batch.bytes >= s->left_bytes);
}

static bool serve_from_shelf(struct stream *s, const struct span *span)
{
    const struct shelf *shelf = s->roster->shelf;
    Cursor to = span->from;
    batch_clear(&s->roster->batch);
    size_t i = shelf_find(shelf, span->from.at), end = shelf_find(shelf, span->upto.at);
    for (; i < end; i++) {
        struct item *item = shelf_get(shelf, i);
        if (!gather(s, span, item))
            break;
        to = item->event->id;
    }
    bool is_full = i < end && s->roster->batch.len == 0; /* not even one more */
    return write_out(s, span, i == end ? span->upto : to, is_full);
}

static void ask_hub(struct stream *s, const struct span *span, Cursor goal)
{
    struct replay *p = s->replay;
    struct buf names;
    buf_init(&names, LIST_MAX);
    stream_put_names(s, &names, span->late);
    p->is_falling = !p->is_measured;
    p->goal = goal;
    Position upto = p->is_falling && p->low ? p->low - 1 : goal.at;
    uint32_t rows = p->is_falling ? SLICE_ROWS : (uint32_t)room_for(s);
    slice_want(s->roster->slices, &p->waiter, span->from.at, upto, rows, p->is_falling,
               buf_str(&names));
    buf_fini(&names);
}

/* Live, unless the link is not yet where it is, or where a part of it begins, or where all of that
 * is there again after what was pruned. */
static void catch_up(struct stream *s)
{
    Position flushed = s->roster->flushed.at;
    bool is_ahead = s->at.at > flushed;
    for (size_t i = 0; i < s->part_count; i++)
        is_ahead |= s->parts[i].from > flushed || s->parts[i].sub->covered.at > flushed;
    write_kept(s);
    stream_rest(s, s->at, false);
    if (s->state != STREAM_BEHIND)
        return;
    if (!is_ahead) /* else the next tick looks again */
        stream_go_live(s);
}

static void end_late(struct stream *s)
{
    s->replay->is_late = false;
    for (size_t i = 0; i < s->part_count; i++)
        s->parts[i].is_late = false;
}

/* One piece; whether there may be another at once. */
static bool serve_piece(struct stream *s)
{
    if (!say_gap(s))
        return false;
    struct span span = next_span(s);
    if (span.from.at >= span.upto.at) {
        if (span.late)
            end_late(s);
        else
            catch_up(s);
        return span.late;
    }
    struct replay *p = replay_of(s);
    Cursor covered = cover(s, &span);
    bool is_begun = p->low || p->is_measured;
    if (!is_begun) {
        p->count = p->bytes = 0;
        if (measure_shelf(s, &span, covered.at))
            return true; /* the gap comes first */
    }
    if (covered.at <= span.from.at) {
        p->is_measured = true;
        return serve_from_shelf(s, &span);
    }
    if (s->left && s->left_bytes)
        ask_hub(s, &span, covered.at < span.upto.at ? covered : span.upto);
    else
        stream_rest(s, s->at, true); /* what more there is the next answer takes */
    return false;
}

void replay_serve(struct stream *s)
{
    if (!s->is_greeted && !stream_greet(s))
        return;
    if (replay_is_held(s)) {
        say_gap(s);
        return;
    }
    while (s->state == STREAM_BEHIND && !s->is_full && serve_piece(s))
        ;
}

/* Whether a floor that rose is news: some name that was not told of it, and is owed what is gone.
 */
static bool is_news(const struct stream *s, Str list, Position oldest, struct buf *names)
{
    const struct replay *p = s->replay;
    bool is_told = p->told_upto >= oldest;
    for (Str name; list_next(&list, &name);) {
        const struct part *part = stream_find_part(s, name);
        bool is_owed = part && part_begin(part) < oldest;
        if (is_owed && !(is_told && list_has(buf_str(&p->told), name)))
            list_put(names, name);
    }
    return names->len > 0;
}

static bool say_missing(struct stream *s, const struct span *span, const struct slice_rows *rows)
{
    struct buf names;
    char text[CURSOR_TEXT];
    Cursor oldest = still_gone(s, span, rows->oldest);
    buf_init(&names, LIST_MAX);
    if (rows->reason != GAP_NONE && is_news(s, rows->missing, oldest.at, &names)) {
        struct gap g = {cursor_print(span->from, text), oldest, rows->reason, buf_str(&names)};
        replay_owe_gap(s, &g);
    }
    buf_fini(&names);
    return say_gap(s);
}

/* Rising rows: written as far as the batch takes them. */
static void write_rows(struct stream *s, const struct span *span, const struct slice_rows *rows,
                       bool is_reversed)
{
    Cursor to = span->from;
    size_t i = 0;
    if (!say_missing(s, span, rows))
        return;
    batch_clear(&s->roster->batch);
    for (; i < rows->len; i++) {
        struct item *item = rows->items[is_reversed ? rows->len - 1 - i : i];
        if (!gather(s, span, item))
            break;
        to = item->event->id;
    }
    bool is_all = i == rows->len;
    if (is_all)
        to = rows->more && !is_reversed ? rows->next : s->replay->goal;
    bool is_full = !is_all || (is_answer_full(s) && rows->more);
    write_out(s, span, to, is_full);
}

/* Falling rows, from the new end down: either all fits, or the place is found from which on it
 * does. When one slice was all there is, it is written at once. */
static void measure_rows(struct stream *s, const struct span *span, const struct slice_rows *rows)
{
    struct replay *p = s->replay;
    for (size_t i = 0; i < rows->len; i++)
        if (measure_one(s, span, rows->items[i]->event))
            return;
    bool is_only = !p->low;
    bool is_stuck = rows->more && (rows->next.at <= 1 || (p->low && rows->next.at >= p->low));
    p->low = rows->next.at;
    if (rows->more && !is_stuck)
        return;
    p->is_measured = true;
    if (is_only && !rows->more)
        write_rows(s, span, rows, true);
}

static void take_rows(struct slice_waiter *w, const struct slice_rows *rows)
{
    struct replay *p = (struct replay *)(void *)w;
    struct stream *s = p->stream;
    if (s->state != STREAM_BEHIND || s->is_full || !rows)
        return; /* asked again when it can take it */
    struct span span = next_span(s);
    if (p->is_falling)
        measure_rows(s, &span, rows);
    else if (!rows->more || rows->next.at > span.from.at)
        write_rows(s, &span, rows, false);
    else
        return; /* no way on: the next tick tries again */
    stream_wake(s);
}
