#include "sends.h"

#include "channels.h"
#include "wire/event.h"
#include "wire/names.h"
#include "wire/refusal.h"

#include <stdlib.h>

/* One send on its way from a document to the wire. */
struct draft {
    const struct options *options;
    struct msg_send send;
    struct channels channels;
    struct buf data;
    bool is_plural;
};

static void draft_init(struct draft *d, const struct options *o, const struct rights *rights)
{
    *d = (struct draft){.options = o};
    channels_init(&d->channels, o->max_channels_stream, MAY_PUBLISH, rights);
    buf_init(&d->data, o->max_body);
}

static void draft_fini(struct draft *d)
{
    channels_fini(&d->channels);
    buf_fini(&d->data);
}

static bool is_known(Str name, struct fault *why)
{
    static const char *const names[] = {
        "channel", "channels",  "user",    "users", "client",         "event",
        "data",    "ephemeral", "exclude", "ttl",   "idempotencyKey",
    };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_eq(name, str_of(names[i])))
            return true;
    return fail(why, REFUSE_WRONG_FIELD, "%.*s: no such field", FMT(name));
}

static bool check_data(const struct draft *d, struct fault *why)
{
    Str data = d->send.data;
    if (data.len > d->options->max_event)
        return fail(why, REFUSE_TOO_LARGE, "data: %zu bytes, max_event is %llu", data.len,
                    (unsigned long long)d->options->max_event);
    if (!str_is_utf8(data))
        return fail(why, REFUSE_WRONG_FIELD, "data: is not UTF-8; send base64");
    return true;
}

/* What holds for every send, whatever it was written in. */
static bool check(struct draft *d, struct fault *why)
{
    struct msg_send *s = &d->send;
    if (!s->to.len && !d->channels.n)
        return fail(why, REFUSE_WRONG_FIELD, "channels, users: are empty");
    if (s->to.len && !client_is_valid(s->to, "client", why))
        return false;
    if (s->to.len || str_eq(s->event, STR("typing")))
        s->flags |= EVENT_EPHEMERAL;
    if (!event_name_is_valid(s->event, s->flags & EVENT_EPHEMERAL, "event", why))
        return false;
    if (s->exclude.len && !client_is_valid(s->exclude, "exclude", why))
        return false;
    return check_data(d, why);
}

static bool finish(struct draft *d, struct sends *s, struct fault *why)
{
    if (!check(d, why))
        return false;
    struct buf packed;
    d->send.channels = buf_str(&d->channels.list);
    buf_init(&packed, s->list.max);
    bool ok = msg_send_pack(&packed, &d->send) && list_put(&s->list, buf_str(&packed));
    buf_fini(&packed);
    s->has_keys = s->has_keys && d->send.key.len;
    return ok ||
           fail(why, REFUSE_TOO_LARGE, "body: with its channels more than %zu bytes", s->list.max);
}

/* Absent and null are the same: the field's default. */
static const Json *member(const Json *object, const char *name)
{
    const Json *value = json_get(object, name);
    return value && json_is_null(value) ? NULL : value;
}

static bool read_text(const Json *object, const char *name, Str *out, struct fault *why)
{
    const Json *value = member(object, name);
    if (!value)
        return true;
    if (!json_is_string(value) || !json_str(value).len)
        return fail(why, REFUSE_WRONG_FIELD, "%s: is not a string with something in it", name);
    *out = json_str(value);
    return true;
}

/* An empty one is no key: whoever names one relies on it. */
static bool read_key(struct draft *d, const Json *object, struct fault *why)
{
    const Json *value = member(object, "idempotencyKey");
    if (!value)
        return true;
    if (!json_is_string(value))
        return fail(why, REFUSE_WRONG_FIELD, "idempotencyKey: is not a string");
    d->send.key = json_str(value);
    return key_is_valid(d->send.key, "idempotencyKey", why);
}

static bool read_ephemeral(struct draft *d, const Json *object, struct fault *why)
{
    const Json *value = member(object, "ephemeral");
    if (value && !json_is_bool(value))
        return fail(why, REFUSE_WRONG_FIELD, "ephemeral: is neither true nor false");
    if (value && json_is_true(value))
        d->send.flags |= EVENT_EPHEMERAL;
    return true;
}

static bool fail_ttl(struct fault *why)
{
    return fail(why, REFUSE_WRONG_FIELD, "ttl: is no whole number of seconds from 1 to %d",
                SENDS_TTL_MAX);
}

static bool read_ttl(struct draft *d, const Json *object, struct fault *why)
{
    const Json *value = member(object, "ttl");
    if (!value)
        return true;
    double n = json_is_number(value) ? json_num(value) : 0;
    if (!(n >= 1 && n <= SENDS_TTL_MAX) || n != (double)(uint32_t)n)
        return fail_ttl(why);
    d->send.ttl = (uint32_t)n;
    return true;
}

/* A string is text; other JSON stays the publisher's own. An event with a name may say it all. */
static bool read_data(struct draft *d, const Json *object, Str text, struct fault *why)
{
    Str raw = STR("null");
    const Json *value = json_get(object, "data");
    if (!value && !d->send.event.len)
        return fail(why, REFUSE_WRONG_FIELD, "data: is missing");
    if (value && json_is_string(value)) {
        d->send.data = json_str(value);
        return true;
    }
    if (value && !json_member_text(text, "data", &raw))
        return fail(why, REFUSE_WRONG_FIELD, "data: its name is written with escapes");
    if (!json_put_compact(&d->data, raw))
        return fail(why, REFUSE_TOO_LARGE, "data: %zu bytes, max_event is %llu", raw.len,
                    (unsigned long long)d->options->max_event);
    d->send.data = buf_str(&d->data);
    d->send.flags |= EVENT_JSON;
    return true;
}

/* To whom: by exactly one of these names. */
static const char *const targets[] = {"channel", "channels", "user", "users", "client"};

static bool check_targets(size_t n, struct fault *why)
{
    if (n == 0)
        return fail(why, REFUSE_WRONG_FIELD,
                    "channel: is missing (or channels, user, users, client)");
    if (n > 1)
        return fail(why, REFUSE_WRONG_FIELD,
                    "channel, channels, user, users, client: one of them is enough");
    return true;
}

static bool has_one_target(const Json *object, struct fault *why)
{
    size_t n = 0;
    for (size_t i = 0; i < COUNT_OF(targets); i++)
        n += member(object, targets[i]) != NULL;
    return check_targets(n, why);
}

static bool form_has_one_target(const struct query *q, struct fault *why)
{
    size_t n = 0;
    for (size_t i = 0; i < COUNT_OF(targets); i++)
        n += query_has(q, targets[i]);
    return check_targets(n, why);
}

static bool read_targets(struct draft *d, const Json *object, struct fault *why)
{
    const Json *users = member(object, "users");
    Str user = STR_NONE, name;
    d->is_plural = member(object, "channels") || users;
    if (!channels_add_json(&d->channels, member(object, "channel"), false, "channel", why) ||
        !channels_add_json(&d->channels, member(object, "channels"), true, "channels", why) ||
        !read_text(object, "user", &user, why) || !read_text(object, "client", &d->send.to, why))
        return false;
    if (user.len && !channels_add_user(&d->channels, user, "user", why))
        return false;
    if (users && !json_is_array(users))
        return fail(why, REFUSE_WRONG_FIELD, "users: is not an array");
    for (size_t i = 0; users && i < json_len(users); i++) {
        const Json *item = json_at(users, i);
        name = json_is_string(item) ? json_str(item) : STR_NONE;
        if (!channels_add_user(&d->channels, name, "users", why))
            return false;
    }
    return true;
}

static bool read_object(struct draft *d, const Json *object, Str text, struct fault *why)
{
    void *at = NULL;
    Str name;
    const Json *value;
    if (!json_is_object(object))
        return fail(why, REFUSE_WRONG_FIELD, "body: is not an object");
    while (json_each(object, &at, &name, &value))
        if (!is_known(name, why))
            return false;
    return has_one_target(object, why) && read_targets(d, object, why) &&
           read_text(object, "event", &d->send.event, why) &&
           read_text(object, "exclude", &d->send.exclude, why) && read_key(d, object, why) &&
           read_ephemeral(d, object, why) && read_ttl(d, object, why) &&
           read_data(d, object, text, why);
}

static bool add_users(struct draft *d, const struct query *q, struct fault *why)
{
    for (size_t i = 0; i < q->n; i++) {
        bool is_one = str_eq(q->v[i].name, STR("user"));
        Str rest = q->v[i].value;
        if (!is_one && !str_eq(q->v[i].name, STR("users")))
            continue;
        for (Str piece; str_cut(&rest, ',', &piece);)
            if (!channels_add_user(&d->channels, str_trim(piece), is_one ? "user" : "users", why))
                return false;
    }
    return true;
}

static bool read_form_ttl(struct draft *d, Str text, struct fault *why)
{
    uint64_t n = 0;
    if (text.len && (!str_to_u64(text, &n) || n < 1 || n > SENDS_TTL_MAX))
        return fail_ttl(why);
    d->send.ttl = (uint32_t)n;
    return true;
}

/* The same names; data is text. */
static bool read_fields(struct draft *d, const struct query *q, struct fault *why)
{
    bool is_ephemeral = false;
    for (size_t i = 0; i < q->n; i++)
        if (!is_known(q->v[i].name, why))
            return false;
    if (!form_has_one_target(q, why) || !channels_add_query(&d->channels, q, "channel", why) ||
        !channels_add_query(&d->channels, q, "channels", why) || !add_users(d, q, why) ||
        !read_form_ttl(d, query_get(q, "ttl"), why))
        return false;
    if (query_has(q, "ephemeral") && !flag_of(query_get(q, "ephemeral"), &is_ephemeral))
        return fail(why, REFUSE_WRONG_FIELD, "ephemeral: is none of 1, true, 0, false");
    if (!query_has(q, "data") && !query_get(q, "event").len)
        return fail(why, REFUSE_WRONG_FIELD, "data: is missing");
    d->is_plural = d->channels.n > 1 || query_has(q, "channels") || query_has(q, "users");
    d->send.flags = is_ephemeral ? EVENT_EPHEMERAL : 0;
    d->send.to = query_get(q, "client");
    d->send.event = query_get(q, "event");
    d->send.data = query_get(q, "data");
    d->send.exclude = query_get(q, "exclude");
    d->send.key = query_get(q, "idempotencyKey");
    return !query_has(q, "idempotencyKey") || key_is_valid(d->send.key, "idempotencyKey", why);
}

static bool read_form(struct sends *s, Str body, const struct options *o,
                      const struct rights *rights, struct fault *why)
{
    struct query q;
    struct draft d;
    if (!query_parse(&q, body, "body", why))
        return false;
    draft_init(&d, o, rights);
    bool ok = read_fields(&d, &q, why) && finish(&d, s, why);
    s->v[0].is_plural = d.is_plural;
    draft_fini(&d);
    query_fini(&q);
    return ok;
}

/* One send of JSON, whatever document it is a part of. */
static bool read_one(struct sends *s, const Json *object, Str text, const struct options *o,
                     const struct rights *rights, struct fault *why)
{
    struct draft d;
    draft_init(&d, o, rights);
    bool ok = read_object(&d, object, text, why) && finish(&d, s, why);
    s->v[s->n - 1].is_plural = d.is_plural;
    draft_fini(&d);
    return ok;
}

/* Room for one more verdict; false: the batch is too long. */
static bool begin_one(struct sends *s, const struct options *o, struct fault *why)
{
    if (s->n == o->max_batch)
        return fail(why, REFUSE_TOO_LARGE, "body: more than max_batch, %llu sends",
                    (unsigned long long)o->max_batch);
    if ((s->n & (s->n - 1)) == 0) /* doubles whenever it is a power of two */
        s->v = must_realloc(s->v, (s->n ? 2 * s->n : 1) * sizeof *s->v);
    s->v[s->n++] = (struct verdict){0};
    return true;
}

static void end_one(struct sends *s, bool ok, const struct fault *why)
{
    s->good += ok;
    if (!ok)
        s->v[s->n - 1].why = must_copy(why, sizeof *why);
}

static bool read_array(struct sends *s, const Json *array, Str text, const struct options *o,
                       const struct rights *rights, struct fault *why)
{
    size_t at = 0;
    s->is_batch = true;
    for (Str raw; json_each_text(text, &at, &raw);) {
        struct fault own = {0};
        if (!begin_one(s, o, why))
            return false;
        end_one(s, read_one(s, json_at(array, s->n - 1), raw, o, rights, &own), &own);
    }
    return true;
}

static bool read_line(struct sends *s, Str line, const struct options *o,
                      const struct rights *rights, struct fault *why)
{
    if (!str_is_utf8(line))
        return fail(why, REFUSE_WRONG_FIELD, "data: is not UTF-8; send base64");
    Json *whole = json_parse(line, why);
    bool ok = whole && read_one(s, whole, line, o, rights, why);
    json_free(whole);
    return ok;
}

static bool read_lines(struct sends *s, Str body, const struct options *o,
                       const struct rights *rights, struct fault *why)
{
    s->is_batch = true;
    for (Str line; str_cut(&body, '\n', &line);) {
        struct fault own = {0};
        line = str_trim(line);
        if (!line.len)
            continue;
        if (!begin_one(s, o, why))
            return false;
        end_one(s, read_line(s, line, o, rights, &own), &own);
    }
    return true;
}

static bool read_json(struct sends *s, Str body, const struct options *o,
                      const struct rights *rights, struct fault *why)
{
    if (!str_is_utf8(body))
        return fail(why, REFUSE_WRONG_FIELD, "data: is not UTF-8; send base64");
    Json *whole = json_parse(body, why);
    if (!whole)
        return false;
    bool ok = json_is_array(whole)
                  ? read_array(s, whole, body, o, rights, why)
                  : begin_one(s, o, why) && read_one(s, whole, body, o, rights, why);
    json_free(whole);
    return ok;
}

bool sends_read(struct sends *s, enum media media, Str body, const struct options *o,
                const struct rights *rights, struct fault *why)
{
    bool ok = false;
    *s = (struct sends){.has_keys = true};
    buf_init(&s->list, 3 * o->max_body);
    switch (media) {
    case MEDIA_JSON:
        ok = read_json(s, body, o, rights, why);
        break;
    case MEDIA_NDJSON:
        ok = read_lines(s, body, o, rights, why);
        break;
    case MEDIA_FORM:
        ok = begin_one(s, o, why) && read_form(s, body, o, rights, why);
        break;
    }
    if (ok && !s->is_batch)
        s->good = 1;
    if (ok && !s->n)
        return fail(why, REFUSE_WRONG_FIELD, "body: has no send in it");
    return ok;
}

void sends_fini(struct sends *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->v[i].why);
    free(s->v);
    buf_fini(&s->list);
}
