/* belfry stats -- the hub's figures, once. */
#include "cli/admin.h"
#include "cli/command.h"
#include "cli/outcome.h"
#include "cli/table.h"

struct stats {
    bool json;
};

static const struct flag flags[] = {
    {"json", FLAG_SWITCH, offsetof(struct stats, json), NULL, "the hub's answer as JSON"},
};

static void put(struct table *t, Str name, const Json *v)
{
    char text[64];
    if (json_is_number(v))
        snprintf(text, sizeof text, "%.15g", json_num(v));
    table_put(t, name);
    if (json_is_string(v))
        table_put(t, json_str(v));
    else if (json_is_number(v))
        table_put(t, str_of(text));
    else
        table_put(t, json_is_null(v) ? STR("-") : json_is_true(v) ? STR("yes") : STR("no"));
}

static void put_figure(struct table *t, const char *name, const char *figure)
{
    table_put(t, str_of(name));
    table_put(t, str_of(figure));
}

/* `uptime` and `bytes` as people say them, everything else as it comes. */
static void put_members(struct table *t, const Json *object)
{
    void *at = NULL;
    Str name;
    const Json *v;
    char figure[FIGURE];
    while (json_each(object, &at, &name, &v)) {
        if (str_eq(name, STR("ok")) || json_is_object(v))
            continue;
        if (str_eq(name, STR("uptime")))
            put_figure(t, "uptime", figure_age(admin_u64(object, "uptime"), figure));
        else if (str_eq(name, STR("bytes")))
            put_figure(t, "bytes", figure_bytes((double)admin_u64(object, "bytes"), figure));
        else
            put(t, name, v);
    }
}

static int print(const Json *answer)
{
    struct table *t = table_new("FIGURE >VALUE");
    put_members(t, answer);
    const Json *counters = json_get(answer, "counters");
    if (counters)
        put_members(t, counters);
    table_print(t, stdout);
    table_free(t);
    return EX_OK;
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct stats *f = given;
    (void)operands, (void)operand;
    return admin_command(o, STR("{\"do\":\"stats\"}"), ADMIN_MS, f->json, print);
}

const struct command stats_command = {
    .name = "stats",
    .operands = "",
    .brief = "the hub's figures, once",
    .about =
        "Prints what the hub holds and counts: version, newest event, links, streams, channels,\n"
        "events, whether the log can be written, and its counters since it started.",
    .examples = "  belfry stats\n  belfry stats --json | jq .counters\n",
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct stats),
    .run = run,
};
