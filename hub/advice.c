#include "advice.h"

#include "base/json.h"
#include "wire/message.h"
#include "wire/names.h"
#include "wire/people.h"
#include "wire/refusal.h"

static bool refuse(struct fault *why, const char *reason)
{
    return fail(why, REFUSE_HOOK_AWAY, "hook: the answer's %s", reason);
}

static bool read_allow(struct advice *a, const Json *whole, struct fault *why)
{
    const Json *allow = json_get(whole, "allow"), *hold = json_get(whole, "for");
    double seconds = hold && json_is_number(hold) ? json_num(hold) : 0;
    if (!allow || !json_is_bool(allow))
        return refuse(why, "allow: is neither true nor false");
    if (hold && (!json_is_number(hold) || !(seconds >= 0)))
        return refuse(why, "for: is no number of seconds");
    a->allow = json_is_true(allow);
    a->hold = seconds * 1000 < (double)ADVICE_HOLDS ? (Msec)(seconds * 1000) : ADVICE_HOLDS;
    return true;
}

static bool read_user(struct advice *a, const Json *user, struct fault *why)
{
    struct fault own;
    if (!user || json_is_null(user))
        return true;
    if (!json_is_string(user))
        return refuse(why, "user: is no string");
    return (user_is_valid(json_str(user), "user", &own) || refuse(why, own.text)) &&
           buf_put(&a->user, json_str(user));
}

static bool read_names(struct buf *list, const Json *array, struct fault *why)
{
    struct fault own;
    if (!array)
        return true;
    if (!json_is_array(array) || json_len(array) > ADVICE_GRANTS)
        return refuse(why, "grants: a right is no array of at most 256 names");
    for (size_t i = 0; i < json_len(array); i++) {
        const Json *name = json_at(array, i);
        if (!json_is_string(name) || !pattern_is_valid(json_str(name), "grants", &own))
            return refuse(why, "grants: has something that is neither a name nor a pattern");
        list_put(list, json_str(name));
    }
    return true;
}

static bool read_grants(struct advice *a, const Json *grants, struct fault *why)
{
    static const char *const rights[] = {"subscribe", "publish", "presence"};
    bool ok = true;
    if (!grants)
        return true;
    if (!json_is_object(grants))
        return refuse(why, "grants: is no object");
    for (size_t i = 0; ok && i < COUNT_OF(rights); i++) {
        struct buf list;
        buf_init(&list, 2 * ADVICE_BYTES);
        ok = read_names(&list, json_get(grants, rights[i]), why);
        list_put(&a->grants, buf_str(&list));
        buf_fini(&list);
    }
    return ok;
}

static bool read_public(struct advice *a, Str text, const Json *whole, struct fault *why)
{
    Str raw;
    if (!json_get(whole, "public"))
        return true;
    return (json_member_text(text, "public", &raw) && json_put_compact(&a->public, raw)) ||
           refuse(why, "public: has more than 1024 bytes, or a name with escapes");
}

bool advice_read(struct advice *a, Str text, bool is_connection, struct fault *why)
{
    struct fault own;
    *a = (struct advice){0};
    buf_init(&a->user, USER_MAX);
    buf_init(&a->grants, 8 * ADVICE_BYTES);
    buf_init(&a->public, PUBLIC_MAX);
    if (text.len > ADVICE_BYTES)
        return refuse(why, "size: is more than 65536 bytes");
    Json *whole = json_parse(text, &own);
    if (!whole)
        return refuse(why, "text: is not JSON");
    bool ok =
        json_is_object(whole) ? read_allow(a, whole, why) : refuse(why, "text: is no JSON object");
    if (ok && is_connection)
        ok = read_user(a, json_get(whole, "user"), why) &&
             read_grants(a, json_get(whole, "grants"), why) && read_public(a, text, whole, why);
    json_free(whole);
    return ok;
}

void advice_fini(struct advice *a)
{
    buf_fini(&a->user);
    buf_fini(&a->grants);
    buf_fini(&a->public);
}
