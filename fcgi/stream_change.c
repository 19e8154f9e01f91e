/* What POST subscribe and unsubscribe do to a stream that is there already. */
#include "inside.h"

#include "link.h"

enum { LIST_MAX = 16 * 1024 * 1024 };
/* A stream that was opened with a cursor begins its additions there for so long. */
enum { CURSOR_HOLDS = 60 * 1000, QUIET = 200, HOLD_MOST = 2000 };

static Cursor where_to_begin(const struct stream *s, const struct msg_add *m)
{
    const struct roster *r = s->roster;
    if (m->start != START_DEFAULT)
        return m->from;
    bool is_young = !s->is_greeted || r->now - s->connected <= CURSOR_HOLDS;
    if (s->start == START_CURSOR && is_young)
        return s->opened;
    return s->at.at > r->at.at ? s->at : r->at;
}

static void remove_parts(struct stream *s, Str names)
{
    for (Str name; list_next(&names, &name);) {
        struct part *part = stream_find_part(s, name);
        if (part)
            stream_drop_part(s, part);
    }
}

static void add_parts(struct stream *s, const struct msg_add *m, Cursor begin)
{
    bool is_late = begin.at < s->at.at;
    if (is_late)
        replay_owe_late(s, begin);
    Str names = m->add;
    for (Str name; list_next(&names, &name);) {
        if (stream_find_part(s, name))
            continue; /* it goes on where it is */
        struct part *part = stream_add_part(s, name);
        subscription_join(part->sub, s->roster->at); /* at the join, or further */
        part->from = begin.at;
        part->is_added = true;
        part->is_late = is_late;
    }
}

/* A held start waits for more additions, but not for ever. */
static void hold_on(struct stream *s)
{
    if (!list_is_linked(&s->held))
        return;
    Msec quiet = s->roster->now + QUIET, end = s->connected + HOLD_MOST;
    s->hold_until = quiet < end ? quiet : end;
}

void stream_change(struct stream *s, const struct msg_add *m, Cursor *begin)
{
    stream_leave_live(s, s->roster->flushed);
    replay_drop(s);
    *begin = where_to_begin(s, m);
    audience_leave(s);
    remove_parts(s, m->remove);
    if (m->add.len)
        add_parts(s, m, *begin);
    audience_enter(s);
    if (m->add.len && m->reason != GAP_NONE) {
        Str missing = m->missing.len ? m->missing : m->add;
        struct gap g = {STR_NONE, m->oldest, m->reason, missing};
        replay_owe_gap(s, &g);
    }
    hold_on(s);
    stream_wake(s);
}
