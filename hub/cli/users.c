/* belfry users -- what is kept of users, page by page. */
#include "cli/admin.h"
#include "cli/command.h"
#include "cli/outcome.h"
#include "cli/table.h"

#define PAGE "1000"

struct users {
    bool json;
};

static const struct flag flags[] = {
    {"json", FLAG_SWITCH, offsetof(struct users, json), NULL, "one JSON object for each page"},
};

/* "room:*=subscribe+publish,news=subscribe" */
static void put_grants(struct table *t, const Json *grants)
{
    struct buf text;
    buf_init(&text, 1024 * 1024);
    for (size_t i = 0; i < json_len(grants); i++) {
        const Json *g = json_at(grants, i), *rights = json_get(g, "rights");
        if (i)
            buf_putc(&text, ',');
        buf_put(&text, admin_str(g, "channel"));
        for (size_t k = 0; k < json_len(rights); k++) {
            buf_putc(&text, k ? '+' : '=');
            buf_put(&text, json_str(json_at(rights, k)));
        }
    }
    table_put(t, text.len ? buf_str(&text) : STR("-"));
    buf_fini(&text);
}

static void put_row(struct table *t, const Json *u, Msec now)
{
    char figure[FIGURE];
    Msec added = admin_u64(u, "added"), before = admin_u64(u, "before"),
         seen = admin_u64(u, "seen");
    table_put(t, admin_str(u, "user"));
    table_put(t, added ? str_of(figure_age(now > added ? now - added : 0, figure)) : STR("-"));
    table_put(t, json_is_true(json_get(u, "disabled")) ? STR("disabled") : STR("-"));
    table_put_u64(t, admin_u64(u, "tokens"));
    table_put(t, before ? str_of(figure_age(now > before ? now - before : 0, figure)) : STR("-"));
    if (admin_u64(u, "clients"))
        table_put(t, STR("now"));
    else
        table_put(t, seen ? str_of(figure_age(now > seen ? now - seen : 0, figure)) : STR("-"));
    put_grants(t, json_get(u, "grants"));
}

static bool ask(struct admin *a, struct table *t, bool json, struct fault *why)
{
    struct buf question;
    bool more = true;
    buf_init(&question, 4096);
    buf_putz(&question, "{\"do\":\"users\",\"limit\":" PAGE "}");
    while (more) {
        const Json *answer = admin_ask(a, buf_str(&question), ADMIN_MS, why);
        if (!answer)
            break;
        const Json *users = json_get(answer, "users"), *next = json_get(answer, "next");
        if (json)
            printf("%.*s\n", FMT(admin_text(a)));
        for (size_t i = 0; i < json_len(users); i++)
            put_row(t, json_at(users, i), clock_wall());
        more = next && json_is_string(next);
        buf_clear(&question);
        buf_putz(&question, "{\"do\":\"users\",\"limit\":" PAGE ",\"after\":");
        if (more)
            json_put_str(&question, json_str(next));
        buf_putc(&question, '}');
    }
    buf_fini(&question);
    return !why->code;
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct users *f = given;
    struct fault why = {0};
    struct admin a;
    (void)operands, (void)operand;
    struct table *t = table_new("USER >ADDED STATE >TOKENS >REVOKED >SEEN GRANTS");
    bool ok = admin_open(&a, o, &why) && ask(&a, t, f->json, &why);
    if (ok && !f->json)
        table_print(t, stdout);
    table_free(t);
    admin_close(&a);
    return ok ? outcome_of_stdout() : outcome_say(&why);
}

const struct command users_command = {
    .name = "users",
    .operands = "",
    .brief = "what is kept of users: grants, tokens, revocations, when they were last seen",
    .about = "Lists the users that were added, granted something, revoked something or seen, in "
             "order; `*`\n"
             "is every user. ADDED is how long ago, REVOKED since when tokens must have been "
             "issued, SEEN\n"
             "how long ago the last stream or poll ended.",
    .examples = "  belfry users\n  belfry users --json | jq '.users[].user'\n",
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct users),
    .run = run,
};
