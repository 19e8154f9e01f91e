#include "media.h"

#include "base/memory.h"
#include "wire/refusal.h"

static const struct {
    const char *name;
    enum media media;
} types[] = {
    {"application/json", MEDIA_JSON},
    {"application/x-ndjson", MEDIA_NDJSON},
    {"application/x-www-form-urlencoded", MEDIA_FORM},
};

static bool is_utf8_charset(Str parameter)
{
    Str name, value = parameter;
    if (!str_cut(&value, '=', &name) || !str_eq_nocase(str_trim(name), STR("charset")))
        return true;
    value = str_trim(value);
    if (value.len > 1 && value.p[0] == '"')
        value = str_make(value.p + 1, value.len - 2);
    return str_eq_nocase(value, STR("utf-8")) || str_eq_nocase(value, STR("utf8")) ||
           str_eq_nocase(value, STR("us-ascii"));
}

bool media_of(Str type, enum media *out, struct fault *why)
{
    Str name = STR_NONE;
    str_cut(&type, ';', &name);
    name = str_trim(name);
    for (Str parameter; str_cut(&type, ';', &parameter);)
        if (!is_utf8_charset(parameter))
            return fail(why, REFUSE_MEDIA_TYPE, "Content-Type: the charset must be UTF-8");
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (str_eq_nocase(name, str_of(types[i].name))) {
            *out = types[i].media;
            return true;
        }
    }
    return fail(why, REFUSE_MEDIA_TYPE,
                "Content-Type: %.*s is none of application/json, application/x-ndjson, "
                "application/x-www-form-urlencoded",
                name.len ? (int)(name.len < 80 ? name.len : 80) : 7, name.len ? name.p : "nothing");
}
