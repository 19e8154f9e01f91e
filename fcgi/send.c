#include "send.h"

#include "consult.h"
#include "render.h"
#include "wire/names.h"
#include "wire/refusal.h"

#include <stdlib.h>

enum { JSON_MAX = 64 * 1024 * 1024 };

static void put_ids(struct buf *json, const struct msg_result *r)
{
    buf_put(json, STR(",\"ids\":["));
    for (uint32_t i = 0; i < r->n; i++) {
        Cursor id = {r->first.epoch, r->first.at ? r->first.at + i : 0};
        render_cursor(json, i ? "," : "", id.at ? id : CURSOR_NONE);
    }
    buf_putc(json, ']');
}

/* The id is that of the last event; null for one that is in no log. */
static void put_result(struct buf *json, const struct msg_result *r, bool is_plural, Msec time)
{
    Cursor last = r->first;
    if (last.at && r->n)
        last.at += r->n - 1;
    render_cursor(json, "{\"id\":", last.at ? last : CURSOR_NONE);
    if (is_plural)
        put_ids(json, r);
    buf_put(json, STR(",\"time\":"));
    buf_put_u64(json, time);
    buf_putc(json, '}');
}

static bool take_result(Str *results, struct msg_result *out)
{
    Str item;
    return list_next(results, &item) && msg_result_unpack(item, out) &&
           out->n <= 65536; /* far more than channels of one send */
}

bool send_put_results(struct buf *json, const struct sends *s, Str results, Msec time)
{
    buf_put(json, STR("{\"results\":["));
    for (size_t i = 0; i < s->n; i++) {
        const struct verdict *v = &s->v[i];
        struct msg_result r;
        struct fault why;
        if (i)
            buf_putc(json, ',');
        if (v->why) {
            problem_put(json, v->why);
            continue;
        }
        if (!take_result(&results, &r))
            return false;
        if (r.code != REFUSE_NOT) {
            fail(&why, r.code, "%.*s", FMT(r.detail));
            problem_put(json, &why);
        } else {
            put_result(json, &r, v->is_plural, time);
        }
    }
    return buf_put(json, STR("]}"));
}

static bool put_single(struct buf *json, const struct sends *s, Str results, Msec time,
                       struct fault *why)
{
    struct msg_result r;
    if (!take_result(&results, &r))
        return fail(why, REFUSE_INTERNAL, "the hub's answer is not readable");
    if (r.code != REFUSE_NOT)
        return fail(why, r.code, "%.*s", FMT(r.detail));
    put_result(json, &r, s->v[0].is_plural, time);
    return true;
}

static bool put_document(struct buf *json, const struct sends *s, const struct msg_published *m,
                         struct fault *why)
{
    if (m->code != REFUSE_NOT)
        return fail(why, m->code, "%.*s", FMT(m->detail));
    if (!s->is_batch)
        return put_single(json, s, m->results, m->time, why);
    return send_put_results(json, s, m->results, m->time) ||
           fail(why, REFUSE_INTERNAL, "the hub's answer is not readable");
}

static void answer(struct visit *v, const struct msg_published *m)
{
    struct fault why = {0};
    struct buf json;
    buf_init(&json, JSON_MAX);
    if (put_document(&json, v->state, m, &why))
        visit_answer_json(v, &json);
    else
        visit_refuse(v, &why);
    buf_fini(&json);
}

static void on_published(struct visit *v, Str body)
{
    struct msg_published m;
    if (!msg_published_unpack(body, &m))
        m = (struct msg_published){.code = REFUSE_INTERNAL,
                                   .detail = STR("the hub's answer is not readable")};
    answer(v, &m);
}

/* Without a key what was handed over must not be handed over again. */
static void ask(struct visit *v, const struct sends *s, Str key)
{
    struct buf body;
    buf_init(&body, ANSWER_HEAD_MAX + s->list.len);
    msg_publish_pack(&body, &(struct msg_publish){
                                .user = v->visitor.user,
                                .key = key,
                                .sends = buf_str(&s->list),
                            });
    bool is_repeatable = key.len || s->has_keys;
    visit_ask(v, VERB_PUBLISH, &body, is_repeatable ? LINK_BRIEF : LINK_ONCE, on_published);
}

static void free_sends(void *state)
{
    sends_fini(state);
    free(state);
}

static bool read_visit(struct visit *v, struct sends *s, Str *key, struct fault *why)
{
    enum media media;
    *key = request_var(v->request, "HTTP_IDEMPOTENCY_KEY");
    if (key->p && !key_is_valid(*key, "Idempotency-Key", why)) {
        why->code = REFUSE_MALFORMED;
        return false;
    }
    return media_of(request_var(v->request, "CONTENT_TYPE"), &media, why) &&
           sends_read(s, media, request_body(v->request), v->worker->options, &v->visitor.rights,
                      why);
}

void send_publish(struct visit *v)
{
    struct sends *s = must_alloc(sizeof *s);
    struct fault why = {0};
    Str key;
    v->state = s;
    v->free_state = free_sends;
    if (!read_visit(v, s, &key, &why)) {
        visit_refuse(v, &why);
        return;
    }
    if (consult_wishes(v, send_publish))
        return;
    visit_charge(v, RATE_PUBLISHES, s->n);
    if (!s->good)
        answer(v, &(struct msg_published){0}); /* a batch with nothing in it for the hub */
    else
        ask(v, s, key);
}
