/* belfry check -- whether the journal is whole: asked of the hub, or looked for in the file. */
#include "cli/admin.h"
#include "cli/command.h"
#include "cli/offline.h"
#include "cli/outcome.h"
#include "cli/table.h"
#include "journal_check.h"
#include "wire/refusal.h"

struct check {
    bool json;
};

enum { REPORT = 1024 * 1024 };

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

/* As the hub would answer. */
static int print_report(Str report, bool json)
{
    struct buf text;
    struct fault why;
    Str line;
    buf_init(&text, 8 * REPORT);
    buf_putz(&text, "{\"ok\":true,\"report\":[");
    for (bool is_first = true; str_cut(&report, '\n', &line);) {
        if (!line.len)
            continue;
        if (!is_first)
            buf_putc(&text, ',');
        json_put_str(&text, line);
        is_first = false;
    }
    buf_putz(&text, "]}");
    Json *whole = json_parse(buf_str(&text), &why);
    int code = whole ? print(whole, buf_str(&text), json) : outcome_say(&why);
    json_free(whole);
    buf_fini(&text);
    return code;
}

static int check_here(const struct offline *file, bool json)
{
    struct fault why = {0};
    struct buf report;
    buf_init(&report, REPORT);
    int code = check_file(file->path, &report, &why) ? print_report(buf_str(&report), json)
                                                     : outcome_say(&why);
    buf_fini(&report);
    return code;
}

static int ask(const struct options *o, bool json, struct fault *why)
{
    struct admin a;
    const Json *answer =
        admin_open(&a, o, why) ? admin_ask(&a, STR("{\"do\":\"check\"}"), ADMIN_SLOW, why) : NULL;
    int code = answer ? print(answer, admin_text(&a), json) : -1;
    admin_close(&a);
    return code;
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct check *f = given;
    const char *path = operands ? operand[0] : NULL;
    struct fault why = {0}, no_file = {0};
    struct offline file;
    int code = path ? -1 : ask(o, f->json, &why);
    if (code < 0 && (path || why.code == REFUSE_HUB_AWAY)) {
        if (offline_begin(&file, o, path, &no_file))
            code = check_here(&file, f->json);
        offline_end(&file);
    }
    if (code < 0)
        code = outcome_say(path ? &no_file : &why);
    return code ? code : outcome_of_stdout();
}

const struct command check_command = {
    .name = "check",
    .operands = "[FILE]",
    .brief = "checks the journal's integrity",
    .about =
        "Has the hub check its journal, without stopping it; where no hub runs, looks into\n"
        "journal.db of the data folder itself. With FILE, that file: a backup, or the journal of\n"
        "a hub that is stopped. Nothing is written to it. Prints `ok`, or what is damaged.\n"
        "Exit code 0: whole; 65: damaged, see belfry recover.",
    .examples = "  belfry check && echo whole\n"
                "  belfry check /var/backups/belfry.db\n",
    .most = 1,
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct check),
    .run = run,
};
