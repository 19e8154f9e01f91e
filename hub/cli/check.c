/* belfry check -- whether the journal is whole. */
#include "cli/admin.h"
#include "cli/command.h"
#include "cli/outcome.h"
#include "cli/table.h"

struct check {
    bool json;
};

static const struct flag flags[] = {
    {"json", FLAG_SWITCH, offsetof(struct check, json), NULL, "{\"ok\",\"report\":[…]}"},
};

static void print_line(Str line)
{
    struct buf b;
    buf_init(&b, 65536);
    table_escape(&b, line);
    printf("%.*s\n", FMT(buf_str(&b)));
    buf_fini(&b);
}

static int print(const Json *answer, Str text, bool json)
{
    const Json *report = json_get(answer, "report");
    bool is_whole = json_len(report) == 1 && str_eq(json_str(json_at(report, 0)), STR("ok"));
    if (json)
        printf("%.*s\n", FMT(text));
    for (size_t i = 0; !json && i < json_len(report); i++)
        print_line(json_str(json_at(report, i)));
    return is_whole ? EX_OK : EX_DATAERR;
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct check *f = given;
    struct fault why = {0};
    struct admin a;
    (void)operands, (void)operand;
    const Json *answer =
        admin_open(&a, o, &why) ? admin_ask(&a, STR("{\"do\":\"check\"}"), ADMIN_SLOW, &why) : NULL;
    int code = answer ? print(answer, admin_text(&a), f->json) : outcome_say(&why);
    admin_close(&a);
    return code ? code : outcome_of_stdout();
}

const struct command check_command = {
    .name = "check",
    .operands = "",
    .brief = "checks the journal's integrity while it runs",
    .about =
        "Has the hub check its journal, without stopping it. Prints `ok`, or what is damaged.\n"
        "Exit code 0: whole; 65: damaged.",
    .examples = "  belfry check && echo whole\n",
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct check),
    .run = run,
};
