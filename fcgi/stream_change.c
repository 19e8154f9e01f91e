/* What POST subscribe and unsubscribe do to a stream that is there already. */
#include "inside.h"

#include "link.h"
#include "wire/names.h"

enum { LIST_MAX = 16 * 1024 * 1024 };
/* A stream that was opened with a cursor begins its additions there for so long. */
enum { CURSOR_HOLDS = 60 * 1000, QUIET = 200, HOLD_MOST = 2000 };

static Cursor where_to_begin(const struct stream *s, const struct msg_add *m)
{
    const struct roster *r = s->roster;
    if (m->start != START_DEFAULT)
        return m->from;
    bool is_young = !s->is_greeted || r->now - stream_greeted(s) <= CURSOR_HOLDS;
    if (s->start == START_CURSOR && is_young)
        return s->opened;
    /* One that is over is where it was, be it in another log. */
    return stream_is_on(s) && s->at.at > r->at.at ? s->at : r->at;
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
    roster_reach(s->roster, begin);
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

/* What it may no longer have goes. What a pattern takes in more than before begins here. */
static void review_parts(struct stream *s)
{
    for (size_t i = s->part_count; i-- > 0;) {
        struct part *part = &s->parts[i];
        if (!stream_may_read(s, part->sub->name))
            stream_drop_part(s, part);
        else if (is_pattern(part->sub->name) && !part->is_late && part->caught < s->at.at)
            part->caught = s->at.at;
    }
}

/* The same user has shown another token. */
static void renew_rights(struct stream *s, const struct msg_add *m)
{
    struct pass *old = s->pass;
    struct rights rights = old->rights;
    Str lists = m->grants;
    rights.user = stream_user(s);
    rights.grants = (struct grants){0};
    if (list_next(&lists, &rights.grants.subscribe) && list_next(&lists, &rights.grants.publish))
        list_next(&lists, &rights.grants.presence);
    s->pass = pass_take(&s->roster->passes, &rights);
    stream_know(s, m->token, m->issued, m->expires);
    s->is_warned = false;
    pass_unref(old);
    review_parts(s);
}

/* What the application has allowed of its channels so far, and these. */
static void take_asked(struct stream *s, const struct msg_add *m)
{
    struct rights rights = s->pass->rights;
    struct pass *old = s->pass;
    struct buf asked;
    Str names = rights.asked.subscribe;
    buf_init(&asked, LIST_MAX);
    for (Str name; list_next(&names, &name);)
        if (stream_find_part(s, name) && !list_has(m->asked, name))
            list_put(&asked, name);
    buf_put(&asked, m->asked);
    rights.user = stream_user(s);
    rights.asked.subscribe = buf_str(&asked);
    s->pass = pass_take(&s->roster->passes, &rights);
    pass_unref(old);
    buf_fini(&asked);
    struct extras *x = stream_extras(s);
    if (m->asked_until && (!x->asked_until || m->asked_until < x->asked_until))
        x->asked_until = m->asked_until;
}

/* A held start waits for more additions, but not for ever. */
static void hold_on(struct stream *s)
{
    Msec quiet = s->roster->now + QUIET, end = stream_greeted(s) + HOLD_MOST;
    if (replay_is_held(s))
        replay_hold(s, quiet < end ? quiet : end);
}

void stream_change(struct stream *s, const struct msg_add *m, Cursor *begin)
{
    stream_leave_live(s, s->roster->flushed);
    replay_drop(s);
    *begin = where_to_begin(s, m);
    audience_leave(s);
    remove_parts(s, m->remove);
    if (m->grants.len)
        renew_rights(s, m);
    if (m->asked.len && list_is_whole(m->asked))
        take_asked(s, m);
    if (m->add.len)
        add_parts(s, m, *begin);
    audience_enter(s);
    stream_watch(s);
    Cursor oldest = m->oldest;
    if (m->add.len && replay_misses(s, m->reason, *begin, &oldest)) {
        Str missing = m->missing.len ? m->missing : m->add;
        struct gap g = {STR_NONE, oldest, m->reason, missing};
        replay_owe_gap(s, &g);
    }
    hold_on(s);
    stream_wake(s);
}

static bool may_read_all(const struct stream *s)
{
    for (size_t i = 0; i < s->part_count; i++)
        if (!stream_may_read(s, s->parts[i].sub->name))
            return false;
    return true;
}

/* With another pass it is in another audience. */
static void change_pass(struct stream *s, struct pass *pass)
{
    bool is_open = s->audience != NULL;
    if (is_open) {
        stream_leave_live(s, s->roster->flushed);
        replay_drop(s);
        audience_leave(s);
    }
    pass_unref(s->pass);
    s->pass = pass;
    review_parts(s);
    if (is_open) {
        audience_enter(s);
        stream_watch(s);
        stream_wake(s);
    }
}

void stream_review(struct stream *s)
{
    const struct accounts *a = &s->roster->accounts;
    if (s->state == STREAM_GONE || s->state == STREAM_PARTING)
        return;
    struct rights rights = s->pass->rights;
    rights.user = stream_user(s);
    accounts_grant(a, &rights);
    struct pass *pass = pass_take(&s->roster->passes, &rights), *before = s->pass;
    s->pass = pass;
    const struct extras *x = s->extras;
    bool may_stay =
        accounts_admit(a, stream_user(s), str_of(x ? x->token : NULL), x ? x->issued : 0) &&
        may_read_all(s);
    s->pass = before;
    if (!may_stay)
        stream_bye(s, BYE_KICKED);
    if (may_stay && pass != before)
        change_pass(s, pass);
    else
        pass_unref(pass);
}
