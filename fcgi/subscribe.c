#include "subscribe.h"

#include "consult.h"
#include "media.h"
#include "render.h"
#include "wire/moment.h"
#include "wire/names.h"
#include "wire/refusal.h"

#include <stdlib.h>

static bool is_one_of(Str name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(name, str_of(names[i])))
            return true;
    return false;
}

static bool is_known(Str name, struct fault *why)
{
    static const char *const names[] = {"clientId", "channel", "channels",
                                        "cursor",   "since",   "last"};
    return is_one_of(name, names, COUNT_OF(names)) ||
           fail(why, REFUSE_WRONG_FIELD, "%.*s: no such field", FMT(name));
}

static bool read_client(struct change *c, Str client, struct fault *why)
{
    if (!client_is_valid(client, "clientId", why))
        return false;
    c->client = str_dup(client);
    return true;
}

/* Where the added channels begin; empty texts say nothing. */
static bool read_start(struct change *c, const struct options *o, Str cursor, Str since, Str last,
                       Msec wall, struct fault *why)
{
    if ((cursor.len > 0) + (since.len > 0) + (last.len > 0) > 1)
        return fail(why, REFUSE_WRONG_FIELD, "cursor, since, last: one of them is enough");
    if (cursor.len) {
        c->start = START_CURSOR;
        if (!cursor_parse(cursor, &c->at))
            c->at = CURSOR_NONE;
    } else if (since.len) {
        c->start = START_SINCE;
        return moment_parse(since, wall, "since", &c->value, why);
    } else if (last.len) {
        c->start = START_LAST;
        if (!str_to_u64(last, &c->value) || c->value > o->max_replay)
            return fail(why, REFUSE_WRONG_FIELD, "last: is not a number from 0 to %llu",
                        (unsigned long long)o->max_replay);
    }
    return true;
}

/* A string or a whole number, as the query would have it. */
static bool text_of(const Json *value, const char *field, char number[32], Str *out,
                    struct fault *why)
{
    *out = STR_NONE;
    if (!value || json_is_null(value))
        return true;
    if (json_is_string(value)) {
        *out = json_str(value);
        return true;
    }
    double n = json_is_number(value) ? json_num(value) : 0.5;
    if (n < -1e15 || n > 1e15 || n != (double)(int64_t)n)
        return fail(why, REFUSE_WRONG_FIELD, "%s: is neither a string nor a whole number", field);
    *out = str_make(number, (size_t)snprintf(number, 32, "%lld", (long long)n));
    return true;
}

static bool read_object(struct change *c, const Json *object, const struct options *o, Msec wall,
                        struct fault *why)
{
    void *at = NULL;
    Str name, cursor, since, last;
    char seconds[32], count[32], number[32];
    const Json *value, *client = json_get(object, "clientId");
    while (json_each(object, &at, &name, &value))
        if (!is_known(name, why))
            return false;
    if (!client || !json_is_string(client))
        return fail(why, REFUSE_WRONG_FIELD, "clientId: a string is needed");
    return read_client(c, json_str(client), why) &&
           channels_add_json(&c->channels, json_get(object, "channel"), false, "channel", why) &&
           channels_add_json(&c->channels, json_get(object, "channels"), true, "channels", why) &&
           text_of(json_get(object, "cursor"), "cursor", number, &cursor, why) &&
           text_of(json_get(object, "since"), "since", seconds, &since, why) &&
           text_of(json_get(object, "last"), "last", count, &last, why) &&
           read_start(c, o, cursor, since, last, wall, why);
}

static bool read_json(struct change *c, Str body, const struct options *o, Msec wall,
                      struct fault *why)
{
    Json *whole = json_parse(body, why);
    if (!whole)
        return false;
    bool ok = json_is_object(whole) ? read_object(c, whole, o, wall, why)
                                    : fail(why, REFUSE_WRONG_FIELD, "body: is not an object");
    json_free(whole);
    return ok;
}

static bool read_form(struct change *c, Str body, const struct options *o, Msec wall,
                      struct fault *why)
{
    struct query q;
    if (!query_parse(&q, body, "body", why))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < q.n; i++)
        ok = is_known(q.v[i].name, why);
    ok = ok && read_client(c, query_get(&q, "clientId"), why) &&
         channels_add_query(&c->channels, &q, "channel", why) &&
         channels_add_query(&c->channels, &q, "channels", why) &&
         read_start(c, o, query_get(&q, "cursor"), query_get(&q, "since"), query_get(&q, "last"),
                    wall, why);
    query_fini(&q);
    return ok;
}

bool change_read(struct change *c, Str type, Str body, const struct options *o,
                 const struct rights *rights, Msec wall, struct fault *why)
{
    enum media media;
    *c = (struct change){0};
    channels_init(&c->channels, o->max_channels_stream, MAY_SUBSCRIBE, rights);
    if (!media_of(type, &media, why))
        return false;
    if (media == MEDIA_NDJSON)
        return fail(why, REFUSE_MEDIA_TYPE, "Content-Type: application/x-ndjson is for send");
    bool ok =
        media == MEDIA_FORM ? read_form(c, body, o, wall, why) : read_json(c, body, o, wall, why);
    if (ok && !c->channels.n)
        return fail(why, REFUSE_WRONG_FIELD, "channel: is missing");
    return ok;
}

void change_fini(struct change *c)
{
    free(c->client);
    channels_fini(&c->channels);
}

static void on_changed(struct visit *v, Str body)
{
    struct msg_changed m;
    struct fault why;
    if (!msg_changed_unpack(body, &m)) {
        visit_refuse(v, &(struct fault){REFUSE_INTERNAL, "the hub's answer is not readable"});
        return;
    }
    if (m.code != REFUSE_NOT) {
        fail(&why, m.code, "%.*s", FMT(m.detail));
        visit_refuse(v, &why);
        return;
    }
    struct buf json;
    buf_init(&json, ANSWER_HEAD_MAX + 8 * m.channels.len);
    render_text(&json, "{\"clientId\":", str_of(v->state));
    render_names(&json, ",\"channels\":", m.channels);
    render_cursor(&json, ",\"cursor\":", m.at);
    buf_putc(&json, '}');
    visit_answer_json(v, &json);
    buf_fini(&json);
}

static void ask(struct visit *v, struct change *c, bool is_adding)
{
    Str list = buf_str(&c->channels.list);
    struct buf body;
    buf_init(&body, ANSWER_HEAD_MAX + 2 * list.len);
    msg_change_pack(&body, &(struct msg_change){
                               .client = str_of(c->client),
                               .user = v->visitor.user,
                               .add = is_adding ? list : STR_NONE,
                               .remove = is_adding ? STR_NONE : list,
                               .start = (uint8_t)c->start,
                               .at = c->at,
                               .value = c->value,
                               .asked = is_adding ? v->visitor.rights.asked.subscribe : STR_NONE,
                               .asked_until = v->visitor.asked_until,
                           });
    v->state = c->client;
    v->free_state = free;
    c->client = NULL;
    visit_ask(v, VERB_CHANGE, &body, LINK_BRIEF, on_changed);
}

static void serve(struct visit *v, bool is_adding)
{
    struct change c;
    struct fault why = {0};
    /* Whoever may no longer read a channel may still leave it. */
    const struct rights *rights = is_adding ? &v->visitor.rights : NULL;
    if (change_read(&c, request_var(v->request, "CONTENT_TYPE"), request_body(v->request),
                    v->worker->options, rights, link_wall(v->worker->link), &why)) {
        if (!is_adding || !consult_wishes(v, subscribe_add))
            ask(v, &c, is_adding);
    } else {
        visit_refuse(v, &why);
    }
    change_fini(&c);
}

void subscribe_add(struct visit *v)
{
    serve(v, true);
}

void subscribe_remove(struct visit *v)
{
    serve(v, false);
}
