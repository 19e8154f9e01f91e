#include "history.h"

#include "consult.h"
#include "poll.h"
#include "render.h"
#include "wire/moment.h"
#include "wire/refusal.h"

#include <stdlib.h>

enum { LIMIT = 50, LIMIT_MOST = 1000, JSON_MAX = 64 * 1024 * 1024 };

static bool read_cursors(struct history *p, const struct query *q, struct fault *why)
{
    Str after = query_get(q, "after"), before = query_get(q, "before");
    if (before.len && !cursor_parse(before, &p->fetch.before))
        return fail(why, REFUSE_MALFORMED, "before: is no id of an event");
    if (after.len && !cursor_parse(after, &p->fetch.after))
        return fail(why, REFUSE_MALFORMED, "after: is no id of an event");
    p->requested = after;
    return true;
}

static bool read_order(struct history *p, const struct query *q, struct fault *why)
{
    Str order = query_get(q, "order");
    p->fetch.descending = str_eq(order, STR("desc"));
    return !order.len || p->fetch.descending || str_eq(order, STR("asc")) ||
           fail(why, REFUSE_MALFORMED, "order: is neither asc nor desc");
}

bool history_read(struct history *p, const struct options *o, const struct query *q,
                  const struct rights *rights, Msec wall, struct fault *why)
{
    uint64_t limit = LIMIT;
    *p = (struct history){0};
    channels_init(&p->channels, o->max_channels_stream, MAY_HISTORY, rights);
    bool ok = channels_add_query(&p->channels, q, "channel", why) && read_cursors(p, q, why) &&
              read_order(p, q, why) && query_number(q, "limit", 1, LIMIT_MOST, &limit, why) &&
              (!query_has(q, "since") ||
               moment_parse(query_get(q, "since"), wall, "since", &p->fetch.since, why));
    if (ok && !p->channels.n)
        ok = fail(why, REFUSE_MALFORMED, "channel: is missing");
    if (!ok && why && why->code == REFUSE_WRONG_FIELD)
        why->code = REFUSE_MALFORMED;
    p->fetch.limit = (uint32_t)limit;
    p->fetch.bytes = POLL_BYTES;
    p->fetch.channels = buf_str(&p->channels.list);
    return ok;
}

void history_fini(struct history *p)
{
    channels_fini(&p->channels);
}

/* What is expired, or not for this reader, is left out; the cursor goes over it all the same. */
static bool is_shown(const struct event *e, const struct visit *v)
{
    return !event_is_expired(e, link_wall(v->worker->link)) &&
           may(&v->visitor.rights, MAY_HISTORY, e->channel);
}

/* The events as JSON; *last: the last one that was looked at. */
static bool put_events(struct buf *json, struct visit *v, Str rows, Cursor *last)
{
    bool is_first = true;
    buf_put(json, STR("{\"events\":["));
    for (Str row; list_next(&rows, &row);) {
        struct event e;
        if (!event_unpack(row, &e))
            return false;
        *last = e.id;
        if (!is_shown(&e, v))
            continue;
        if (!is_first)
            buf_putc(json, ',');
        is_first = false;
        render_object(json, &e);
    }
    buf_putc(json, ']');
    return true;
}

/* Without the slash at its end: of the root nothing is left, as two slashes would begin a host. */
static Str mount_of(const struct options *o)
{
    Str mount = str_of(o->mount);
    while (str_ends(mount, STR("/")))
        mount.len--;
    return mount;
}

/* This page's own parameters with another start. */
static void put_next(struct buf *json, struct visit *v, Cursor from, bool is_descending)
{
    const struct query *q = &v->query;
    const char *start = is_descending ? "before" : "after";
    char text[CURSOR_TEXT];
    struct buf url;
    buf_init(&url, ANSWER_HEAD_MAX * 64);
    Str mount = mount_of(v->worker->options);
    buf_printf(&url, "%.*s/history?%s=", FMT(mount), start);
    buf_put(&url, cursor_print(from, text));
    for (size_t i = 0; i < q->n; i++) {
        if (str_eq(q->v[i].name, str_of(start)))
            continue;
        buf_putc(&url, '&');
        percent_encode(&url, q->v[i].name);
        buf_putc(&url, '=');
        percent_encode(&url, q->v[i].value);
    }
    json_put_str(json, buf_str(&url));
    buf_fini(&url);
}

static void put_page(struct buf *json, struct visit *v, const struct msg_rows *m, Cursor last)
{
    const struct history *p = v->state;
    bool is_descending = p->fetch.descending;
    Cursor from = is_descending ? last : m->next;
    render_cursor(json, ",\"cursor\":", is_descending ? last : m->next);
    buf_put(json, STR(",\"gap\":"));
    if (m->reason != GAP_NONE && p->requested.len)
        render_gap(json, &(struct gap){.requested = p->requested,
                                       .oldest = m->oldest,
                                       .reason = (enum gap_reason)m->reason,
                                       .channels = m->missing});
    else
        buf_put(json, STR("null"));
    buf_put(json, STR(",\"next\":"));
    if (m->more && !cursor_is_none(from))
        put_next(json, v, from, is_descending);
    else
        buf_put(json, STR("null"));
    buf_putc(json, '}');
}

static void on_rows(struct visit *v, Str body)
{
    struct msg_rows m;
    struct fault why = {0};
    struct buf json;
    Cursor last = CURSOR_NONE;
    if (!auth_review(roster_accounts(v->worker->roster), &v->visitor, &why)) {
        visit_refuse(v, &why);
        return;
    }
    buf_init(&json, JSON_MAX);
    if (!msg_rows_unpack(body, &m))
        fail(&why, REFUSE_INTERNAL, "the hub's answer is not readable");
    else if (m.code != REFUSE_NOT)
        fail(&why, m.code, "%.*s", FMT(m.detail));
    else if (!put_events(&json, v, m.rows, &last))
        fail(&why, REFUSE_INTERNAL, "an event of the hub is not readable");
    if (why.code) {
        visit_refuse(v, &why);
    } else {
        put_page(&json, v, &m, last);
        visit_answer_json(v, &json);
    }
    buf_fini(&json);
}

static void free_history(void *state)
{
    history_fini(state);
    free(state);
}

void history_page(struct visit *v)
{
    struct history *p = must_alloc(sizeof *p);
    struct fault why = {0};
    struct buf body;
    v->state = p;
    v->free_state = free_history;
    if (!history_read(p, v->worker->options, &v->query, &v->visitor.rights,
                      link_wall(v->worker->link), &why)) {
        visit_refuse(v, &why);
        return;
    }
    if (consult_wishes(v, history_page))
        return;
    p->fetch.user = v->visitor.user;
    buf_init(&body, ANSWER_HEAD_MAX + p->fetch.channels.len);
    msg_fetch_pack(&body, &p->fetch);
    visit_ask(v, VERB_FETCH, &body, LINK_BRIEF, on_rows);
}
