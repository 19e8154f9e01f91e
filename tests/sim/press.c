/* Those who publish: through a worker, as a POST does, or with a tool of their own. What comes
 * back unknown and has a key is tried again. */
#include "world.h"

#include "wire/names.h"
#include "wire/refusal.h"

#include <stdio.h>
#include <stdlib.h>

enum { EVENTS_MOST = 4, RETRY = 300, TRIES = 8, TEXT = 40, TTL = 2 };

/* One request: a few sends, in one transaction. */
struct meant {
    struct call call; /* first; linked by its node among retries and tool calls, too */
    struct world *world;
    char actor[16];
    size_t n;
    struct {
        unsigned channel;
        char body[TEXT], key[TEXT];
        uint32_t op;
    } sends[EVENTS_MOST];
    char key[TEXT]; /* of the whole */
    char exclude[24];
    bool is_ephemeral, is_mortal, is_tool;
    bool is_anns;    /* she publishes it herself */
    Msec invoked_at; /* the last time */
    unsigned tries;
    Msec again_at, first_at;
};

static bool has_key(const struct meant *m)
{
    return m->key[0] || (m->n && m->sends[0].key[0]);
}

static void note_invoke(struct meant *m)
{
    struct world *w = m->world;
    m->invoked_at = w->mono;
    for (size_t i = 0; i < m->n; i++) {
        m->sends[i].op = ++w->ops;
        char key[2 * TEXT];
        snprintf(key, sizeof key, "%s%s", m->key[0] ? m->key : m->sends[i].key,
                 m->key[0] ? (const char[]){'.', (char)('0' + i), 0} : "");
        world_note(w, (struct fact){.actor = str_of(m->actor),
                                    .what = FACT_INVOKE,
                                    .op = m->sends[i].op,
                                    .channel = str_of(room_names[m->sends[i].channel]),
                                    .body = str_of(m->sends[i].body),
                                    .key = str_of(key),
                                    .exclude = str_of(m->exclude),
                                    .mortal = m->is_mortal,
                                    .ephemeral = m->is_ephemeral});
    }
}

static void note_outcome(struct meant *m, size_t i, int code, Cursor id)
{
    bool is_unknown = code == REFUSE_UNKNOWN_OUTCOME;
    world_note(m->world, (struct fact){.actor = str_of(m->actor),
                                       .what = !code        ? FACT_OK
                                               : is_unknown ? FACT_UNKNOWN
                                                            : FACT_FAIL,
                                       .op = m->sends[i].op,
                                       .reason = str_of(code ? refusal_code(code) : ""),
                                       .id = id});
}

static void note_all(struct meant *m, int code)
{
    for (size_t i = 0; i < m->n; i++)
        note_outcome(m, i, code, CURSOR_NONE);
}

/* It is over; or, where nobody knows and the key is still good, begun anew. */
static void settle(struct meant *m, bool is_unknown)
{
    struct world *w = m->world;
    bool is_late = w->mono - m->first_at >= world_key_trust(w);
    if (!is_unknown || !has_key(m) || m->is_ephemeral || m->tries >= TRIES || is_late) {
        free(m);
        return;
    }
    m->tries++;
    m->again_at = w->mono + dice_roll(&w->dice, RETRY);
    list_append(&w->retries, &m->call.node);
}

/* Each send's own result, or the whole's code. */
static bool note_results(struct meant *m, const struct msg_published *p)
{
    Str rest = p->results, item;
    bool is_unknown = false;
    for (size_t i = 0; i < m->n; i++) {
        struct msg_result r = {.code = p->code};
        if (!p->code && (!list_next(&rest, &item) || !msg_result_unpack(item, &r)))
            world_fail(m->world, "answers", "a publish of %zu sends has %zu results", m->n, i);
        note_outcome(m, i, r.code, r.first);
        if (!r.code && m->is_anns)
            law_judge_publish(m->world, m->invoked_at);
        is_unknown |= r.code == REFUSE_UNKNOWN_OUTCOME;
    }
    return is_unknown;
}

static void on_published(struct call *c, Str body, const struct fault *why)
{
    struct meant *m = (struct meant *)(void *)c;
    struct msg_published p = {0};
    if (why) {
        note_all(m, why->code);
        settle(m, why->code == REFUSE_UNKNOWN_OUTCOME);
        return;
    }
    if (!msg_published_unpack(body, &p))
        world_fail(m->world, "answers", "PUBLISHED cannot be read");
    settle(m, note_results(m, &p));
}

static void pack(const struct meant *m, struct buf *body)
{
    struct buf sends, item, names;
    buf_init(&sends, SIZE_MAX / 2);
    buf_init(&item, SIZE_MAX / 2);
    buf_init(&names, SIZE_MAX / 2);
    for (size_t i = 0; i < m->n; i++) {
        buf_clear(&names);
        buf_clear(&item);
        list_put(&names, str_of(room_names[m->sends[i].channel]));
        msg_send_pack(&item, &(struct msg_send){.flags = m->is_ephemeral ? EVENT_EPHEMERAL : 0,
                                                .channels = buf_str(&names),
                                                .data = str_of(m->sends[i].body),
                                                .exclude = str_of(m->exclude),
                                                .ttl = m->is_mortal ? TTL : 0,
                                                .key = str_of(m->sends[i].key)});
        list_put(&sends, buf_str(&item));
    }
    msg_publish_pack(body, &(struct msg_publish){.user = str_of(m->is_anns ? "ann" : ""),
                                                 .key = str_of(m->key),
                                                 .sends = buf_str(&sends)});
    buf_fini(&sends);
    buf_fini(&item);
    buf_fini(&names);
}

static void send_by_worker(struct meant *m)
{
    struct world *w = m->world;
    struct workside *k = workside_any(w, &w->dice);
    if (!k) {
        free(m);
        return;
    }
    struct buf body;
    buf_init(&body, SIZE_MAX / 2);
    note_invoke(m);
    pack(m, &body);
    m->call.done = on_published;
    call_begin(k, &m->call, VERB_PUBLISH, &body, has_key(m));
}

/* A tool asks and waits in a row of its own; one that finds nobody does not ask. */
static void send_by_tool(struct meant *m)
{
    struct world *w = m->world;
    struct hubside *h = &w->hub;
    unsigned tool = (unsigned)dice_roll(&w->dice, TOOLS);
    if (!h->hub || h->is_stopping || w->mono < h->awake_at || hub_is_full(h->hub)) {
        settle(m, has_key(m));
        return;
    }
    char options[3 * TEXT], peer[2] = {(char)('0' + tool), 0};
    snprintf(options, sizeof options, "{\"ephemeral\":%s%s%s%s%s}",
             m->is_ephemeral ? "true" : "false", has_key(m) ? ",\"idempotencyKey\":\"" : "",
             m->sends[0].key, has_key(m) ? "\"" : "", m->is_mortal ? ",\"ttl\":2" : "");
    Str frames[] = {str_of(room_names[m->sends[0].channel]), STR_NONE, str_of(m->sends[0].body),
                    str_of(options)};
    note_invoke(m);
    list_append(&w->tool_calls[tool], &m->call.node);
    hub_on_publish(h->hub, str_of(peer), frames, COUNT_OF(frames), world_now(w));
}

void press_on_answer(struct world *w, Str peer, const Str *parts, size_t n)
{
    struct list *row = &w->tool_calls[peer.p[0] - '0'];
    if (list_is_empty(row))
        world_fail(w, "answers", "a tool is answered that asked nothing");
    struct meant *m = CONTAINER_OF(row->next, struct meant, call.node);
    list_remove(&m->call.node);
    Cursor id = CURSOR_NONE;
    bool is_ok = n >= 2 && str_eq(parts[0], STR("ok"));
    if (is_ok && parts[1].len && !cursor_parse(parts[1], &id))
        world_fail(w, "answers", "a tool gets an id that is none");
    int code = is_ok ? 0 : refusal_from_code(parts[1]);
    note_outcome(m, 0, code, id);
    settle(m, code == REFUSE_UNKNOWN_OUTCOME);
}

static void send(struct meant *m)
{
    snprintf(m->actor, sizeof m->actor, m->is_tool ? "tool" : "post");
    if (m->is_tool)
        send_by_tool(m);
    else
        send_by_worker(m);
}

static unsigned number_body(struct world *w)
{
    w->begun = must_realloc(w->begun, (w->bodies + 1) * sizeof *w->begun);
    w->begun[w->bodies] = w->mono;
    return ++w->bodies;
}

static void write_body(struct meant *m, size_t i, struct dice *d)
{
    struct world *w = m->world;
    unsigned channel = (unsigned)dice_roll(d, w->setup.channels);
    m->sends[i].channel = channel;
    snprintf(m->sends[i].body, TEXT, "%s%u@%s", m->is_ephemeral ? "~" : "", number_body(w),
             room_names[channel]);
}

void press_publish(struct world *w, uint64_t chance, bool by_tool)
{
    struct dice d = dice_of(chance);
    for (uint64_t left = 1 + dice_roll(&d, dice_luck(&d, 10) ? 40 : 4); left; left--) {
        struct meant *m = must_alloc(sizeof *m);
        m->world = w;
        m->first_at = w->mono;
        m->is_tool = by_tool;
        m->is_anns = w->setup.has_rights && !by_tool && dice_luck(&d, 30);
        m->n = by_tool || dice_luck(&d, 60) ? 1 : 1 + dice_roll(&d, EVENTS_MOST);
        m->is_ephemeral = dice_luck(&d, 8);
        m->is_mortal = !m->is_ephemeral && dice_luck(&d, 8);
        bool is_keyed = !m->is_ephemeral && dice_luck(&d, 45),
             is_whole = !by_tool && dice_luck(&d, 40);
        if (is_keyed && is_whole)
            snprintf(m->key, TEXT, "k%u", w->bodies);
        const struct browser *p = &w->pages[dice_roll(&d, w->setup.pages)];
        if (!by_tool && p->is_named && p->is_made && dice_luck(&d, 10))
            memcpy(m->exclude, p->name, sizeof m->exclude);
        for (size_t i = 0; i < m->n; i++) {
            write_body(m, i, &d);
            if (is_keyed && !is_whole)
                snprintf(m->sends[i].key, TEXT, "s%u", w->bodies);
        }
        send(m);
    }
}

void press_publish_each(struct world *w)
{
    for (unsigned i = 0; i < w->setup.channels; i++) {
        struct meant *m = must_alloc(sizeof *m);
        m->world = w;
        m->is_tool = true;
        m->n = 1;
        m->sends[0].channel = i;
        snprintf(m->sends[0].body, TEXT, "%u@%s", number_body(w), room_names[i]);
        send(m);
    }
}

void press_turn(struct world *w)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &w->retries)
    {
        struct meant *m = CONTAINER_OF(node, struct meant, call.node);
        if (w->mono < m->again_at)
            continue;
        list_remove(&m->call.node);
        send(m);
    }
}

void press_on_hub_gone(struct world *w)
{
    for (int i = 0; i < TOOLS; i++)
        while (!list_is_empty(&w->tool_calls[i])) {
            struct meant *m = CONTAINER_OF(w->tool_calls[i].next, struct meant, call.node);
            list_remove(&m->call.node);
            note_all(m, REFUSE_UNKNOWN_OUTCOME);
            settle(m, true);
        }
}

bool press_is_done(const struct world *w)
{
    for (int i = 0; i < TOOLS; i++)
        if (!list_is_empty(&w->tool_calls[i]))
            return false;
    for (unsigned i = 0; i < world_sides(w); i++)
        if (!list_is_empty(&w->workers[i].calls))
            return false;
    return list_is_empty(&w->retries);
}

void press_fini(struct world *w)
{
    while (!list_is_empty(&w->retries)) {
        struct meant *m = CONTAINER_OF(w->retries.next, struct meant, call.node);
        list_remove(&m->call.node);
        free(m);
    }
}
