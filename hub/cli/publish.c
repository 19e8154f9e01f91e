#include "cli/publish.h"

#include "base/json.h"
#include "wire/names.h"
#include "wire/refusal.h"

static void put_member(struct buf *out, const char *name)
{
    buf_putc(out, out->len ? ',' : '{');
    buf_printf(out, "\"%s\":", name);
}

static void put_text(struct buf *out, const char *name, Str s)
{
    if (!s.len)
        return;
    put_member(out, name);
    json_put_str(out, s);
}

static void put_true(struct buf *out, const char *name, bool is)
{
    if (!is)
        return;
    put_member(out, name);
    buf_putz(out, "true");
}

size_t publish_frames(const struct publish *p, struct buf *channel, struct buf *options,
                      Str frames[PUBLISH_FRAMES])
{
    buf_clear(options);
    put_text(options, "idempotencyKey", p->key);
    put_text(options, "exclude", p->exclude);
    put_true(options, "json", p->json);
    put_true(options, "ephemeral", p->ephemeral);
    if (p->ttl) {
        put_member(options, "ttl");
        buf_put_u64(options, p->ttl);
    }
    frames[0] = p->channel;
    if (p->user.len) {
        buf_clear(channel);
        buf_printf(channel, "user:%.*s", FMT(p->user));
        frames[0] = buf_str(channel);
    }
    frames[1] = p->event;
    frames[2] = p->data;
    if (!options->len)
        return 3;
    buf_putc(options, '}');
    frames[3] = buf_str(options);
    return 4;
}

static bool text_member(const Json *request, const char *name, Str *out, struct fault *why)
{
    const Json *v = json_get(request, name);
    *out = STR_NONE;
    if (!v || json_is_null(v))
        return true;
    if (!json_is_string(v))
        return fail(why, REFUSE_WRONG_FIELD, "%s: a string is needed", name);
    *out = json_str(v);
    return true;
}

static bool ttl_member(const Json *request, uint64_t *ttl, struct fault *why)
{
    const Json *v = json_get(request, "ttl");
    *ttl = 0;
    if (!v || json_is_null(v))
        return true;
    double n = json_is_number(v) ? json_num(v) : 0;
    if (n < 1 || n > UINT32_MAX)
        return fail(why, REFUSE_WRONG_FIELD, "ttl: seconds from 1 to %u are needed", UINT32_MAX);
    *ttl = (uint64_t)n;
    return true;
}

static bool ephemeral_member(const Json *request, bool *is, struct fault *why)
{
    const Json *v = json_get(request, "ephemeral");
    *is = v && json_is_true(v);
    if (!v || json_is_null(v) || json_is_bool(v))
        return true;
    return fail(why, REFUSE_WRONG_FIELD, "ephemeral: true or false is needed");
}

/* As over HTTP: JSON, the text that its author wrote; none is null. */
static void data_member(Str text, struct buf *data, struct publish *p)
{
    Str raw;
    if (!json_member_text(text, "data", &raw))
        raw = STR("null");
    json_put_compact(data, raw);
    p->data = buf_str(data);
    p->json = true;
}

static bool known_members(const Json *request, struct fault *why)
{
    static const char *const known[] = {"channel",        "channels", "user", "users",
                                        "event",          "data",     "ttl",  "ephemeral",
                                        "idempotencyKey", "exclude"};
    void *at = NULL;
    Str name;
    const Json *v;
    while (json_each(request, &at, &name, &v)) {
        size_t i = 0;
        while (i < COUNT_OF(known) && !str_eq(name, str_of(known[i])))
            i++;
        if (i == COUNT_OF(known))
            return fail(why, REFUSE_WRONG_FIELD, "%.*s: no such field",
                        (int)(name.len > 60 ? 60 : name.len), name.p);
    }
    return true;
}

struct targets {
    struct publish p;
    Str key;
    size_t n;
    bool (*each)(void *owner, const struct publish *p, struct fault *why);
    void *owner;
};

static bool hit(struct targets *t, Str name, bool is_user, struct fault *why)
{
    struct buf key;
    buf_init(&key, 4096);
    t->p.channel = is_user ? STR_NONE : name;
    t->p.user = is_user ? name : STR_NONE;
    t->p.key = t->key;
    if (++t->n > 1 && t->key.len) {
        buf_printf(&key, "%.*s:%zu", FMT(t->key), t->n);
        t->p.key = buf_str(&key);
    }
    bool ok = is_user || channel_is_valid(name, "channel", why);
    ok = ok && (!is_user || user_is_valid(name, "user", why));
    ok = ok && t->each(t->owner, &t->p, why);
    buf_fini(&key);
    return ok;
}

/* One of `name` (a string) and `name`s (an array of them). */
static bool hit_all(struct targets *t, const Json *request, const char *one, const char *many,
                    bool is_user, struct fault *why)
{
    Str name;
    const Json *names = json_get(request, many);
    if (!text_member(request, one, &name, why) || (name.len && !hit(t, name, is_user, why)))
        return false;
    if (!names || json_is_null(names))
        return true;
    if (!json_is_array(names))
        return fail(why, REFUSE_WRONG_FIELD, "%s: an array of strings is needed", many);
    for (size_t i = 0; i < json_len(names); i++) {
        const Json *v = json_at(names, i);
        if (!json_is_string(v))
            return fail(why, REFUSE_WRONG_FIELD, "%s: an array of strings is needed", many);
        if (!hit(t, json_str(v), is_user, why))
            return false;
    }
    return true;
}

static bool take_apart(const Json *request, Str text, struct targets *t, struct fault *why)
{
    struct buf data;
    buf_init(&data, text.len + 4);
    data_member(text, &data, &t->p);
    bool ok = known_members(request, why) && text_member(request, "event", &t->p.event, why) &&
              text_member(request, "exclude", &t->p.exclude, why) &&
              text_member(request, "idempotencyKey", &t->key, why) &&
              ttl_member(request, &t->p.ttl, why) &&
              ephemeral_member(request, &t->p.ephemeral, why) &&
              hit_all(t, request, "channel", "channels", false, why) &&
              hit_all(t, request, "user", "users", true, why);
    buf_fini(&data);
    if (ok && !t->n)
        return fail(why, REFUSE_WRONG_FIELD,
                    "channel: one of channel, channels, user, users is needed");
    return ok;
}

bool publish_each(Str request,
                  bool (*each)(void *owner, const struct publish *p, struct fault *why),
                  void *owner, struct fault *why)
{
    struct targets t = {.each = each, .owner = owner};
    Json *whole = json_parse(request, why);
    bool ok = false;
    if (whole && !json_is_object(whole))
        fail(why, REFUSE_MALFORMED, "a JSON object is needed");
    else if (whole)
        ok = take_apart(whole, request, &t, why);
    json_free(whole);
    return ok;
}
