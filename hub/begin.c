#include "begin.h"

#include "engine.h"

void begin_fini(struct begin *b)
{
    buf_fini(&b->missing);
}

bool begin_needs_find(const struct begin *b)
{
    return b->start == START_SINCE || (b->start == START_LAST && b->value > 0);
}

void begin_prepare_find(const struct hub *h, const struct begin *b, struct finding *f)
{
    f->op.kind = OP_FIND;
    f->channels_len = b->names.len;
    f->channels = b->names.len ? must_copy(b->names.p, b->names.len) : NULL;
    f->last = b->start == START_LAST ? b->value : 0;
    f->since = b->start == START_SINCE ? b->value : 0;
    f->now = h->now.wall;
}

/* No event of these names lies at or below it. Where the log has none of them, that is its very
 * beginning: channels that are added to a held start begin there too. */
static Position lowest_floor(const struct hub *h, Str names, Position join)
{
    Position lowest = join;
    bool has_any = false;
    for (Str name; list_next(&names, &name);) {
        const struct channel *ch = is_pattern(name) ? NULL : channel_find(&h->channels, name);
        Position floor = ch ? ch->order.floor : 0;
        if (!ch && !is_pattern(name))
            continue;
        lowest = floor < lowest ? floor : lowest;
        has_any = true;
    }
    return has_any ? lowest : 0;
}

/* Names those whose floor lies above `from`, or all. */
static Position find_missing(const struct hub *h, struct begin *b, Position from, bool all)
{
    Position oldest = from;
    Str rest = b->names;
    for (Str name; list_next(&rest, &name);) {
        Position floor = channel_table_floor(&h->channels, name);
        if (floor > oldest)
            oldest = floor;
        if (all || floor > from)
            list_put(&b->missing, name);
    }
    return oldest;
}

static Position judge_cursor(const struct hub *h, struct begin *b, Position join)
{
    Position from = b->at.at, oldest;
    b->reason = epochs_judge(&h->epochs, b->at, h->through, &from);
    if (b->reason == GAP_UNKNOWN)
        oldest = from = lowest_floor(h, b->names, join);
    else
        oldest = find_missing(h, b, from, b->reason == GAP_RESET);
    if (b->reason == GAP_UNKNOWN)
        (void)find_missing(h, b, from, true);
    if (b->reason == GAP_NONE && b->missing.len)
        b->reason = GAP_PRUNED;
    if (b->reason != GAP_NONE)
        b->oldest = hub_cursor(h, oldest);
    return from;
}

void begin_judge(const struct hub *h, struct begin *b, Position join, const struct finding *f)
{
    buf_init(&b->missing, BODY_MAX);
    b->reason = GAP_NONE;
    b->oldest = CURSOR_NONE;
    Position from = join;
    if (b->start == START_CURSOR)
        from = judge_cursor(h, b, join);
    else if (b->start == START_EARLIEST)
        from = 0;
    else if (f && f->after < join)
        from = f->after;
    b->from = hub_cursor(h, from);
}

void begin_take_missing(const struct hub *h, struct begin *b, const struct reading *r)
{
    if (b->reason == GAP_UNKNOWN || b->reason == GAP_RESET || r->missing_count == 0)
        return;
    b->reason = GAP_PRUNED;
    buf_fini(&b->missing);
    buf_init(&b->missing, BODY_MAX);
    Position oldest = 0;
    for (size_t i = 0; i < r->missing_count; i++) {
        list_put(&b->missing, str_of(r->missing[i].channel));
        if (r->missing[i].floor > oldest)
            oldest = r->missing[i].floor;
    }
    b->oldest = hub_cursor(h, oldest);
}

bool names_are_valid(Str list, const char *field, struct fault *why)
{
    if (!list_is_whole(list))
        return fail(why, REFUSE_MALFORMED, "%s: malformed", field);
    for (Str name; list_next(&list, &name);)
        if (!pattern_is_valid(name, field, why))
            return false;
    return true;
}
