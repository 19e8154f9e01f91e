#include "wire/hooking.h"

#include "wire/names.h"
#include "wire/refusal.h"

static const char *const names[HOOK_EVENTS] = {
    [HOOK_AUTHORIZE] = "authorize", [HOOK_CONNECT] = "connect", [HOOK_LEAVE] = "leave",
    [HOOK_OCCUPIED] = "occupied",   [HOOK_VACANT] = "vacant",
};

const char *hook_event_name(enum hook_event e)
{
    return names[e];
}

bool hook_is_on(const struct options *o)
{
    return o->hook && o->hook[0];
}

bool hook_is_http(const struct options *o)
{
    Str at = str_of(o->hook);
    return str_starts(at, STR("http://")) || str_starts(at, STR("https://"));
}

bool hook_wants(const struct options *o, enum hook_event e)
{
    return hook_is_on(o) && str_is_listed(str_of(o->hook_events), str_of(names[e]));
}

bool hook_has_rules(const struct options *o)
{
    bool has = o->access == ACCESS_ASK;
    for (size_t i = 0; i < o->section_count; i++)
        for (size_t a = 0; a < ACTION_COUNT; a++)
            has |= o->rules[i].access[a] == ACCESS_ASK;
    return has;
}

static bool is_event(Str name)
{
    for (size_t i = 0; i < HOOK_EVENTS; i++)
        if (str_eq(name, str_of(names[i])))
            return true;
    return false;
}

bool hook_check(const struct options *o, struct fault *why)
{
    Str events = str_of(o->hook_events), at = str_of(o->hook);
    if (!hook_is_on(o))
        return !hook_has_rules(o) ||
               fail(why, REFUSE_CONFIG, "hook: is empty, and the access of a channel is ask");
    for (Str name; str_cut(&events, ',', &name);)
        if (str_trim(name).len && !is_event(str_trim(name)))
            return fail(why, REFUSE_CONFIG,
                        "hook_events: %.*s is none of authorize, connect, leave, occupied, vacant",
                        FMT(str_trim(name)));
    return hook_is_http(o) || str_starts(at, STR("ipc://")) || str_starts(at, STR("tcp://")) ||
           fail(why, REFUSE_CONFIG,
                "hook: \"%.100s\" begins with none of http://, https://, ipc://, tcp://", o->hook);
}
