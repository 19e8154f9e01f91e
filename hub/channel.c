#include "channel.h"

#include "base/memory.h"
#include "wire/names.h"

enum { SLACK = 64 }; /* one part of so many above `keep` */

static size_t size_of(Str name)
{
    return offsetof(struct channel, text) + name.len;
}

void channel_table_init(struct channel_table *c, const struct options *o)
{
    *c = (struct channel_table){.o = o, .next_row = 1};
    pool_init(&c->pool);
    map_init(&c->by_name);
    heap_init(&c->due);
    heap_init(&c->aged);
    list_init(&c->changed);
}

void channel_table_fini(struct channel_table *c)
{
    struct channel *ch;
    heap_fini(&c->due); /* they write into what they hold */
    heap_fini(&c->aged);
    for (size_t at = 0; (ch = map_next(&c->by_name, &at));)
        pool_free(&c->pool, ch, size_of(ch->order.name));
    map_fini(&c->by_name);
    pool_fini(&c->pool);
}

static struct channel *make(struct channel_table *c, Str name, Position floor)
{
    struct channel *ch = pool_alloc(&c->pool, size_of(name));
    memcpy(ch->text, name.p, name.len);
    name.p = ch->text;
    ch->keep = options_retention(c->o, name);
    map_put(&c->by_name, name, ch);
    order_add(&c->order, &ch->order, name, floor);
    return ch;
}

static void unmake(struct channel_table *c, struct channel *ch)
{
    map_del(&c->by_name, ch->order.name);
    order_remove(&c->order, &ch->order);
    heap_remove(&c->due, &ch->due);
    heap_remove(&c->aged, &ch->aged);
    if (list_is_linked(&ch->changed)) {
        list_remove(&ch->changed);
        c->changed_count--;
    }
    pool_free(&c->pool, ch, size_of(ch->order.name));
}

void channel_load(struct channel_table *c, const struct journal_channel *from)
{
    struct channel *ch = make(c, from->name, from->floor);
    ch->row = from->row;
    ch->last = from->last;
    ch->count = from->count;
    ch->bytes = from->bytes;
    ch->oldest = from->count ? from->oldest : 0;
    ch->stored = true;
    c->events += ch->count;
    c->bytes += ch->bytes;
    if (ch->row >= c->next_row)
        c->next_row = ch->row + 1;
}

void channel_table_start(struct channel_table *c, Msec wall)
{
    struct channel *ch;
    for (size_t at = 0; (ch = map_next(&c->by_name, &at));) {
        ch->emptied = wall;
        channel_schedule(c, ch);
    }
}

struct channel *channel_find(const struct channel_table *c, Str name)
{
    return map_get(&c->by_name, name);
}

struct channel *channel_need(struct channel_table *c, Str name, Msec wall)
{
    struct channel *ch = channel_find(c, name);
    if (ch || c->by_name.len >= c->o->max_channels)
        return ch;
    ch = make(c, name, c->forgotten);
    ch->row = c->next_row++;
    ch->emptied = wall;
    return ch;
}

void channel_release(struct channel_table *c, struct channel *ch)
{
    if (!ch->stored && ch->pending == 0 && !ch->is_forgetting)
        unmake(c, ch);
}

static void note_change(struct channel_table *c, struct channel *ch)
{
    if (list_is_linked(&ch->changed))
        return;
    list_append(&c->changed, &ch->changed);
    c->changed_count++;
}

void channels_not_noted(struct channel_table *c)
{
    struct channel *ch;
    for (size_t at = 0; (ch = map_next(&c->by_name, &at));)
        if (ch->note == c->notes)
            note_change(c, ch);
}

void channel_count(struct channel_table *c, struct channel *ch, const struct event *e)
{
    uint64_t size = event_size(e);
    ch->stored = true;
    ch->last = e->id.at;
    ch->count++;
    ch->bytes += size;
    c->events++;
    c->bytes += size;
    note_change(c, ch);
    bool is_first = ch->oldest == 0;
    if (is_first)
        ch->oldest = e->time;
    if (is_first || channel_is_over(ch))
        channel_schedule(c, ch);
}

static void lessen(struct channel_table *c, struct channel *ch, uint64_t rows, uint64_t bytes)
{
    rows = rows < ch->count ? rows : ch->count;
    bytes = bytes < ch->bytes ? bytes : ch->bytes;
    ch->count -= rows;
    ch->bytes -= bytes;
    c->events -= rows;
    c->bytes -= bytes;
}

void channel_discount(struct channel_table *c, struct channel *ch, const struct prune *p, Msec wall)
{
    if (p->oldest)
        lessen(c, ch, p->rows, p->bytes);
    else
        lessen(c, ch, ch->count, ch->bytes); /* nothing is left */
    order_raise(&ch->order, p->floor);
    ch->oldest = p->oldest;
    if (ch->count == 0)
        ch->emptied = wall;
    note_change(c, ch);
}

bool channel_is_over(const struct channel *ch)
{
    return ch->count > ch->keep.keep + ch->keep.keep / SLACK || ch->bytes > ch->keep.bytes;
}

/* A time that no clock tells, of a file that is damaged, does not come round to the past. */
static Msec later(Msec from, Msec after)
{
    return from > UINT64_MAX - after ? UINT64_MAX : from + after;
}

void channel_schedule(struct channel_table *c, struct channel *ch)
{
    if (ch->oldest && !ch->is_pruning)
        heap_set(&c->aged, &ch->aged, ch->oldest);
    else
        heap_remove(&c->aged, &ch->aged);
    if (ch->is_pruning || ch->is_forgetting)
        heap_remove(&c->due, &ch->due);
    else if (channel_is_over(ch))
        heap_set(&c->due, &ch->due, 0);
    else
        heap_set(&c->due, &ch->due, later(ch->oldest ? ch->oldest : ch->emptied, ch->keep.age));
}

void channel_forgotten(struct channel_table *c, struct channel *ch)
{
    ch->stored = false;
    order_raise(&ch->order, c->forgotten);
    channel_release(c, ch);
}

Position channel_table_floor(const struct channel_table *c, Str name)
{
    if (!is_pattern(name)) {
        const struct channel *ch = channel_find(c, name);
        return ch ? ch->order.floor : c->forgotten;
    }
    struct name_range ranges[PATTERN_RANGES];
    Position highest = c->forgotten;
    for (size_t i = 0, n = pattern_ranges(name, ranges); i < n; i++) {
        Position floor = order_highest(&c->order, str_of(ranges[i].from), str_of(ranges[i].to));
        highest = floor > highest ? floor : highest;
    }
    return highest;
}
