/* belfry streams -- the browsers that are being served, asked of every worker. */
#include "cli/admin.h"
#include "cli/command.h"
#include "cli/outcome.h"
#include "cli/table.h"

struct streams {
    bool json;
    uint64_t limit;
};

static const struct flag flags[] = {
    {"limit", FLAG_COUNT, offsetof(struct streams, limit), "N", "at most so many (1000)"},
    {"json", FLAG_SWITCH, offsetof(struct streams, json), NULL, "the hub's answer as JSON"},
};

static void put_channels(struct table *t, const Json *channels)
{
    struct buf names;
    buf_init(&names, 4096);
    for (size_t i = 0; i < json_len(channels); i++) {
        if (i)
            buf_putc(&names, ',');
        const Json *name = json_at(channels, i);
        buf_put(&names, json_is_string(name) ? json_str(name) : STR("?"));
    }
    table_put(t, buf_str(&names));
    buf_fini(&names);
}

static int print(const Json *answer)
{
    const Json *streams = json_get(answer, "streams");
    struct table *t = table_new("WORKER KIND USER ADDRESS >LAG >AGE CURSOR CHANNELS");
    char age[FIGURE];
    for (size_t i = 0; i < json_len(streams); i++) {
        const Json *s = json_at(streams, i);
        table_put(t, admin_str(s, "worker"));
        table_put(t, admin_str(s, "kind"));
        table_put(t, admin_str(s, "user"));
        table_put(t, admin_str(s, "address"));
        table_put_u64(t, admin_u64(s, "lag"));
        table_put(t, str_of(figure_age(admin_u64(s, "age"), age)));
        table_put(t, admin_str(s, "cursor"));
        put_channels(t, json_get(s, "channels"));
    }
    table_print(t, stdout);
    table_free(t);
    return EX_OK;
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct streams *f = given;
    char question[80];
    (void)operands, (void)operand;
    snprintf(question, sizeof question, "{\"do\":\"streams\",\"limit\":%llu}",
             (unsigned long long)(f->limit ? f->limit : 1000));
    return admin_command(o, str_of(question), ADMIN_MS, f->json, print);
}

const struct command streams_command = {
    .name = "streams",
    .operands = "",
    .brief = "the browsers that are being served now",
    .about =
        "Lists the streams and long-polls of all workers: whose they are, from where, how far\n"
        "behind they lag, how old they are, and which channels they carry.",
    .examples = "  belfry streams\n  belfry streams --json | jq '.streams | length'\n",
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct streams),
    .run = run,
};
