#include "reading.h"

#include "attending.h"

#include "base/json.h"
#include "wire/names.h"

#include <stdio.h>

static void note(const struct browser *p, struct fact f)
{
    f.actor = str_of(p->actor);
    f.op = p->conn;
    world_note(p->world, f);
}

static Cursor cursor_of(struct browser *p, Str text)
{
    Cursor c = CURSOR_NONE;
    if (text.len && !cursor_parse(text, &c))
        world_fail(p->world, "answers", "%s reads an id that is none: %.*s", p->actor, FMT(text));
    return c;
}

static Str text_of(const Json *object, const char *name)
{
    const Json *v = json_get(object, name);
    return v && json_is_string(v) ? json_str(v) : STR_NONE;
}

static Json *parse(struct browser *p, Str text)
{
    struct fault why;
    Json *whole = json_parse(text, &why);
    if (!whole)
        world_fail(p->world, "answers", "%s reads what is no JSON: %s", p->actor, why.text);
    return whole;
}

static unsigned bit_of(Str name)
{
    for (unsigned i = 0; i < ROOM_NAMES; i++)
        if (str_eq(name, str_of(room_names[i])))
            return 1u << i;
    return 0;
}

/* Something may come of these, and nothing is owed. */
void page_note_limbo(struct browser *p, unsigned channels)
{
    p->limbo |= channels;
    p->has_late |= channels != 0;
    for (unsigned i = 0; i < ROOM_NAMES; i++)
        if (channels & 1u << i)
            note(p, (struct fact){
                        .what = FACT_JOINED, .channel = str_of(room_names[i]), .late = true});
}

/* Channels that were added by POST and are remembered, from where it goes on. */
static void note_remembered(struct browser *p)
{
    unsigned there = p->remembered;
    p->remembered = 0;
    for (unsigned i = 0; i < ROOM_NAMES; i++) {
        if (!(there & 1u << i))
            continue;
        Cursor from = p->from[i].at > p->began.at ? p->from[i] : p->began;
        if (!(p->told_from & 1u << i))
            from = CURSOR_NONE; /* the answer that said it was lost */
        p->has |= 1u << i;
        /* One that it does not want it has left, though nobody said so. */
        note(p, (struct fact){.what = FACT_JOINED,
                              .channel = str_of(room_names[i]),
                              .id = from,
                              .late = !(p->wants & 1u << i)});
    }
}

static void on_connected(struct browser *p, Str data)
{
    Json *whole = parse(p, data);
    const Json *names = json_get(whole, "channels"), *resumed = json_get(whole, "resumed");
    bool is_resumed = resumed && json_is_true(resumed);
    unsigned there = 0;
    for (size_t i = 0; names && i < json_len(names); i++)
        there |= bit_of(json_str(json_at(names, i)));
    Str client = text_of(whole, "clientId");
    snprintf(p->client, sizeof p->client, "%.*s", FMT(client));
    p->is_open = true;
    p->awaits_gap = p->has_cursor && !is_resumed;
    p->connected_at = p->world->mono;
    p->began = cursor_of(p, text_of(whole, "cursor"));
    note(p,
         (struct fact){.what = FACT_OPEN, .id = p->began, .resumed = is_resumed, .client = client});
    p->limbo = p->haunting;
    p->remembered = there & ~p->url & ~(p->has_user ? 1u << USER_CHANNEL : 0);
    p->is_held = p->has_cursor && !(p->url & p->given) && !p->remembered;
    p->told_from &= p->remembered;    /* what is not remembered begins anew, if it comes back */
    if (is_resumed || !p->has_cursor) /* else a gap says first what of it is still there */
        note_remembered(p);
    if (is_resumed || !p->has_cursor)
        page_note_limbo(p, p->limbo);
    json_free(whole);
}

static void note_gap(struct browser *p, const Json *gap, Str reason)
{
    struct buf names;
    buf_init(&names, SIZE_MAX / 2);
    const Json *list = json_get(gap, "channels");
    for (size_t i = 0; list && i < json_len(list); i++) {
        buf_putz(&names, names.len ? "," : "");
        buf_put(&names, json_str(json_at(list, i)));
    }
    p->has_forked |= !str_eq(reason, STR("pruned")) && !str_eq(reason, STR("limit"));
    note(p, (struct fact){.what = FACT_GAP,
                          .reason = reason,
                          .id = cursor_of(p, text_of(gap, "oldest")),
                          .channels = buf_str(&names)});
    buf_fini(&names);
}

static void on_gap(struct browser *p, Str data)
{
    Json *gap = parse(p, data);
    unsigned limbo = p->limbo;
    p->awaits_gap = false;
    page_note_left(p, limbo);
    note_gap(p, gap, text_of(gap, "reason"));
    note_remembered(p);
    page_note_limbo(p, limbo);
    json_free(gap);
}

static void on_bye(struct browser *p, Str data)
{
    Json *bye = parse(p, data);
    p->may_end = true;
    note(p, (struct fact){.what = FACT_BYE, .reason = text_of(bye, "reason")});
    json_free(bye);
}

static void receive(struct browser *p, Str channel, Str body, Cursor id)
{
    p->world->steps++;
    law_judge_event(p, body);
    note(p, (struct fact){.what = FACT_RECEIVE, .channel = channel, .body = body, .id = id});
}

static void on_message(struct browser *p, Str data, Cursor id)
{
    if (!p->has_envelope) {
        size_t at = str_find(data, '@');
        receive(p, str_skip(data, at < data.len ? at + 1 : at), data, id);
        return;
    }
    Json *whole = parse(p, data);
    receive(p, text_of(whole, "channel"), text_of(whole, "data"), id);
    json_free(whole);
}

static void take_block(struct browser *p, Str block)
{
    Str id = STR_NONE, event = STR_NONE, data = STR_NONE;
    for (Str line; str_cut(&block, '\n', &line);) {
        if (str_starts(line, STR("id: ")))
            id = str_skip(line, 4);
        else if (str_starts(line, STR("event: ")))
            event = str_skip(line, 7);
        else if (str_starts(line, STR("data: ")))
            data = str_skip(line, 6);
    }
    Cursor at = cursor_of(p, id);
    if (!cursor_is_none(at)) {
        p->has_ids |= !event.len;
        p->last = at;
    }
    if (str_eq(event, STR("connected")))
        on_connected(p, data);
    else if (str_eq(event, STR("gap")))
        on_gap(p, data);
    else if (str_eq(event, STR("bye")))
        on_bye(p, data);
    else if (str_eq(event, STR("presence")))
        page_on_presence(p, data);
    else if (str_eq(event, STR("token")) && p->expires)
        return; /* that its rights end soon */
    else if (data.p)
        on_message(p, data, at);
    else if (!cursor_is_none(at))
        note(p, (struct fact){.what = FACT_BEAT, .id = at});
}

void page_read(struct browser *p, size_t most)
{
    size_t start = 0;
    for (size_t i = 0; most && i + 1 < p->text.len; i++) {
        if (p->text.p[i] != '\n' || p->text.p[i + 1] != '\n')
            continue;
        take_block(p, str_make(p->text.p + start, i + 1 - start));
        start = i + 2;
        most--;
    }
    buf_drop(&p->text, start);
}

/* Where it goes on in another log: before the first that came, or that is kept. */
static Cursor goes_on_before(struct browser *p, const Json *events, Cursor end, const Json *gap)
{
    Cursor c = end, oldest = cursor_of(p, text_of(gap, "oldest"));
    for (size_t i = json_len(events); i-- > 0;) {
        Cursor id = cursor_of(p, text_of(json_at(events, i), "id"));
        if (!cursor_is_none(id))
            c = (Cursor){id.epoch, id.at - 1};
    }
    return oldest.at < c.at ? oldest : c;
}

void page_read_answer(struct browser *p)
{
    if (!p->text.len)
        return; /* it was cut off */
    if (str_eq(buf_str(&p->text), STR("503"))) {
        note(p, (struct fact){.what = FACT_REFUSED, .reason = STR("hub_away")});
        p->is_refused = true;
        return;
    }
    Json *whole = parse(p, buf_str(&p->text));
    const Json *events = json_get(whole, "events"), *gap = json_get(whole, "gap");
    Cursor end = cursor_of(p, text_of(whole, "cursor"));
    Str reason = text_of(gap, "reason");
    bool is_moved = json_is_object(gap) && !str_eq(reason, STR("pruned"));
    Cursor begin = is_moved                  ? goes_on_before(p, events, end, gap)
                   : cursor_is_none(p->last) ? p->began /* no answer says it */
                                             : p->last;
    note(p, (struct fact){.what = FACT_OPEN, .id = begin});
    /* Without a cursor it had nothing that could be undone, but some up to `oldest` may be gone. */
    if (is_moved && !p->has_cursor)
        reason = cursor_of(p, text_of(gap, "oldest")).at > begin.at ? STR("limit") : STR_NONE;
    if (reason.len)
        note_gap(p, gap, reason);
    for (size_t i = 0; i < json_len(events); i++) {
        const Json *e = json_at(events, i);
        receive(p, text_of(e, "channel"), text_of(e, "data"), cursor_of(p, text_of(e, "id")));
    }
    note(p, (struct fact){.what = FACT_BEAT, .id = end});
    p->last = end;
    p->has_more = json_is_true(json_get(whole, "more"));
    json_free(whole);
}
