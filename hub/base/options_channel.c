#include "base/options_channel.h"

#include "base/options_table.h"
#include "wire/names.h"
#include "wire/refusal.h"

#include <assert.h>
#include <stdlib.h>

#define SECTIONS_MAX 1000

struct channel_section {
    char *pattern;
    struct retention is, has; /* has: 1 where the file gives it */
};

/* The part of a retention that [channel] may give, or NULL. */
static uint64_t *retention_part(struct retention *r, Str name)
{
    if (str_eq(name, STR("keep")))
        return &r->keep;
    if (str_eq(name, STR("age")))
        return &r->age;
    return str_eq(name, STR("bytes")) ? &r->bytes : NULL;
}

/* Of its name, or SIZE_MAX. */
static size_t find_section(const struct options *o, Str pattern)
{
    for (size_t i = 0; i < o->section_count; i++)
        if (str_eq(pattern, str_of(o->sections[i].pattern)))
            return i;
    return SIZE_MAX;
}

static bool add_section(struct options *o, Str pattern, const char *place, struct fault *why)
{
    struct fault detail = {0};
    if (!pattern_is_valid(pattern, "pattern", &detail))
        return fail(why, REFUSE_CONFIG, "%.90s: [channel]: %.130s", place, detail.text);
    if (o->section_count == SECTIONS_MAX)
        return fail(why, REFUSE_CONFIG, "%s: more than %d [channel] sections", place, SECTIONS_MAX);
    size_t n = o->section_count + 1;
    o->sections = must_realloc(o->sections, n * sizeof *o->sections);
    o->rules = must_realloc(o->rules, n * sizeof *o->rules);
    char *copy = str_dup(pattern);
    o->sections[o->section_count] = (struct channel_section){.pattern = copy};
    o->rules[o->section_count++] = (struct channel_rule){.pattern = str_of(copy)};
    return true;
}

static bool fail_twice(const char *place, const struct config_entry *entry, struct fault *why)
{
    return fail(why, REFUSE_CONFIG, "%s: %.*s is given twice%s", place, FMT(entry->name),
                entry->is_more ? "; it has one value" : "");
}

static bool take_retention(struct channel_section *s, const char *place,
                           const struct config_entry *entry, struct fault *why)
{
    uint64_t *value = retention_part(&s->is, entry->name);
    uint64_t *has = retention_part(&s->has, entry->name);
    assert(value && has);
    if ((*has)++)
        return fail_twice(place, entry, why);
    return option_set(option_find(entry->name), place, entry->value, value, why);
}

static bool take_access(struct channel_rule *rule, enum action action, const char *place,
                        const struct config_entry *entry, struct fault *why)
{
    struct option_row row = *option_find(STR("access"));
    option_CHOICE_ACCESS value = ACCESS_UNSAID;
    row.name = action_name(action);
    bool takes_names = action == MAY_PRESENCE && str_eq(entry->value, STR("anonymous"));
    if (rule->access[action] != ACCESS_UNSAID)
        return fail_twice(place, entry, why);
    if (!option_set(&row, place, takes_names ? STR("open") : entry->value, &value, why))
        return false;
    rule->access[action] = (enum access)value;
    rule->takes_names |= takes_names;
    return true;
}

bool options_take_channel(struct options *o, const char *place, const struct config_entry *entry,
                          struct fault *why)
{
    Str pattern = str_trim(str_skip(entry->section, CHANNEL_SPACE.len));
    size_t i = find_section(o, pattern);
    if (i == SIZE_MAX) {
        i = o->section_count;
        if (!add_section(o, pattern, place, why))
            return false;
    }
    if (!entry->name.p)
        return true;
    if (retention_part(&o->sections[i].is, entry->name))
        return take_retention(&o->sections[i], place, entry, why);
    for (enum action a = 0; a < ACTION_COUNT; a++)
        if (str_eq(entry->name, str_of(action_name(a))))
            return take_access(&o->rules[i], a, place, entry, why);
    Str shown = str_make(entry->name.p, entry->name.len > 60 ? 60 : entry->name.len);
    return fail(why, REFUSE_CONFIG,
                "%s: [channel] takes keep, age, bytes, subscribe, publish, history and presence, "
                "not %.*s",
                place, FMT(shown));
}

void options_free_channels(struct options *o)
{
    for (size_t i = 0; i < o->section_count; i++)
        free(o->sections[i].pattern);
    free(o->sections);
    free(o->rules);
}

struct rights options_rights(const struct options *o)
{
    return (struct rights){
        .access = (enum access)o->access,
        .rules = o->rules,
        .rule_count = o->section_count,
        .for_all = str_of(o->channels_for_all),
    };
}

struct retention options_retention(const struct options *o, Str channel)
{
    struct retention r = {o->keep, o->age, o->bytes};
    for (size_t i = 0; i < o->section_count; i++) {
        const struct channel_section *s = &o->sections[i];
        if (!pattern_matches(str_of(s->pattern), channel))
            continue;
        r.keep = s->has.keep ? s->is.keep : r.keep;
        r.age = s->has.age ? s->is.age : r.age;
        r.bytes = s->has.bytes ? s->is.bytes : r.bytes;
        break;
    }
    return r;
}
