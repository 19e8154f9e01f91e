#include "base/options.h"

#include "base/buf.h"
#include "base/config.h"
#include "base/options_channel.h"
#include "base/options_table.h"
#include "wire/refusal.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#define CONFIG_FILE "/etc/belfry/belfry.conf"
#define PLACE       160

/* What options_load is about. */
struct load {
    struct options *o;
    enum program program;
    bool is_given[128]; /* by row: the file had it */
    const char *config;
    struct fault *why;
};

/* What a message shows of a name that is none of ours. */
static Str cut(Str name)
{
    return str_make(name.p, name.len > 60 ? 60 : name.len);
}

static void *member(struct options *o, const struct option_row *row)
{
    return (char *)o + row->at;
}

static void set_defaults(struct options *o)
{
    struct fault why = {0};
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_rows[i];
        bool ok = option_set(row, "options.def", str_of(row->value), member(o, row), &why);
        assert(ok);
    }
}

static bool is_section(Str name)
{
    for (size_t i = 0; i < option_count; i++)
        if (str_eq(name, str_of(option_rows[i].section)))
            return true;
    return false;
}

/* An indented line goes on with a list between commas. */
static bool take_more(struct load *l, const char *place, const struct option_row *row, Str value)
{
    if (row->kind != KIND_TEXT)
        return fail(l->why, REFUSE_CONFIG, "%s: %s has one value, no list", place, row->name);
    char **text = member(l->o, row);
    Str before = str_trim(str_of(*text));
    struct buf whole;
    buf_init(&whole, CONFIG_BYTES);
    bool is_joined = !before.len || str_ends(before, STR(",")) || str_starts(value, STR(","));
    buf_put(&whole, before);
    buf_putz(&whole, is_joined ? "" : ",");
    buf_put(&whole, value);
    bool ok = option_set(row, place, buf_str(&whole), text, l->why);
    buf_fini(&whole);
    return ok;
}

static bool take_entry(void *into, const struct config_entry *entry, struct fault *why)
{
    struct load *l = into;
    char place[PLACE];
    snprintf(place, sizeof place, "%.100s, line %u", entry->file, entry->line);
    if (str_starts(entry->section, CHANNEL_SPACE))
        return options_take_channel(l->o, place, entry, why);
    if (!entry->name.p)
        return is_section(entry->section) ||
               fail(why, REFUSE_CONFIG, "%s: there is no section [%.*s]", place,
                    FMT(cut(entry->section)));
    const struct option_row *row = option_find(entry->name);
    if (!row || str_find(entry->name, '-') < entry->name.len)
        return fail(why, REFUSE_CONFIG, "%s: there is no option %.*s", place,
                    FMT(cut(entry->name)));
    if (!str_eq(entry->section, str_of(row->section)))
        return fail(why, REFUSE_CONFIG, "%s: %s belongs in section [%s]", place, row->name,
                    row->section);
    if (entry->is_more)
        return take_more(l, place, row, entry->value);
    size_t i = (size_t)(row - option_rows);
    if (l->is_given[i])
        return fail(why, REFUSE_CONFIG, "%s: %s is given twice", place, row->name);
    l->is_given[i] = true;
    return option_set(row, place, entry->value, member(l->o, row), why);
}

static bool read_file(struct load *l)
{
    const char *file = l->config ? l->config : getenv("BELFRY_CONFIG");
    if (file)
        return config_read(file, take_entry, l, l->why);
    return access(CONFIG_FILE, F_OK) != 0 || config_read(CONFIG_FILE, take_entry, l, l->why);
}

/* Only capitals and underscores make a variable's name. */
static char lower(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c + ('a' - 'A'));
    return c == '_' ? c : '?';
}

/* "BELFRY_MAX_EVENT=64k", from behind the first underscore. */
static bool take_variable(struct load *l, Str rest)
{
    char name[64], place[PLACE];
    size_t len = str_find(rest, '=');
    const struct option_row *row = NULL;
    for (size_t i = 0; i < len && i < sizeof name; i++)
        name[i] = lower(rest.p[i]);
    if (len < sizeof name)
        row = option_find(str_make(name, len));
    snprintf(place, sizeof place, "environment, BELFRY_%.*s", FMT(cut(str_make(rest.p, len))));
    if (!row)
        return fail(l->why, REFUSE_CONFIG, "%s: there is no such option", place);
    return option_set(row, place, str_skip(rest, len + 1), member(l->o, row), l->why);
}

static bool read_environment(struct load *l)
{
    for (char **v = environ; v && *v; v++) {
        Str variable = str_of(*v);
        if (!str_starts(variable, STR("BELFRY_")) || str_starts(variable, STR("BELFRY_CONFIG=")))
            continue;
        if (!take_variable(l, str_skip(variable, STR("BELFRY_").len)))
            return false;
    }
    return true;
}

/* A flag without a value; NULL when `name` is none. */
static bool *find_question(struct options *o, Str name)
{
    const struct {
        const char *name;
        bool *asked;
    } questions[] = {{"help", &o->help},
                     {"version", &o->version},
                     {"check-config", &o->check_config},
                     {"print-config", &o->print_config},
                     {"print-manual", &o->print_manual}};
    for (size_t i = 0; i < COUNT_OF(questions); i++)
        if (str_eq(name, str_of(questions[i].name)))
            return questions[i].asked;
    return NULL;
}

static bool take_flag(struct load *l, Str name, const char *value, bool is_first)
{
    char place[PLACE];
    snprintf(place, sizeof place, "--%.*s", FMT(cut(name)));
    const struct option_row *row = option_find(name);
    bool is_config = str_eq(name, STR("config"));
    if (!is_config && !row)
        return fail(l->why, REFUSE_CONFIG, "%s: there is no such option", place);
    if (row && !(row->programs & (int)l->program))
        return fail(l->why, REFUSE_CONFIG, "%s: not an option of this program", place);
    if (!value)
        return fail(l->why, REFUSE_CONFIG, "%s: needs a value", place);
    if (is_config)
        l->config = value;
    if (is_config || is_first)
        return true;
    return option_set(row, place, str_of(value), member(l->o, row), l->why);
}

/* Walks the flags: first for what stands above the file (--config, --help and the like), then for
 * the values that stand above the environment. */
static bool read_flags(struct load *l, int argc, char **argv, bool is_first)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        Str word = strcmp(argv[i], "-h") == 0 ? STR("--help") : str_of(argv[i]);
        if (!str_starts(word, STR("--")))
            return fail(l->why, REFUSE_CONFIG, "%.60s: there is no such option", argv[i]);
        word = str_skip(word, 2);
        size_t equals = str_find(word, '=');
        bool *asked = find_question(l->o, word);
        if (asked)
            *asked = true;
        else if (!take_flag(l, str_make(word.p, equals),
                            equals < word.len ? word.p + equals + 1
                            : i + 1 < argc    ? argv[++i]
                                              : NULL,
                            is_first))
            return false;
    }
    l->o->argc = argc - i;
    l->o->argv = argv + i;
    return true;
}

static bool is_asked(const struct options *o)
{
    return o->help || o->version || o->print_config || o->print_manual;
}

bool options_load(struct options *o, enum program program, int argc, char **argv, struct fault *why)
{
    struct load l = {.o = o, .program = program, .why = why};
    assert(option_count <= COUNT_OF(l.is_given));
    *o = (struct options){0};
    set_defaults(o);
    if (read_flags(&l, argc, argv, true) &&
        (is_asked(o) ||
         (read_file(&l) && read_environment(&l) && read_flags(&l, argc, argv, false))))
        return true;
    options_fini(o);
    return false;
}

void options_fini(struct options *o)
{
    for (size_t i = 0; i < option_count; i++)
        if (option_rows[i].kind == KIND_TEXT || option_rows[i].kind == KIND_PATH)
            free(*(char **)member(o, &option_rows[i]));
    options_free_channels(o);
    *o = (struct options){0};
}
