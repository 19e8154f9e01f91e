#include "wire/rights.h"

#include "wire/message.h"
#include "wire/names.h"

#define USER_PREFIX STR("user:")

static bool is_reading(enum action action)
{
    return action == MAY_SUBSCRIBE || action == MAY_HISTORY;
}

bool is_own_channel(Str user, Str channel)
{
    return user.len && str_starts(channel, USER_PREFIX) &&
           str_eq(str_skip(channel, USER_PREFIX.len), user);
}

bool is_for_all(Str names, Str channel)
{
    return str_is_listed(names, channel);
}

static bool is_common(Str channel)
{
    return !str_starts(channel, USER_PREFIX) && !str_starts(channel, STR("$"));
}

static enum access of_rule(const struct channel_rule *rule, enum action action)
{
    enum access access = rule->access[action];
    return access == ACCESS_UNSAID && action == MAY_HISTORY ? rule->access[MAY_SUBSCRIBE] : access;
}

static enum access access_of(const struct rights *r, enum action action, Str channel)
{
    enum access access = ACCESS_UNSAID;
    for (size_t i = 0; i < r->rule_count; i++)
        if (pattern_matches(r->rules[i].pattern, channel)) {
            access = of_rule(&r->rules[i], action);
            break;
        }
    if (access != ACCESS_UNSAID)
        return access;
    return is_common(channel) || r->access < ACCESS_GRANTED ? r->access : ACCESS_GRANTED;
}

static bool is_among(const struct grants *g, enum action action, Str channel)
{
    Str names = action == MAY_PUBLISH    ? g->publish
                : action == MAY_PRESENCE ? g->presence
                                         : g->subscribe;
    for (Str name; list_next(&names, &name);)
        if (pattern_matches(name, channel))
            return true;
    return false;
}

static bool is_granted(const struct rights *r, enum action action, Str channel)
{
    return is_among(&r->grants, action, channel) || is_among(&r->stored, action, channel) ||
           is_among(&r->shared, action, channel);
}

bool may_by_rule(const struct rights *r, bool is_user, enum action action, Str channel)
{
    if (is_reading(action) && is_for_all(r->for_all, channel))
        return true;
    switch (access_of(r, action, channel)) {
    case ACCESS_OPEN:
        return true;
    case ACCESS_AUTHENTICATED:
        return is_user || is_granted(r, action, channel);
    case ACCESS_ASK:
        return is_granted(r, action, channel) || is_among(&r->asked, action, channel);
    case ACCESS_GRANTED:
        return is_granted(r, action, channel);
    case ACCESS_UNSAID:
    case ACCESS_CLOSED:
        break;
    }
    return false;
}

bool may(const struct rights *r, enum action action, Str channel)
{
    return (is_reading(action) && is_own_channel(r->user, channel)) ||
           may_by_rule(r, r->user.len > 0, action, channel);
}

bool rights_ask(const struct rights *r, enum action action, Str channel)
{
    return access_of(r, action, channel) == ACCESS_ASK && !may(r, action, channel);
}

bool rights_take_names(const struct rights *r, Str channel)
{
    for (size_t i = 0; i < r->rule_count; i++)
        if (pattern_matches(r->rules[i].pattern, channel))
            return r->rules[i].takes_names;
    return false;
}

const char *action_name(enum action action)
{
    static const char *const names[ACTION_COUNT] = {
        [MAY_SUBSCRIBE] = "subscribe",
        [MAY_PUBLISH] = "publish",
        [MAY_HISTORY] = "history",
        [MAY_PRESENCE] = "presence",
    };
    return names[action];
}
