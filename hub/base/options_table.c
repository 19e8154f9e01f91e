#include "base/options_table.h"

#include "base/log.h"
#include "wire/refusal.h"
#include "wire/rights.h"

#include <inttypes.h>
#include <stdlib.h>

#define TEXT_MAX 4000 /* where the table says 0 */

#define HUB      PROGRAM_HUB
#define WORKER   PROGRAM_WORKER
#define CLI      PROGRAM_CLI
const struct option_row option_rows[] = {
#define OPTION(section, name, type, value, min, max, programs, help)                               \
    {section, #name, KIND_##type, value, min, max, programs, help, offsetof(struct options, name)},
#include "base/options.def"
#undef OPTION
};
#undef HUB
#undef WORKER
#undef CLI
const size_t option_count = COUNT_OF(option_rows);

struct unit {
    const char *name;
    uint64_t factor;
};
struct choice {
    const char *name;
    int value;
};

static const struct unit size_units[] = {{"G", 1u << 30}, {"M", 1u << 20}, {"k", 1024}, {"", 1}};
static const struct unit time_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct choice switches[] = {{"yes", 1},  {"no", 0},    {"on", 1}, {"off", 0},
                                         {"true", 1}, {"false", 0}, {"1", 1},  {"0", 0}};
static const struct choice accesses[] = {{"closed", ACCESS_CLOSED},
                                         {"granted", ACCESS_GRANTED},
                                         {"ask", ACCESS_ASK},
                                         {"authenticated", ACCESS_AUTHENTICATED},
                                         {"open", ACCESS_OPEN}};
static const struct choice levels[] = {{"error", LOG_LEVEL_ERROR},
                                       {"warn", LOG_LEVEL_WARN},
                                       {"info", LOG_LEVEL_INFO},
                                       {"debug", LOG_LEVEL_DEBUG}};

static bool is_named(Str name, const char *row)
{
    size_t i = 0;
    for (; i < name.len && row[i]; i++)
        if ((name.p[i] == '-' ? '_' : name.p[i]) != row[i])
            return false;
    return i == name.len && !row[i];
}

const struct option_row *option_find(Str name)
{
    for (size_t i = 0; i < option_count; i++)
        if (is_named(name, option_rows[i].name))
            return &option_rows[i];
    return NULL;
}

/* In the largest unit that leaves no rest. */
static void format_units(uint64_t n, const struct unit *units, size_t count, char out[32])
{
    size_t i = 0;
    while (i + 1 < count && (n == 0 || n % units[i].factor))
        i++;
    snprintf(out, 32, "%" PRIu64 "%s", n / units[i].factor, units[i].name);
}

static void format_bounds(const struct option_row *row, const struct unit *units, size_t count,
                          const char *what, char out[OPTION_RANGE])
{
    char min[32], max[32];
    format_units(row->min, units, count, min);
    format_units(row->max, units, count, max);
    snprintf(out, OPTION_RANGE, "%s from %s to %s", what, min, max);
}

static size_t text_max(const struct option_row *row)
{
    return row->max ? (size_t)row->max : TEXT_MAX;
}

void option_range(const struct option_row *row, char out[OPTION_RANGE])
{
    switch (row->kind) {
    case KIND_TEXT:
    case KIND_PATH:
        snprintf(out, OPTION_RANGE, "%s of at most %zu bytes",
                 row->kind == KIND_PATH ? "a path" : "a text", text_max(row));
        return;
    case KIND_BOOL:
        snprintf(out, OPTION_RANGE, "yes or no");
        return;
    case KIND_NUMBER:
        format_bounds(row, &size_units[COUNT_OF(size_units) - 1], 1, "a number", out);
        return;
    case KIND_SIZE:
        format_bounds(row, size_units, COUNT_OF(size_units), "a size", out);
        return;
    case KIND_TIME:
        format_bounds(row, time_units, COUNT_OF(time_units), "a time", out);
        return;
    case KIND_CHOICE_ACCESS:
        snprintf(out, OPTION_RANGE, "closed, granted, ask, authenticated or open");
        return;
    case KIND_CHOICE_LEVEL:
        snprintf(out, OPTION_RANGE, "error, warn, info or debug");
        return;
    }
}

static bool read_amount(const struct option_row *row, Str value, const struct unit *units,
                        size_t count, uint64_t *out)
{
    size_t digits = 0;
    uint64_t n;
    while (digits < value.len && value.p[digits] >= '0' && value.p[digits] <= '9')
        digits++;
    if (!str_to_u64(str_make(value.p, digits), &n))
        return false;
    for (size_t i = 0; i < count; i++)
        if (str_eq(str_skip(value, digits), str_of(units[i].name)))
            return !__builtin_mul_overflow(n, units[i].factor, out) && *out >= row->min &&
                   *out <= row->max;
    return false;
}

static bool read_choice(const struct choice *choices, size_t count, Str value, int *out)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(value, str_of(choices[i].name))) {
            *out = choices[i].value;
            return true;
        }
    return false;
}

static bool read_switch(Str value, bool *out)
{
    int on = 0;
    bool ok = read_choice(switches, COUNT_OF(switches), value, &on);
    if (ok)
        *out = on;
    return ok;
}

static bool read_text(const struct option_row *row, Str value, char **out)
{
    bool is_lacking = row->kind == KIND_PATH && !value.len;
    if (is_lacking || value.len > text_max(row) || !str_is_utf8(value) || str_has_control(value))
        return false;
    free(*out);
    *out = str_dup(value);
    return true;
}

static bool read_value(const struct option_row *row, Str value, void *member)
{
    switch (row->kind) {
    case KIND_TEXT:
    case KIND_PATH:
        return read_text(row, value, member);
    case KIND_BOOL:
        return read_switch(value, member);
    case KIND_NUMBER:
        return read_amount(row, value, &size_units[COUNT_OF(size_units) - 1], 1, member);
    case KIND_SIZE:
        return read_amount(row, value, size_units, COUNT_OF(size_units), member);
    case KIND_TIME:
        return read_amount(row, value, time_units, COUNT_OF(time_units), member);
    case KIND_CHOICE_ACCESS:
        return read_choice(accesses, COUNT_OF(accesses), value, member);
    case KIND_CHOICE_LEVEL:
        return read_choice(levels, COUNT_OF(levels), value, member);
    }
    return false;
}

bool option_set(const struct option_row *row, const char *place, Str value, void *member,
                struct fault *why)
{
    char range[OPTION_RANGE];
    if (read_value(row, value, member))
        return true;
    option_range(row, range);
    Str shown = str_make(value.p, value.len > 40 ? 40 : value.len);
    return fail(why, REFUSE_CONFIG, "%.110s: %s must be %s%s, not \"%.*s\"", place, row->name,
                range, row->kind == KIND_TIME ? " (like 500ms, 15s, 10m, 7d)" : "", FMT(shown));
}
