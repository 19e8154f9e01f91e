#include "tool.h"

#include "base/json.h"
#include "engine.h"
#include "publish.h"
#include "wire/names.h"

#include <assert.h>
#include <math.h>

enum { REF_MAX = 256, TTL_MAX = 10 * 365 * 86400 };

static bool take_flag(const Json *v, Str name, uint8_t flag, uint8_t *flags, struct fault *why)
{
    if (!json_is_bool(v))
        return fail(why, REFUSE_WRONG_FIELD, "%.*s: not true or false", FMT(name));
    if (json_is_true(v))
        *flags |= flag;
    return true;
}

static bool take_text(const Json *v, Str name, Str *out, struct fault *why)
{
    if (!json_is_string(v))
        return fail(why, REFUSE_WRONG_FIELD, "%.*s: not a string", FMT(name));
    *out = json_str(v);
    return true;
}

static bool take_ttl(const Json *v, uint32_t *ttl, struct fault *why)
{
    double n = json_is_number(v) ? json_num(v) : -1;
    if (n < 1 || n > TTL_MAX || n != floor(n))
        return fail(why, REFUSE_WRONG_FIELD, "ttl: not a whole number of seconds, 1..%d", TTL_MAX);
    *ttl = (uint32_t)n;
    return true;
}

static bool take_option(Str name, const Json *v, struct msg_send *m, Str *ref, struct fault *why)
{
    if (str_eq(name, STR("json")))
        return take_flag(v, name, EVENT_JSON, &m->flags, why);
    if (str_eq(name, STR("ephemeral")))
        return take_flag(v, name, EVENT_EPHEMERAL, &m->flags, why);
    if (str_eq(name, STR("ttl")))
        return take_ttl(v, &m->ttl, why);
    if (str_eq(name, STR("idempotencyKey")))
        return take_text(v, name, &m->key, why) && key_is_valid(m->key, "idempotencyKey", why);
    if (str_eq(name, STR("exclude")))
        return take_text(v, name, &m->exclude, why);
    if (str_eq(name, STR("ref"))) {
        Str text = STR_NONE;
        if (!take_text(v, name, &text, why))
            return false;
        if (text.len > REF_MAX)
            return fail(why, REFUSE_WRONG_FIELD, "ref: %zu bytes, at most %d", text.len, REF_MAX);
        *ref = text;
        return true;
    }
    return fail(why, REFUSE_WRONG_FIELD, "options: %.*s is not known", FMT(name));
}

/* The ref first: a refusal of the others says it too. */
static bool take_options(const Json *options, struct msg_send *m, struct publish *p,
                         struct fault *why)
{
    Str ref = STR_NONE, name;
    const Json *given = json_get(options, "ref"), *v;
    if (given) {
        if (!take_option(STR("ref"), given, m, &ref, why))
            return false;
        p->tool_ref = str_make(str_dup(ref), ref.len);
        p->has_ref = true;
    }
    for (void *at = NULL; json_each(options, &at, &name, &v);)
        if (!take_option(name, v, m, &ref, why))
            return false;
    return true;
}

static void add_send(struct hub *h, struct publish *p, Str channel, struct msg_send *m)
{
    struct buf channels;
    buf_init(&channels, BODY_MAX);
    list_put(&channels, channel);
    m->channels = buf_str(&channels);
    publish_add(h, p, m);
    buf_fini(&channels);
}

/* [channel][event][data], or with [options]. */
static void add_frames(struct hub *h, struct publish *p, const Str *frames, size_t n)
{
    struct fault why = {0};
    struct msg_send m = {.event = n >= 3 ? frames[1] : STR_NONE,
                         .data = n >= 3 ? frames[2] : STR_NONE};
    if (n != 3 && n != 4) {
        fail(&why, REFUSE_MALFORMED, "%zu frames, not 3 or 4", n);
        publish_add_refused(p, &why);
        return;
    }
    struct fault unread = {0};
    Json *options = n == 4 ? json_parse(frames[3], &unread) : NULL;
    if (unread.code)
        fail(&why, unread.code, "options: %.200s", unread.text);
    if (options && !json_is_object(options))
        fail(&why, REFUSE_WRONG_FIELD, "options: not an object");
    if (!why.code && options)
        (void)take_options(options, &m, p, &why);
    if (why.code)
        publish_add_refused(p, &why);
    else
        add_send(h, p, frames[0], &m);
    json_free(options);
}

/* One frame alone: `channel SP data`. */
static void add_line(struct hub *h, struct publish *p, Str line)
{
    Str channel = str_make(line.p, str_find(line, ' '));
    struct msg_send m = {.data =
                             str_skip(line, channel.len < line.len ? channel.len + 1 : line.len)};
    add_send(h, p, channel, &m);
}

void tool_publish(struct hub *h, Str peer, bool is_silent, const Str *frames, size_t n)
{
    struct publish *p = publish_new(h);
    p->peer = str_make(str_dup(peer), peer.len);
    p->is_tool = true;
    p->is_silent = is_silent;
    p->may_everything = true;
    p->has_delimiter = n > 1 && frames[0].len == 0;
    publish_begin(p, STR_NONE, STR_NONE, STR_NONE);
    if (p->has_delimiter) {
        frames++;
        n--;
    }
    if (is_silent && n == 1)
        add_line(h, p, frames[0]);
    else
        add_frames(h, p, frames, n);
    publish_submit(h, p);
}

static void answer(struct hub *h, const struct publish *p, const Str *said, size_t n)
{
    Str parts[5];
    size_t count = 0;
    if (p->has_delimiter)
        parts[count++] = STR_NONE;
    for (size_t i = 0; i < n; i++)
        parts[count++] = said[i];
    if (p->has_ref)
        parts[count++] = p->tool_ref;
    h->out.answer(h->out.ctx, TOOL_PUBLISH, p->peer, parts, count);
}

static void refuse(struct hub *h, const struct publish *p, int code, const char *detail)
{
    if (!detail)
        detail = refusal_title(code);
    if (p->is_silent) {
        hub_count(h, COUNT_INTAKE_REFUSED);
        hub_complain(h, "intake refused", STR_NONE, detail);
        return;
    }
    Str said[] = {STR("error"), str_of(refusal_code(code)), str_of(detail)};
    answer(h, p, said, COUNT_OF(said));
}

void tool_answer(struct hub *h, const struct publish *p)
{
    if (p->why.code) {
        refuse(h, p, p->why.code, p->why.text);
        return;
    }
    assert(p->a.send_count == 1);
    const struct append_send *s = &p->a.sends[0];
    if (s->code) {
        refuse(h, p, s->code, p->each[0].detail);
    } else if (!p->is_silent) {
        char id[CURSOR_TEXT];
        Str said[] = {STR("ok"), s->n ? cursor_print((Cursor){s->epoch, s->at}, id) : STR_NONE};
        answer(h, p, said, COUNT_OF(said));
    }
}
