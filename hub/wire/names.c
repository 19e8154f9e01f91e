#include "wire/names.h"

#include "wire/refusal.h"

#include <stdio.h>

#define USER_PREFIX STR("user:")

/* What all names have in common. */
static bool is_text(Str name, size_t max, const char *field, struct fault *why)
{
    if (!name.len)
        return fail(why, REFUSE_WRONG_FIELD, "%s: is empty", field);
    if (name.len > max)
        return fail(why, REFUSE_WRONG_FIELD, "%s: has %zu bytes, at most %zu are allowed", field,
                    name.len, max);
    if (!str_is_utf8(name))
        return fail(why, REFUSE_WRONG_FIELD, "%s: is not valid UTF-8", field);
    if (str_has_control(name))
        return fail(why, REFUSE_WRONG_FIELD, "%s: has a control character", field);
    return true;
}

/* `stem` is `name`, or what stands before a pattern's star. */
static bool is_stem(Str stem, const char *field, struct fault *why)
{
    if (str_starts(stem, STR(" ")))
        return fail(why, REFUSE_WRONG_FIELD, "%s: begins with a blank", field);
    if (str_find(stem, '*') < stem.len)
        return fail(why, REFUSE_WRONG_FIELD, "%s: has a '*' that is not its end", field);
    if (str_find(stem, ',') < stem.len)
        return fail(why, REFUSE_WRONG_FIELD, "%s: has a ','", field);
    return true;
}

static bool is_name(Str name, size_t max, const char *field, struct fault *why)
{
    if (!is_text(name, max, field, why))
        return false;
    if (is_pattern(name))
        return fail(why, REFUSE_WRONG_FIELD, "%s: is a pattern, a name is needed", field);
    if (!is_stem(name, field, why))
        return false;
    if (str_ends(name, STR(" ")))
        return fail(why, REFUSE_WRONG_FIELD, "%s: ends with a blank", field);
    if (name.p[0] == '$')
        return fail(why, REFUSE_WRONG_FIELD, "%s: begins with '$'", field);
    return true;
}

bool channel_is_valid(Str name, const char *field, struct fault *why)
{
    return is_name(name, CHANNEL_MAX, field, why);
}

bool pattern_is_valid(Str name, const char *field, struct fault *why)
{
    if (!is_pattern(name))
        return channel_is_valid(name, field, why);
    return is_text(name, CHANNEL_MAX, field, why) &&
           is_stem(str_make(name.p, name.len - 1), field, why);
}

bool user_is_valid(Str name, const char *field, struct fault *why)
{
    if (!is_name(name, USER_MAX, field, why))
        return false;
    if (str_find(name, ':') < name.len)
        return fail(why, REFUSE_WRONG_FIELD, "%s: has a ':'", field);
    return true;
}

bool label_is_valid(Str name, const char *field, struct fault *why)
{
    return is_text(name, LABEL_MAX, field, why);
}

static bool is_one_of(Str name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(name, str_of(names[i])))
            return true;
    return false;
}

bool event_name_is_valid(Str name, bool ephemeral, const char *field, struct fault *why)
{
    static const char *const reserved[] = {"connected", "gap",   "bye", "token",
                                           "presence",  "error", "open"};
    if (!name.len)
        return true;
    if (!is_text(name, EVENT_NAME_MAX, field, why))
        return false;
    if (is_one_of(name, reserved, COUNT_OF(reserved)))
        return fail(why, REFUSE_WRONG_FIELD, "%s: '%.*s' is a reserved name", field, FMT(name));
    if (!ephemeral && str_eq(name, STR("typing")))
        return fail(why, REFUSE_WRONG_FIELD, "%s: 'typing' is for ephemeral events only", field);
    return true;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

bool client_is_valid(Str name, const char *field, struct fault *why)
{
    if (name.len < CLIENT_MIN || name.len > CLIENT_MAX)
        return fail(why, REFUSE_WRONG_FIELD, "%s: has %zu characters, %d to %d are allowed", field,
                    name.len, CLIENT_MIN, CLIENT_MAX);
    for (size_t i = 0; i < name.len; i++)
        if (!is_letter(name.p[i]))
            return fail(why, REFUSE_WRONG_FIELD, "%s: has a character that is none of A-Za-z0-9_-",
                        field);
    return true;
}

bool key_is_valid(Str key, const char *field, struct fault *why)
{
    if (!key.len || key.len > KEY_MAX)
        return fail(why, REFUSE_WRONG_FIELD, "%s: has %zu characters, 1 to %d are allowed", field,
                    key.len, KEY_MAX);
    for (size_t i = 0; i < key.len; i++)
        if (key.p[i] < 0x21 || key.p[i] > 0x7e)
            return fail(why, REFUSE_WRONG_FIELD,
                        "%s: has a character that is not printable ASCII, or a blank", field);
    return true;
}

/* Whether `channel` begins with a prefix that `stem` does not begin with. */
static bool is_kept_apart(Str stem, Str channel, Str prefix)
{
    return str_starts(channel, prefix) && !str_starts(stem, prefix);
}

bool pattern_matches(Str name, Str channel)
{
    if (!is_pattern(name))
        return str_eq(name, channel);
    Str stem = str_make(name.p, name.len - 1);
    return str_starts(channel, stem) && !is_kept_apart(stem, channel, USER_PREFIX) &&
           !is_kept_apart(stem, channel, STR("$"));
}

/* Above all names that begin with the prefix: no byte of UTF-8 is 255. */
static void put_end(char *end, Str prefix)
{
    snprintf(end, CHANNEL_MAX + 1, "%.*s", FMT(prefix));
    if (prefix.len)
        end[prefix.len - 1] = (char)(end[prefix.len - 1] + 1);
}

size_t pattern_ranges(Str pattern, struct name_range ranges[PATTERN_RANGES])
{
    const Str apart[] = {STR("$"), USER_PREFIX}; /* in order */
    Str stem = str_make(pattern.p, pattern.len - 1);
    size_t n = 0;
    char from[CHANNEL_MAX + 1];
    snprintf(from, sizeof from, "%.*s", FMT(stem));
    for (size_t i = 0; i < COUNT_OF(apart); i++) {
        if (!str_starts(apart[i], stem) || str_eq(apart[i], stem))
            continue;
        struct name_range *r = &ranges[n++];
        snprintf(r->from, sizeof r->from, "%s", from);
        snprintf(r->to, sizeof r->to, "%.*s", FMT(apart[i]));
        put_end(from, apart[i]);
    }
    snprintf(ranges[n].from, sizeof ranges[n].from, "%s", from);
    put_end(ranges[n].to, stem);
    return n + 1;
}
