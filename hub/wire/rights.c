#include "wire/rights.h"

#define USER_PREFIX STR("user:")

static bool is_reading(enum action action)
{
    return action == MAY_SUBSCRIBE || action == MAY_HISTORY;
}

static bool is_own(Str user, Str channel)
{
    return user.len && str_starts(channel, USER_PREFIX) &&
           str_eq(str_skip(channel, USER_PREFIX.len), user);
}

static bool is_for_all(Str names, Str channel)
{
    for (Str name; str_cut(&names, ',', &name);) {
        name = str_trim(name);
        if (name.len && str_eq(name, channel))
            return true;
    }
    return false;
}

static bool is_common(Str channel)
{
    return !str_starts(channel, USER_PREFIX) && !str_starts(channel, STR("$"));
}

bool may(const struct rights *r, enum action action, Str channel)
{
    if (r->everything)
        return true;
    if (is_reading(action) && (is_own(r->user, channel) || is_for_all(r->for_all, channel)))
        return true;
    return r->access == ACCESS_OPEN && is_common(channel);
}

const char *action_name(enum action action)
{
    static const char *const names[] = {
        [MAY_SUBSCRIBE] = "subscribe",
        [MAY_PUBLISH] = "publish",
        [MAY_HISTORY] = "history",
        [MAY_PRESENCE] = "presence",
    };
    return names[action];
}
