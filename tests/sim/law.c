#include "law.h"

#include "base/json.h"
#include "wire/refusal.h"
#include "world.h"

#include <stdio.h>

enum { PATIENCE = 400, QUESTION = 200, LATE = 8000, PRESENCE_LATE = 25000 };

static const char *const right_names[LAW_RIGHTS] = {"subscribe", "presence"};
static const char *const sources[LAW_SOURCES] = {"ann", "*"};

static const char *room_of(unsigned room)
{
    return room_names[CLOSED_FIRST + room];
}

static void note(struct world *w, enum what what, unsigned room)
{
    world_note(w, (struct fact){.actor = STR("root"),
                                .what = what,
                                .channel = str_of(room_of(room)),
                                .user = STR("ann")});
}

/* By any source. */
static bool may_be(const struct world *w, unsigned room, enum law_right right)
{
    return w->law.grants[LAW_OWN][room][right].may_be ||
           w->law.grants[LAW_SHARED][room][right].may_be;
}

static bool is_sure(const struct world *w, unsigned room, enum law_right right)
{
    return w->law.grants[LAW_OWN][room][right].is_sure ||
           w->law.grants[LAW_SHARED][room][right].is_sure;
}

/* Asking. */

static void send(struct world *w, struct law_question *q, const char *peer, const char *question)
{
    struct hubside *h = &w->hub;
    Str frame = str_of(question);
    q->is_open = true;
    q->is_sent = h->hub && !h->is_stopping && w->mono >= h->awake_at;
    q->again_at = w->mono + PATIENCE;
    if (q->is_sent)
        hub_on_admin(h->hub, str_of(peer), &frame, 1, world_now(w));
}

/* The peer's name says which question it is, so that its answer is known by it. */
static void ask_grant(struct world *w, unsigned source, unsigned room, unsigned right)
{
    struct law_question *q = &w->law.grants[source][room][right].question;
    char text[QUESTION],
        peer[] = {'g', (char)('0' + source), (char)('0' + room), (char)('0' + right), 0};
    snprintf(
        text, sizeof text, "{\"do\":\"%s\",\"user\":\"%s\",\"right\":\"%s\",\"channel\":\"%s\"}",
        q->is_granting ? "grant" : "revoke", sources[source], right_names[right], room_of(room));
    send(w, q, peer, text);
}

static void ask_user(struct world *w)
{
    struct law *law = &w->law;
    char text[QUESTION];
    snprintf(text, sizeof text, "{\"do\":\"user\",\"user\":\"ann\",\"action\":\"%s\"}",
             !law->is_added          ? "add"
             : law->user.is_granting ? "enable"
                                     : "disable");
    send(w, &law->user, "user", text);
}

static void ask_cut(struct world *w)
{
    send(w, &w->law.cut, "cut", "{\"do\":\"revoke\",\"user\":\"ann\"}");
}

void law_begin(struct world *w)
{
    for (unsigned room = 0; room < CLOSED_ROOMS; room++) { /* so that it counts as closed */
        struct fact f = {.actor = STR("root"), .channel = str_of(room_of(room))};
        f.user = STR("nobody");
        f.what = FACT_GRANT;
        world_note(w, f);
        f.what = FACT_REVOKE;
        world_note(w, f);
    }
    w->law.user.is_open = true;
}

static void change_grant(struct world *w, unsigned source, unsigned room, unsigned right)
{
    struct law_grant *g = &w->law.grants[source][room][right];
    bool was_sure = is_sure(w, room, right), was_possible = may_be(w, room, right);
    if (g->question.is_open)
        return;
    g->question.is_granting = !g->may_be;
    g->may_be = true;
    g->is_sure = false;
    if (right == LAW_SUBSCRIBE && !was_possible)
        note(w, FACT_GRANT, room);
    if (right == LAW_SUBSCRIBE && was_sure && !is_sure(w, room, right))
        note(w, FACT_REVOKING, room);
    ask_grant(w, source, room, right);
}

static void change_user(struct world *w, bool lets_in)
{
    struct law *law = &w->law;
    if (law->user.is_open || law->is_disabled != lets_in)
        return;
    law->is_disabled = false;
    law->user.is_granting = lets_in;
    ask_user(w);
}

static void kick(struct world *w, struct dice *d)
{
    char text[QUESTION];
    const struct browser *p = &w->pages[dice_roll(d, w->setup.pages)];
    Str frame = STR("{\"do\":\"kick\",\"name\":\"ann\"}");
    if (p->is_made && *p->client && dice_luck(d, 50)) {
        snprintf(text, sizeof text, "{\"do\":\"kick\",\"name\":\"%s\"}", p->client);
        frame = str_of(text);
    }
    if (w->hub.hub && !w->hub.is_stopping)
        hub_on_admin(w->hub.hub, STR("kick"), &frame, 1, world_now(w));
}

void law_act(struct world *w, struct dice *d)
{
    uint64_t what = dice_roll(d, 100);
    unsigned room = (unsigned)dice_roll(d, CLOSED_ROOMS);
    unsigned source = dice_luck(d, 70) ? LAW_OWN : LAW_SHARED;
    if (what < 50) {
        change_grant(w, source, room, LAW_SUBSCRIBE);
    } else if (what < 62) {
        change_grant(w, source, room, LAW_PRESENCE);
    } else if (what < 72) { /* at once, of one row */
        change_grant(w, source, room, LAW_SUBSCRIBE);
        change_grant(w, source, room, LAW_PRESENCE);
    } else if (what < 84) {
        change_user(w, w->law.is_disabled);
    } else if (what < 92 && !w->law.cut.is_open) {
        w->law.cut_asked = w->mono;
        ask_cut(w);
    } else {
        kick(w, d);
    }
}

/* Answers. */

static void on_grant(struct world *w, struct law_grant *g, unsigned room, unsigned right)
{
    bool was_sure = is_sure(w, room, right);
    if (g->question.is_granting) {
        g->is_sure = true;
        if (right == LAW_SUBSCRIBE && !was_sure)
            note(w, FACT_GRANTED, room);
        return;
    }
    g->may_be = false;
    if (may_be(w, room, right))
        return;
    if (right == LAW_SUBSCRIBE)
        note(w, FACT_REVOKE, room);
    else
        w->law.blind_since[room] = w->mono;
}

static void on_user(struct world *w)
{
    struct law *law = &w->law;
    if (!law->is_added) {
        law->is_added = true;
    } else if (!law->user.is_granting) {
        law->is_disabled = true;
        law->disabled_at = w->mono;
    }
}

/* Whether it is done: what was done before, and not known, is refused the second time. */
static bool is_done(struct world *w, Str answer)
{
    struct fault why;
    Json *whole = json_parse(answer, &why);
    if (!whole)
        world_fail(w, "answers", "the hub answers %.*s", FMT(answer));
    Str code = json_is_true(json_get(whole, "ok")) ? STR_NONE : json_str(json_get(whole, "code"));
    bool ok = !code.len || str_eq(code, STR("not_found")) || str_eq(code, STR("conflict"));
    json_free(whole);
    return ok;
}

void law_on_answer(struct world *w, Str peer, Str answer)
{
    struct law *law = &w->law;
    struct law_grant *g =
        peer.p[0] == 'g' ? &law->grants[peer.p[1] - '0'][peer.p[2] - '0'][peer.p[3] - '0'] : NULL;
    struct law_question *q = g                           ? &g->question
                             : str_eq(peer, STR("user")) ? &law->user
                             : str_eq(peer, STR("cut"))  ? &law->cut
                                                         : NULL;
    if (!q)
        return;
    q->is_sent = false;
    q->is_open = !is_done(w, answer);
    if (q->is_open)
        return;
    if (g) {
        on_grant(w, g, (unsigned)(peer.p[2] - '0'), (unsigned)(peer.p[3] - '0'));
    } else if (q == &law->user) {
        on_user(w);
    } else {
        law->cut_before = law->cut_asked;
        law->cut_at = w->mono;
    }
}

static bool is_due(const struct world *w, const struct law_question *q)
{
    return q->is_open && !q->is_sent && w->mono >= q->again_at;
}

/* GRANTS(w) runs over all of them. */
#define GRANTS(source, room, right)                                                                \
    for (unsigned source = 0; source < LAW_SOURCES; source++)                                      \
        for (unsigned room = 0; room < CLOSED_ROOMS; room++)                                       \
            for (unsigned right = 0; right < LAW_RIGHTS; right++)

void law_turn(struct world *w)
{
    if (!w->setup.has_rights)
        return;
    GRANTS(source, room, right)
    if (is_due(w, &w->law.grants[source][room][right].question))
        ask_grant(w, source, room, right);
    if (is_due(w, &w->law.user))
        ask_user(w);
    if (is_due(w, &w->law.cut))
        ask_cut(w);
}

void law_on_hub_gone(struct world *w)
{
    GRANTS(source, room, right)
    w->law.grants[source][room][right].question.is_sent = false;
    w->law.user.is_sent = w->law.cut.is_sent = false;
}

void law_settle(struct world *w)
{
    if (w->setup.has_rights && w->law.is_disabled)
        change_user(w, true);
}

bool law_is_done(const struct world *w)
{
    bool is_open = w->law.user.is_open || w->law.cut.is_open;
    GRANTS(source, room, right)
    is_open |= w->law.grants[source][room][right].question.is_open;
    return !is_open && !w->law.is_disabled;
}

/* Judging. */

static bool is_known(const struct world *w, const struct accounts *a)
{
    static const enum action actions[LAW_RIGHTS] = {MAY_SUBSCRIBE, MAY_PRESENCE};
    struct rights rights = options_rights(&w->worker_options);
    rights.user = STR("ann");
    accounts_grant(a, &rights);
    bool ok = accounts_admit(a, rights.user, STR_NONE, w->wall);
    for (unsigned room = 0; room < CLOSED_ROOMS; room++)
        for (unsigned right = 0; right < LAW_RIGHTS; right++)
            ok &= may(&rights, actions[right], str_of(room_of(room))) == is_sure(w, room, right);
    return ok;
}

const char *law_who_errs(const struct world *w)
{
    for (unsigned i = 0; w->setup.has_rights && i < world_sides(w); i++) {
        const struct workside *k = &w->workers[i];
        const struct accounts *a = k->is_meant && k->link ? roster_accounts(k->roster) : NULL;
        if (a && !is_known(w, a))
            return k->side;
    }
    return NULL;
}

unsigned law_allows(const struct browser *p)
{
    unsigned allowed = UINT32_MAX;
    for (unsigned room = 0; p->world->setup.has_rights && room < CLOSED_ROOMS; room++)
        if (!p->has_user || !is_sure(p->world, room, LAW_SUBSCRIBE))
            allowed &= ~(1u << (CLOSED_FIRST + room));
    return allowed;
}

static bool is_closed(const struct world *w, unsigned channel)
{
    return w->setup.has_rights && channel >= CLOSED_FIRST && channel < CLOSED_FIRST + CLOSED_ROOMS;
}

bool law_shows_presence(const struct browser *p, unsigned channel)
{
    return !is_closed(p->world, channel) ||
           (p->has_user && is_sure(p->world, channel - CLOSED_FIRST, LAW_PRESENCE));
}

void law_judge_presence(struct browser *p, unsigned channel)
{
    struct world *w = p->world;
    if (!is_closed(w, channel) || (p->has_user && may_be(w, channel - CLOSED_FIRST, LAW_PRESENCE)))
        return;
    Msec since = w->law.blind_since[channel - CLOSED_FIRST];
    if (!p->has_user || since < p->came_at || since + PRESENCE_LATE < w->mono)
        world_fail(w, "leak", "%s is told who is on %s", p->actor, room_names[channel]);
}

/* Ann's own, that was taken. */
void law_judge_publish(struct world *w, Msec invoked)
{
    if (w->law.is_disabled && invoked > w->law.disabled_at)
        world_fail(w, "refused", "one who is disabled publishes");
}

void law_judge_event(struct browser *p, Str body)
{
    struct world *w = p->world;
    uint64_t number = 0;
    size_t digits = str_find(body, '@');
    bool is_fleeting = body.len && body.p[0] == '~';
    Str text = str_skip(str_make(body.p, digits), is_fleeting);
    if (!w->setup.has_rights || !p->has_user || !str_to_u64(text, &number) || number > w->bodies)
        return;
    Msec begun = w->begun[number - 1];
    bool is_cut = p->came_at < w->law.cut_before && begun > w->law.cut_at;
    bool is_out = w->law.is_disabled && begun > w->law.disabled_at;
    if (is_cut || is_out)
        world_fail(w, "leak", "%s was to end, and gets %.*s", p->actor, FMT(body));
    if (p->expires && begun > p->expires + LATE)
        world_fail(w, "leak", "what %s may is over, and it gets %.*s", p->actor, FMT(body));
}
