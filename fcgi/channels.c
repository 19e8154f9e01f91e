#include "channels.h"

#include "wire/message.h"
#include "wire/names.h"
#include "wire/refusal.h"

enum { ITEM_MAX = 4 + CHANNEL_MAX };

void channels_init(struct channels *c, size_t max, enum action action, const struct rights *rights)
{
    *c = (struct channels){
        .max = max,
        .with_patterns = action == MAY_SUBSCRIBE || action == MAY_HISTORY,
        .action = action,
        .rights = rights,
    };
    buf_init(&c->list, max * ITEM_MAX);
}

void channels_fini(struct channels *c)
{
    buf_fini(&c->list);
}

bool channels_allow(const struct rights *rights, enum action action, Str name)
{
    char wish[1 + CHANNEL_MAX];
    if (may(rights, action, name))
        return true;
    if (!rights->wishes || !rights_ask(rights, action, name) || name.len > CHANNEL_MAX)
        return false;
    wish[0] = (char)('0' + (int)action);
    memcpy(wish + 1, name.p, name.len);
    Str text = str_make(wish, 1 + name.len);
    return list_has(buf_str(rights->wishes), text) || list_put(rights->wishes, text);
}

bool channels_add(struct channels *c, Str name, const char *field, struct fault *why)
{
    if (c->with_patterns ? !pattern_is_valid(name, field, why)
                         : !channel_is_valid(name, field, why))
        return false;
    if (c->rights && !channels_allow(c->rights, c->action, name))
        return fail(why, REFUSE_FORBIDDEN, "%s: %.*s: %s is not allowed", field, FMT(name),
                    action_name(c->action));
    if (list_has(buf_str(&c->list), name))
        return true;
    if (c->n == c->max)
        return fail(why, REFUSE_WRONG_FIELD, "%s: more than %zu channels", field, c->max);
    c->n++;
    return list_put(&c->list, name);
}

bool channels_add_user(struct channels *c, Str user, const char *field, struct fault *why)
{
    struct buf name;
    if (!user_is_valid(user, field, why))
        return false;
    buf_init(&name, CHANNEL_MAX);
    buf_put(&name, STR("user:"));
    buf_put(&name, user);
    bool ok = channels_add(c, buf_str(&name), field, why);
    buf_fini(&name);
    return ok;
}

bool channels_add_query(struct channels *c, const struct query *q, const char *name,
                        struct fault *why)
{
    for (size_t i = 0; i < q->n; i++) {
        if (!str_eq(q->v[i].name, str_of(name)))
            continue;
        Str rest = q->v[i].value;
        for (Str piece; str_cut(&rest, ',', &piece);)
            if (!channels_add(c, str_trim(piece), name, why))
                return false;
    }
    return true;
}

static bool add_json(struct channels *c, const Json *value, const char *field, struct fault *why)
{
    if (!json_is_string(value))
        return fail(why, REFUSE_WRONG_FIELD, "%s: is not a string", field);
    return channels_add(c, json_str(value), field, why);
}

bool channels_add_json(struct channels *c, const Json *value, bool is_array, const char *field,
                       struct fault *why)
{
    if (!value)
        return true;
    if (!is_array)
        return add_json(c, value, field, why);
    if (!json_is_array(value))
        return fail(why, REFUSE_WRONG_FIELD, "%s: is not an array", field);
    for (size_t i = 0; i < json_len(value); i++)
        if (!add_json(c, json_at(value, i), field, why))
            return false;
    return true;
}
