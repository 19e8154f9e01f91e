#include "cli/flags.h"

#include "base/str.h"
#include "wire/refusal.h"

#include <inttypes.h>

static const struct flag *find(struct flag_table table, Str name)
{
    for (size_t i = 0; i < table.n; i++)
        if (str_eq(name, str_of(table.v[i].name)))
            return &table.v[i];
    return NULL;
}

bool flags_duration(const char *text, uint64_t *ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {"", 1000}};
    size_t digits = strspn(text, "0123456789");
    uint64_t n;
    if (!str_to_u64(str_make(text, digits), &n))
        return false;
    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (strcmp(text + digits, units[i].unit) == 0)
            return !__builtin_mul_overflow(n, units[i].ms, ms);
    return false;
}

static bool set_number(const struct flag *f, const char *value, uint64_t *into, struct fault *why)
{
    uint64_t least = f->kind == FLAG_COUNT;
    if (str_to_u64(str_of(value), into) && *into >= least)
        return true;
    return fail(why, REFUSE_MALFORMED, "--%s: a number%s is needed, not \"%.60s\"", f->name,
                least ? " from 1" : "", value);
}

static bool set(const struct flag *f, const char *value, void *into, struct fault *why)
{
    void *member = (char *)into + f->at;
    switch (f->kind) {
    case FLAG_SWITCH:
        *(bool *)member = true;
        return true;
    case FLAG_TEXT:
        *(const char **)member = value;
        return true;
    case FLAG_NUMBER:
    case FLAG_COUNT:
        return set_number(f, value, member, why);
    case FLAG_DURATION:
        if (flags_duration(value, member) && *(Msec *)member > 0)
            return true;
        return fail(why, REFUSE_MALFORMED,
                    "--%s: a time such as 90, 90s, 500ms, 10m, 2h or 7d is needed, not \"%.60s\"",
                    f->name, value);
    }
    return false;
}

/* One flag at argv[*i], with its value where it has one. */
static bool take(struct flag_table table, int argc, char **argv, int *i, void *into,
                 struct fault *why)
{
    Str text = str_of(argv[*i] + 2);
    size_t equals = str_find(text, '=');
    const char *value = equals < text.len ? text.p + equals + 1 : NULL;
    const struct flag *f = find(table, str_make(text.p, equals));
    if (!f)
        return fail(why, REFUSE_MALFORMED, "unknown option --%.*s",
                    (int)(equals > 60 ? 60 : equals), text.p);
    if (f->kind == FLAG_SWITCH && value)
        return fail(why, REFUSE_MALFORMED, "--%s takes no value", f->name);
    if (f->kind != FLAG_SWITCH && !value) {
        if (*i + 1 == argc)
            return fail(why, REFUSE_MALFORMED, "--%s needs a value: %s", f->name, f->value);
        value = argv[++*i];
    }
    return set(f, value, into, why);
}

bool flags_parse(struct flag_table table, int argc, char **argv, void *into, int *operands,
                 bool *help, struct fault *why)
{
    bool is_over = false;
    *operands = 0;
    *help = false;
    for (int i = 0; i < argc; i++) {
        char *word = argv[i];
        if (is_over || word[0] != '-' || word[1] == '\0')
            argv[(*operands)++] = word;
        else if (strcmp(word, "--") == 0)
            is_over = true;
        else if (strcmp(word, "--" FLAG_HELP) == 0)
            *help = true;
        else if (word[1] != '-')
            return fail(
                why, REFUSE_MALFORMED,
                "unknown option %.60s (options are long; after -- everything is an operand)", word);
        else if (!take(table, argc, argv, &i, into, why))
            return false;
    }
    return true;
}

static void print(FILE *out, const char *name, const char *value, const char *help)
{
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", name, value ? " " : "", value ? value : "");
    fprintf(out, "  %-26s %s\n", left, help);
}

void flags_print(struct flag_table table, FILE *out)
{
    for (size_t i = 0; i < table.n; i++)
        print(out, table.v[i].name, table.v[i].value, table.v[i].help);
    print(out, FLAG_HELP, NULL, "this text");
}
