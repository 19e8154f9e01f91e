/* belfry channels -- the channels that have events, page by page. */
#include "cli/admin.h"
#include "cli/command.h"
#include "cli/outcome.h"
#include "cli/table.h"

#define PAGE 1000

struct channels {
    bool json;
};

static const struct flag flags[] = {
    {"json", FLAG_SWITCH, offsetof(struct channels, json), NULL, "one JSON object for each line"},
};

static bool put_question(struct buf *out, Str prefix, Str after)
{
    buf_clear(out);
    return buf_putz(out, "{\"do\":\"channels\",\"prefix\":") && json_put_str(out, prefix) &&
           (after.len == 0 || (buf_putz(out, ",\"after\":") && json_put_str(out, after))) &&
           buf_printf(out, ",\"limit\":%d}", PAGE);
}

static void put_row(struct table *t, const Json *c, Msec now)
{
    char figure[FIGURE];
    Msec oldest = admin_u64(c, "oldest");
    table_put(t, admin_str(c, "channel"));
    table_put_u64(t, admin_u64(c, "events"));
    table_put(t, str_of(figure_bytes((double)admin_u64(c, "bytes"), figure)));
    table_put(t, oldest ? str_of(figure_age(now > oldest ? now - oldest : 0, figure)) : STR("-"));
    table_put(t, admin_str(c, "last"));
}

/* Each element of the page as the hub wrote it, on a line of its own. */
static void print_lines(Str answer, size_t n)
{
    Str array, element;
    if (!json_member_text(answer, "channels", &array))
        return;
    for (size_t i = 0; i < n; i++)
        if (json_element_text(array, i, &element))
            printf("%.*s\n", FMT(element));
}

/* One page; `after` becomes the name that the next one begins behind, or is empty. */
static bool page(struct admin *a, Str prefix, struct buf *after, struct table *t, struct fault *why)
{
    struct buf question;
    buf_init(&question, 65536);
    bool ok = put_question(&question, prefix, buf_str(after));
    const Json *answer = ok ? admin_ask(a, buf_str(&question), ADMIN_MS, why) : NULL;
    buf_fini(&question);
    if (!answer)
        return false;
    const Json *channels = json_get(answer, "channels");
    if (!t)
        print_lines(admin_text(a), json_len(channels));
    Msec now = clock_wall();
    for (size_t i = 0; t && i < json_len(channels); i++)
        put_row(t, json_at(channels, i), now);
    buf_clear(after);
    return buf_put(after, admin_str(answer, "next"));
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct channels *f = given;
    struct fault why = {0};
    struct admin a;
    struct buf after;
    Str prefix = operands ? str_of(operand[0]) : STR("");
    struct table *t = f->json ? NULL : table_new("CHANNEL >EVENTS >BYTES >OLDEST LAST");
    buf_init(&after, 4096);
    bool ok = admin_open(&a, o, &why);
    do
        ok = ok && page(&a, prefix, &after, t, &why);
    while (ok && after.len);
    if (ok && t)
        table_print(t, stdout);
    table_free(t);
    buf_fini(&after);
    admin_close(&a);
    return ok ? outcome_of_stdout() : outcome_say(&why);
}

const struct command channels_command = {
    .name = "channels",
    .operands = "[PREFIX]",
    .brief = "the channels that have events",
    .about =
        "Lists the channels that have events, by name: how many are kept, their bytes, the age\n"
        "of the oldest, the id of the newest. With PREFIX only those that begin with it.",
    .examples =
        "  belfry channels\n  belfry channels room:\n  belfry channels --json | jq -r .channel\n",
    .most = 1,
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct channels),
    .run = run,
};
