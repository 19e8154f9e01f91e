#include "base/manual.h"

#include "manuals.h"

#include <assert.h>

/* Lines of the prose that stand for what the table says. */
static bool print_part(FILE *out, Str line)
{
    if (str_eq(line, STR("@HUB_OPTIONS@")))
        options_print_mdoc(out, PROGRAM_HUB);
    else if (str_eq(line, STR("@WORKER_OPTIONS@")))
        options_print_mdoc(out, PROGRAM_WORKER);
    else if (str_eq(line, STR("@CLI_OPTIONS@")))
        options_print_mdoc(out, PROGRAM_CLI);
    else if (str_eq(line, STR("@CONF_OPTIONS@")))
        options_print_conf_mdoc(out);
    else
        return false;
    return true;
}

bool manual_print(FILE *out, const char *page)
{
    for (const struct asset *a = manuals; *a->path; a++) {
        Str text = str_make((const char *)a->bytes, a->len), line;
        if (strcmp(a->path, page) != 0)
            continue;
        while (str_cut(&text, '\n', &line))
            if (!print_part(out, line))
                fprintf(out, "%.*s\n", FMT(line));
        return true;
    }
    return false;
}

void manual_print_program(FILE *out, enum program program)
{
    bool ok = manual_print(out, program == PROGRAM_HUB      ? "belfryd.8"
                                : program == PROGRAM_WORKER ? "belfry-fcgi.8"
                                                            : "belfry.1");
    assert(ok);
}
