/* belfry links -- the workers that are linked to the hub, `belfry sub` among them. */
#include "cli/admin.h"
#include "cli/command.h"
#include "cli/outcome.h"
#include "cli/table.h"

struct links {
    bool json;
};

static const struct flag flags[] = {
    {"json", FLAG_SWITCH, offsetof(struct links, json), NULL, "the hub's answer as JSON"},
};

static int print(const Json *answer)
{
    const Json *links = json_get(answer, "links");
    struct table *t = table_new("NAME >CHANNELS >CLIENTS >LAG >CREDIT SINCE");
    char figure[FIGURE];
    Msec now = clock_wall();
    for (size_t i = 0; i < json_len(links); i++) {
        const Json *l = json_at(links, i);
        Msec since = admin_u64(l, "since");
        table_put(t, admin_str(l, "name"));
        table_put_u64(t, admin_u64(l, "channels"));
        table_put_u64(t, admin_u64(l, "clients"));
        table_put_u64(t, admin_u64(l, "lag"));
        table_put(t, str_of(figure_bytes((double)admin_u64(l, "credit"), figure)));
        table_put(t, str_of(figure_age(now > since ? now - since : 0, figure)));
    }
    table_print(t, stdout);
    table_free(t);
    return EX_OK;
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct links *f = given;
    (void)operands, (void)operand;
    return admin_command(o, STR("{\"do\":\"links\"}"), ADMIN_MS, f->json, print);
}

const struct command links_command = {
    .name = "links",
    .operands = "",
    .brief = "the workers that are linked to the hub",
    .about =
        "Lists who is linked to the hub: workers, and every running `belfry sub`.\n"
        "LAG counts the events that a link has still to be sent; CREDIT is what it may be sent\n"
        "before it must report back.",
    .examples = "  belfry links\n  belfry links --json\n",
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct links),
    .run = run,
};
