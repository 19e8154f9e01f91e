#include "inside.h"

#include "link.h"
#include "wire/names.h"

#include <assert.h>
#include <stdlib.h>

/* More than this at once is taken from the shelf, piece by piece. */
enum { DUE_BYTES = 1024 * 1024, DUE_EVENTS = 4096, SMALLEST = 8 };

static int compare_parts(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    return str_cmp(x->sub->name, y->sub->name);
}

static bool has_patterns(const struct stream *s)
{
    for (size_t i = 0; i < s->part_count; i++)
        if (is_pattern(s->parts[i].sub->name))
            return true;
    return false;
}

/* Equal keys get equal bytes at equal times: the form, the names in order, and, where patterns
 * leave it to the rights what may be read, whose they are. */
static void put_key(struct buf *key, struct stream *s)
{
    if (s->part_count)
        qsort(s->parts, s->part_count, sizeof s->parts[0], compare_parts);
    buf_put(key, str_make((const char *)&s->ops, sizeof s->ops));
    for (size_t i = 0; i < s->part_count; i++)
        list_put(key, s->parts[i].sub->name);
    if (!has_patterns(s))
        return;
    list_put(key, str_make((const char *)&s->pass, sizeof s->pass));
    list_put(key, stream_user(s));
}

/* As it came with its request. */
static bool is_plain(const struct part *p)
{
    return !p->from && !p->caught && !p->is_added && !p->is_late;
}

/* Its parts are the same as those of all others here, where they are plain. */
static void share_parts(struct stream *s)
{
    struct audience *a = s->audience;
    for (size_t i = 0; i < s->part_count; i++)
        if (!is_plain(&s->parts[i]))
            return;
    if (!a->parts)
        a->parts = must_copy(s->parts, s->part_count * sizeof s->parts[0]);
    free(s->parts);
    s->parts = a->parts;
}

static void own_parts(struct stream *s)
{
    if (s->parts == s->audience->parts)
        s->parts = must_copy(s->parts, s->part_count * sizeof s->parts[0]);
}

static struct audience *make(struct roster *r, const struct stream *s, Str key)
{
    size_t seats = s->part_count * sizeof(struct seat);
    struct audience *a = must_alloc(sizeof *a + seats + key.len);
    char *text = (char *)a + sizeof *a + seats;
    memcpy(text, key.p, key.len);
    a->key = str_make(text, key.len);
    a->ops = s->ops;
    a->has_patterns = has_patterns(s);
    if (a->has_patterns)
        a->user = str_skip(a->key, key.len - s->user_len); /* its end */
    a->pass = pass_ref(s->pass);
    list_init(&a->live);
    a->seat_count = s->part_count;
    for (size_t i = 0; i < a->seat_count; i++) {
        a->seats[i].audience = a;
        list_append(&s->parts[i].sub->seats, &a->seats[i].node);
    }
    map_put(&r->audiences, a->key, a);
    return a;
}

struct audience *audience_enter(struct stream *s)
{
    struct roster *r = s->roster;
    struct buf key;
    buf_init(&key, SIZE_MAX / 2);
    put_key(&key, s);
    struct audience *a = map_get(&r->audiences, buf_str(&key));
    if (!a)
        a = make(r, s, buf_str(&key));
    buf_fini(&key);
    a->refs++;
    s->audience = a;
    share_parts(s);
    replay_mark(s);
    return a;
}

void audience_drop_due(struct audience *a)
{
    for (size_t i = 0; i < a->due_len; i++)
        item_unref(a->due[i]);
    a->due_len = a->due_bytes = 0;
    list_remove(&a->dirty);
}

void audience_leave(struct stream *s)
{
    struct audience *a = s->audience;
    if (!a)
        return;
    own_parts(s);
    s->audience = NULL;
    if (--a->refs)
        return;
    assert(list_is_empty(&a->live));
    audience_drop_due(a);
    for (size_t i = 0; i < a->seat_count; i++)
        list_remove(&a->seats[i].node);
    map_del(&s->roster->audiences, a->key);
    pass_unref(a->pass);
    free(a->due);
    free(a->parts);
    free(a);
}

static void add_due(struct roster *r, struct audience *a, struct item *i)
{
    if (a->due_len && a->due[a->due_len - 1] == i)
        return; /* by another of its names */
    a->bytes += event_size(i->event);
    if (list_is_empty(&a->live))
        return;
    if (a->due_len == a->due_cap) {
        a->due_cap = a->due_cap ? a->due_cap * 2 : SMALLEST;
        a->due = must_realloc(a->due, a->due_cap * sizeof(struct item *));
    }
    a->due[a->due_len++] = item_ref(i);
    a->due_bytes += i->event->data.len;
    if (!list_is_linked(&a->dirty))
        list_append(&r->dirty, &a->dirty);
}

static void add_to_seats(struct roster *r, struct subscription *sub, struct item *i)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &sub->seats)
    {
        struct audience *a = CONTAINER_OF(node, struct seat, node)->audience;
        if (!is_pattern(sub->name) || pass_may_read(a->pass, a->user, i->event->channel))
            add_due(r, a, i);
    }
}

/* What passed between two polls of a client follows its OPENED, and is for that poll alone. */
static void add_to_new_poll(struct roster *r, const struct page *p, struct item *i)
{
    struct stream *s = r->came;
    if (!s || s->page != p || !s->is_poll)
        return;
    stream_leave_live(s, r->flushed);
    if (s->state != STREAM_BEHIND)
        return;
    replay_keep(s, i);
    stream_wake(s);
}

/* To one client alone, on whatever channels it is; live ones only, since it is not kept. A poll
 * that has just come may not be live yet. */
static void add_to_page(struct roster *r, const struct page *p, struct item *i)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &p->streams)
    {
        struct stream *s = CONTAINER_OF(node, struct stream, mates);
        if (s->state == STREAM_BEHIND && s->is_poll)
            replay_keep(s, i);
        if (s->state != STREAM_LIVE)
            continue;
        s->is_odd = true;
        add_due(r, s->audience, i);
    }
}

static void mark_excluded(const struct page *p)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &p->streams)
    CONTAINER_OF(node, struct stream, mates)->is_odd = true;
}

void audience_spread(struct roster *r, struct item *i)
{
    const struct event *e = i->event;
    struct page *p = page_find(&r->pages, e->to.len ? e->to : e->exclude);
    if (e->to.len) {
        if (p && (e->flags & EVENT_MISSED))
            add_to_new_poll(r, p, i);
        else if (p)
            add_to_page(r, p, i);
        return;
    }
    if (p)
        mark_excluded(p);
    struct subscription *exact = subscription_find(&r->subs, e->channel);
    if (exact)
        add_to_seats(r, exact, i);
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->subs.patterns)
    {
        struct subscription *sub = CONTAINER_OF(node, struct subscription, patterns);
        if (pattern_matches(sub->name, e->channel))
            add_to_seats(r, sub, i);
    }
}

/* What is for everybody in the audience, or what is for one stream, as much as that takes. */
static void gather(struct roster *r, const struct audience *a, const struct stream *s)
{
    batch_clear(&r->batch);
    Msec wall = link_wall(r->link);
    for (size_t i = 0; i < a->due_len; i++) {
        const struct event *e = a->due[i]->event;
        if (event_is_expired(e, wall) || (s ? !stream_is_for(s, e) : e->to.len > 0))
            continue;
        batch_add(&r->batch, a->due[i]);
    }
}

/* A poll takes what its answer holds; its cursor stays at the last one taken. */
static void answer_poll(struct stream *s, Cursor before)
{
    struct batch *b = &s->roster->batch;
    size_t whole = b->len, n = 0, bytes = 0;
    while (n < whole && n < s->left &&
           (!n || bytes + b->items[n]->event->data.len <= s->left_bytes))
        bytes += b->items[n++]->event->data.len;
    b->len = n;
    Cursor at = n < whole ? before : s->roster->flushed;
    for (size_t i = 0; n < whole && i < n; i++)
        if (!event_is_ephemeral(b->items[i]->event))
            at = b->items[i]->event->id;
    if (stream_write_batch(s, false))
        stream_rest(s, at, n < whole);
}

/* One whose batch is its own. */
static void flush_odd(struct roster *r, struct audience *a, struct stream *s, Cursor before)
{
    gather(r, a, s);
    s->is_odd = false;
    if (!r->batch.len)
        return;
    if (s->is_poll)
        answer_poll(s, before);
    else
        stream_write_batch(s, false);
}

/* True: there may be some whose batch is their own. */
static bool flush_shared(struct roster *r, struct audience *a)
{
    gather(r, a, NULL);
    if (!r->batch.len)
        return true;
    bool has_odd = false;
    struct chunk *chunk = batch_chunk(&r->batch, a->ops, false);
    size_t count = r->batch.len;
    Position last = batch_last(&r->batch);
    struct list *node, *safe;
    LIST_EACH(node, safe, &a->live)
    {
        struct stream *s = CONTAINER_OF(node, struct stream, place);
        bool is_odd = s->is_odd || s->is_poll;
        has_odd |= is_odd;
        if (s->state != STREAM_LIVE || is_odd)
            continue;
        r->counts.deliveries += count;
        r->writes++;
        stream_wrote(s, s->ops->events(s->to, chunk, count, last));
    }
    chunk_unref(chunk);
    return has_odd;
}

static void flush_apart(struct roster *r, struct audience *a, Cursor before)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &a->live)
    {
        struct stream *s = CONTAINER_OF(node, struct stream, place);
        if (s->state == STREAM_LIVE && (s->is_odd || s->is_poll))
            flush_odd(r, a, s, before);
    }
}

void audience_flush(struct roster *r, struct audience *a, Cursor before)
{
    struct list *node, *safe;
    if (a->due_bytes > DUE_BYTES || a->due_len > DUE_EVENTS) {
        LIST_EACH(node, safe, &a->live)
        {
            struct stream *s = CONTAINER_OF(node, struct stream, place);
            stream_leave_live(s, before);
            stream_wake(s);
        }
    }
    if (flush_shared(r, a))
        flush_apart(r, a, before);
    audience_drop_due(a);
}
