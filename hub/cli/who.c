/* belfry who -- who is on a channel now. */
#include "base/json.h"
#include "cli/admin.h"
#include "cli/command.h"
#include "cli/outcome.h"
#include "cli/table.h"

struct who {
    bool json;
};

static const struct flag flags[] = {
    {"json", FLAG_SWITCH, offsetof(struct who, json), NULL, "the hub's answer as JSON"},
};

static int print(const Json *answer)
{
    const Json *state = json_get(answer, "state"), *users = json_get(state, "users");
    struct table *t = table_new("USER VERIFIED >DEVICES SINCE");
    char figure[FIGURE];
    Msec now = clock_wall();
    for (size_t i = 0; i < json_len(users); i++) {
        const Json *u = json_at(users, i);
        Msec since = admin_u64(u, "since");
        table_put(t, admin_str(u, "user"));
        table_put(t, json_is_true(json_get(u, "verified")) ? STR("yes") : STR("no"));
        table_put_u64(t, admin_u64(u, "devices"));
        table_put(t, str_of(figure_age(now > since ? now - since : 0, figure)));
    }
    table_print(t, stdout);
    table_free(t);
    printf("%llu in all, %llu of them anonymous\n", (unsigned long long)admin_u64(state, "count"),
           (unsigned long long)admin_u64(state, "anonymous"));
    return EX_OK;
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct who *f = given;
    struct buf question;
    (void)operands;
    buf_init(&question, 4096);
    buf_putz(&question, "{\"do\":\"who\",\"channel\":");
    json_put_str(&question, str_of(operand[0]));
    buf_putc(&question, '}');
    int code = admin_command(o, buf_str(&question), ADMIN_MS, f->json, print);
    buf_fini(&question);
    return code;
}

const struct command who_command = {
    .name = "who",
    .operands = "CHANNEL",
    .brief = "who is on CHANNEL now",
    .about = "Lists the users on CHANNEL, each with the number of devices and how long ago the\n"
             "first of them came, and counts the anonymous clients. More than 1000 users are only\n"
             "counted. For a moment after the hub was started it is not known: try again.",
    .examples = "  belfry who room:1\n  belfry who room:1 --json | jq '.state.users[].user'\n",
    .least = 1,
    .most = 1,
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct who),
    .run = run,
};
