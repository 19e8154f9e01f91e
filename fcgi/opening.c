#include "opening.h"

#include "consult.h"
#include "held.h"
#include "poll.h"
#include "sse.h"
#include "wait.h"
#include "wire/moment.h"
#include "wire/names.h"
#include "wire/refusal.h"

#include <stdlib.h>

enum { PING_LEAST = 5, PING = 15, PING_MOST = 50 };
enum { WAIT = 25, WAIT_MOST = 50, LIMIT_MOST = 1000 };
enum { CARRIED_MAX = 64 };

static Str cursor_text(const struct query *q, Str header)
{
    static const char *const names[] = {"last_event_id", "lastEventId", "Last-Event-ID", "cursor"};
    Str text = header;
    for (size_t i = 0; !text.len && i < COUNT_OF(names); i++)
        text = query_get(q, names[i]);
    return text;
}

/* Where a first connection begins; one that comes back has a cursor. */
static bool read_first(struct stream_request *s, const struct options *options,
                       const struct query *q, Msec wall, struct fault *why)
{
    bool is_earliest = false;
    uint64_t last = 0;
    if (!query_flag(q, "earliest", &is_earliest, why) ||
        !query_number(q, "last", 0, options->max_replay, &last, why) ||
        (query_has(q, "since") &&
         !moment_parse(query_get(q, "since"), wall, "since", &s->value, why)))
        return false;
    if (query_has(q, "since") + query_has(q, "last") + is_earliest > 1)
        return fail(why, REFUSE_MALFORMED, "since, last, earliest: one of them is enough");
    if (query_has(q, "since"))
        s->start = START_SINCE;
    else if (is_earliest)
        s->start = START_EARLIEST;
    else if (last) {
        s->start = START_LAST;
        s->value = last;
    }
    return true;
}

/* A cursor that nobody can read is none of HTTP's errors: the stream begins with a gap. */
static bool read_start(struct stream_request *s, const struct options *options,
                       const struct query *q, Str header, Msec wall, struct fault *why)
{
    Str text = cursor_text(q, header);
    if (!read_first(s, options, q, wall, why))
        return false;
    if (!text.len)
        return true;
    s->start = START_CURSOR;
    s->value = 0;
    if (!cursor_parse(text, &s->at))
        s->at = CURSOR_NONE;
    if (text.len <= REQUESTED_MAX && str_is_utf8(text))
        s->requested = text;
    return true;
}

static bool read_client(struct opening *o, const struct query *q, struct fault *why)
{
    struct stream_request *s = &o->stream;
    s->named = query_has(q, "client");
    s->client = query_get(q, "client");
    if (s->named)
        return client_is_valid(s->client, "client", why);
    random_name(o->made);
    s->client = str_of(o->made);
    return true;
}

/* What every stream carries without asking. */
static bool add_carried(struct channels *c, const struct visitor *v, struct fault *why)
{
    Str names = v->rights.for_all;
    c->max += CARRIED_MAX;
    if (v->user.len && !channels_add_user(c, v->user, "user", why))
        return false;
    for (Str name; str_cut(&names, ',', &name);)
        if (str_trim(name).len && !channels_add(c, str_trim(name), "channels_for_all", why))
            return false;
    return true;
}

static bool read_channels(struct opening *o, const struct options *options, const struct query *q,
                          const struct visitor *v, Str name, struct fault *why)
{
    struct channels *c = &o->channels;
    channels_init(c, options->max_channels_stream + CARRIED_MAX, MAY_SUBSCRIBE,
                  v->is_pending ? NULL : &v->rights);
    c->max = options->max_channels_stream;
    if (name.len && !channels_add(c, name, "path", why))
        return false;
    if (!channels_add_query(c, q, "channel", why))
        return false;
    o->stream.listed = c->n > 0;
    if (!add_carried(c, v, why))
        return false;
    o->stream.channels = buf_str(&c->list);
    return true;
}

static bool read_ping_form(const struct query *q, bool *comments, struct fault *why)
{
    Str form = query_get(q, "ping_form");
    *comments = str_eq(form, STR("comment"));
    return !form.len || *comments || str_eq(form, STR("id")) ||
           fail(why, REFUSE_MALFORMED, "ping_form: is id or comment");
}

/* Whose presence it will be told of is asked with the rest; that it may not is no refusal. */
static void wish_presence(const struct opening *o, const struct visitor *v)
{
    Str names = o->stream.channels;
    for (Str name; o->stream.presence && list_next(&names, &name);)
        if (!is_pattern(name) && !is_own_channel(v->user, name))
            channels_allow(&v->rights, MAY_PRESENCE, name);
}

bool opening_read(struct opening *o, const struct options *options, const struct query *q,
                  const struct visitor *v, Str name, Str header, Msec wall, struct fault *why)
{
    uint64_t ping = PING, limit = LIMIT_MOST;
    *o = (struct opening){.wait = WAIT};
    o->stream = (struct stream_request){
        .user = v->user,
        .rights = v->rights,
        .token = v->token ? v->token->id : STR_NONE,
        .issued = v->issued,
        .expires = v->expires,
        .asked_until = v->asked_until,
        .address = v->address,
        .start = START_DEFAULT,
        .label = query_get(q, "name"),
        .public = v->token ? v->token->public : STR_NONE,
    };
    bool ok = read_channels(o, options, q, v, name, why) && read_client(o, q, why) &&
              read_start(&o->stream, options, q, header, wall, why) &&
              query_flag(q, "envelope", &o->stream.envelope, why) &&
              query_flag(q, "presence", &o->stream.presence, why) &&
              read_ping_form(q, &o->stream.comments, why) &&
              (!o->stream.label.len || label_is_valid(o->stream.label, "name", why)) &&
              query_number(q, "ping", PING_LEAST, PING_MOST, &ping, why) &&
              query_number(q, "wait", 0, WAIT_MOST, &o->wait, why) &&
              query_number(q, "limit", 1, LIMIT_MOST, &limit, why);
    o->stream.ping = (unsigned)ping;
    o->stream.limit = (uint32_t)limit;
    if (ok)
        wish_presence(o, v);
    if (ok)
        return true;
    if (why && why->code == REFUSE_WRONG_FIELD)
        why->code = REFUSE_MALFORMED; /* 422 is for documents; a wrong URL is a wrong request */
    opening_fini(o);
    return false;
}

void opening_fini(struct opening *o)
{
    channels_fini(&o->channels);
}

bool opening_check(const struct options *o, struct fault *why)
{
    size_t n = 1; /* the user's own */
    Str names = str_of(o->channels_for_all);
    for (Str name; str_cut(&names, ',', &name);)
        if (str_trim(name).len && (++n, !channel_is_valid(str_trim(name), "channels_for_all", why)))
            return false;
    return n <= CARRIED_MAX ||
           fail(why, REFUSE_CONFIG, "channels_for_all: %zu names, %d are allowed", n - 1,
                CARRIED_MAX - 1);
}

static bool read_visit(struct opening *o, struct visit *v, struct fault *why)
{
    struct worker *w = v->worker;
    if (w->is_stopping && !worker_has_heir(w))
        return fail(why, REFUSE_STOPPING, "this worker stops");
    return roster_has_room(w->roster, v->visitor.address, why) &&
           opening_read(o, w->options, &v->query, &v->visitor, buf_str(&v->name),
                        request_var(v->request, "HTTP_LAST_EVENT_ID"), link_wall(w->link), why);
}

static void put_head(struct buf *head, struct visit *v, struct answer a)
{
    buf_init(head, ANSWER_HEAD_MAX);
    a.status = 200;
    a.title = "OK";
    a.is_open_ended = true;
    a.cors = v->cors;
    answer_put(head, &a);
}

static const struct answer stream_head = {
    .type = "text/event-stream; charset=utf-8",
    .cache = "no-store, no-transform",
    .more = "X-Accel-Buffering: no\r\nIncremental: ?1\r\n",
};
static const struct answer poll_head = {.type = "application/json"};

/* The head of what would come; nothing of it waits. */
static void answer_head(struct visit *v, struct answer a)
{
    a.status = 200;
    a.title = "OK";
    a.is_open_ended = true;
    visit_answer(v, &a);
}

void opening_stream(struct visit *v)
{
    struct opening o = {0};
    struct fault why = {0};
    struct buf head;
    if (!read_visit(&o, v, &why)) {
        visit_refuse(v, &why);
        return;
    }
    if (consult_wishes(v, opening_stream)) {
        opening_fini(&o);
        return;
    }
    if (v->is_head) {
        answer_head(v, stream_head);
    } else {
        put_head(&head, v, stream_head);
        struct worker *w = v->worker;
        struct sink sink =
            sse_new(v->outlet, buf_str(&head), o.stream.envelope, link_is_up(w->link));
        stream_open(w->roster, &o.stream, sink, loop_now(w->loop));
        buf_fini(&head);
        visit_leave(v);
    }
    opening_fini(&o);
}

/* What a poll is answered that has to end before the hub has said where it begins. */
static void put_excuse(struct buf *excuse, struct visit *v, int code, const char *detail)
{
    struct buf body;
    struct fault why;
    fail(&why, code, "%s", detail);
    buf_init(&body, ANSWER_HEAD_MAX);
    buf_init(excuse, 2 * ANSWER_HEAD_MAX);
    struct answer a = answer_problem(&why, &body);
    a.cors = v->cors;
    answer_put(excuse, &a);
    buf_fini(&body);
}

static void begin_poll(struct visit *v, struct opening *o)
{
    struct worker *w = v->worker;
    struct buf head, excuse, refusal;
    Msec now = loop_now(w->loop);
    put_head(&head, v, poll_head);
    put_excuse(&excuse, v, REFUSE_HUB_AWAY, "the hub did not open the poll");
    put_excuse(
        &refusal, v, REFUSE_LIMIT,
        "a limit of the hub: rate_connects, max_streams_user, max_streams_channel or max_clients");
    o->stream.poll = true;
    struct outlet *outlet = wait_new(w, v->outlet);
    struct sink sink =
        poll_new(outlet, buf_str(&head), buf_str(&excuse), buf_str(&refusal), o->stream.limit);
    struct stream *s = stream_open(w->roster, &o->stream, sink, now);
    wait_until(outlet, s, now + o->wait * 1000);
    buf_fini(&head);
    buf_fini(&excuse);
    buf_fini(&refusal);
    visit_leave(v);
}

void opening_poll(struct visit *v)
{
    struct opening o = {0};
    struct fault why = {0};
    if (!read_visit(&o, v, &why)) {
        visit_refuse(v, &why);
        return;
    }
    if (consult_wishes(v, opening_poll)) {
        opening_fini(&o);
        return;
    }
    if (v->is_head)
        answer_head(v, poll_head);
    else if (!held_is_over(v->worker) && !v->was_held)
        held_put(v, opening_poll);
    else
        begin_poll(v, &o);
    opening_fini(&o);
}
