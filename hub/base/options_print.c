#include "base/config.h"
#include "base/manual.h"
#include "base/options_table.h"

#include <ctype.h>

#define COLUMNS 100

static const char *program_name(enum program program)
{
    return program == PROGRAM_HUB      ? "belfryd"
           : program == PROGRAM_WORKER ? "belfry-fcgi"
                                       : "belfry";
}

static const char *default_text(const struct option_row *row)
{
    return *row->value ? row->value : "empty";
}

static bool has_bounds(const struct option_row *row)
{
    return row->kind == KIND_NUMBER || row->kind == KIND_SIZE || row->kind == KIND_TIME;
}

/* A comment of lines of at most COLUMNS. */
static void print_comment(FILE *out, Str text)
{
    size_t at = 0;
    Str word;
    while (str_cut(&text, ' ', &word)) {
        bool is_new = at == 0 || at + 1 + word.len > COLUMNS;
        fprintf(out, "%s%s %.*s", at && is_new ? "\n" : "", is_new ? "#" : "", FMT(word));
        at = (is_new ? 1 : at) + 1 + word.len;
    }
    fputc('\n', out);
}

void options_print_help(FILE *out, enum program program)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_rows[i];
        char range[OPTION_RANGE];
        if (!(row->programs & (int)program))
            continue;
        option_range(row, range);
        fprintf(out, "  --%s VALUE\n        %s\n        (%s; default: %s)\n", row->name, row->help,
                range, default_text(row));
    }
    fprintf(out, "  --config FILE\n        the configuration, see belfry.conf(5)\n"
                 "        (default: BELFRY_CONFIG, or /etc/belfry/belfry.conf where it is)\n"
                 "  --check-config   check the options and what they name, and stop\n"
                 "  --print-config   print a belfry.conf with every option, and stop\n"
                 "  --print-manual   print the manual page in mdoc(7), and stop\n"
                 "  --version        print the version, and stop\n"
                 "  --help, -h       print this, and stop\n");
}

bool options_answer(const struct options *o, FILE *out, enum program program, const char *usage)
{
    if (o->help) {
        fprintf(out, "%s\nOptions:\n", usage);
        options_print_help(out, program);
    } else if (o->version)
        fprintf(out, "%s %s\n", program_name(program), BELFRY_VERSION);
    else if (o->print_config)
        options_print_config(out);
    else if (o->print_manual)
        manual_print_program(out, program);
    else
        return o->check_config;
    return true;
}

static bool is_new_section(size_t i)
{
    return i == 0 || strcmp(option_rows[i].section, option_rows[i - 1].section) != 0;
}

void options_print_config(FILE *out)
{
    fputs("# belfry.conf -- every option of Belfry at its default; see belfry.conf(5).\n"
          "# Above this file stand the environment (BELFRY_NAME) and the flag (--name).\n"
          "# A line has at most 198 bytes; a list may go on in indented lines.\n",
          out);
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_rows[i];
        char range[OPTION_RANGE], about[512];
        if (is_new_section(i))
            fprintf(out, "\n[%s]\n", row->section);
        option_range(row, range);
        snprintf(about, sizeof about, "%s%s%s%s", row->help, has_bounds(row) ? " (" : "",
                 has_bounds(row) ? range : "", has_bounds(row) ? ")" : "");
        fputc('\n', out);
        print_comment(out, str_of(about));
        fprintf(out, "#%s =%s%s\n", row->name, *row->value ? " " : "", row->value);
    }
    fputs("\n# What is kept of some channels, and who may use them, by name or pattern; the first "
          "section\n# that matches wins. What it does not say is as above; history as subscribe.\n"
          "#[channel room:*]\n#keep = 1000\n#age = 1d\n#bytes = 1M\n#subscribe = authenticated\n"
          "#publish = granted\n#history = authenticated\n#presence = granted\n",
          out);
}

static const char *argument(const struct option_row *row)
{
    switch (row->kind) {
    case KIND_TEXT:
        return "text";
    case KIND_PATH:
        return "path";
    case KIND_BOOL:
        return "yes|no";
    case KIND_NUMBER:
        return "number";
    case KIND_SIZE:
        return "size";
    case KIND_TIME:
        return "time";
    case KIND_CHOICE_ACCESS:
        return "access";
    case KIND_CHOICE_LEVEL:
        return "level";
    }
    return "value";
}

static void print_mdoc_about(FILE *out, const struct option_row *row)
{
    char range[OPTION_RANGE];
    option_range(row, range);
    fprintf(out, "%c%s.\n", toupper((unsigned char)row->help[0]), row->help + 1);
    if (has_bounds(row))
        fprintf(out, "It is %s.\n", range);
    fputs("The default is\n", out);
    if (*row->value)
        fprintf(out, ".Ql %s .\n", row->value);
    else
        fputs("empty.\n", out);
}

void options_print_mdoc(FILE *out, enum program program)
{
    fputs(".Bl -tag -width Ds\n", out);
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_rows[i];
        if (!(row->programs & (int)program))
            continue;
        fprintf(out, ".It Fl -%s Ar %s\n", row->name, argument(row));
        print_mdoc_about(out, row);
    }
    fputs(".It Fl -config Ar file\n"
          "Read\n.Ar file\nin place of\n.Ev BELFRY_CONFIG\nor\n.Pa /etc/belfry/belfry.conf .\n"
          ".It Fl -check-config\nCheck the options and what they name, and stop.\n"
          ".It Fl -print-config\nPrint a\n.Xr belfry.conf 5\nwith every option, and stop.\n"
          ".It Fl -print-manual\nPrint this page in\n.Xr mdoc 7 ,\nand stop.\n"
          ".It Fl -version\nPrint the version, and stop.\n"
          ".It Fl h , Fl -help\nPrint a list of all options, and stop.\n"
          ".El\n",
          out);
}

static void print_programs(FILE *out, int programs)
{
    const enum program all[] = {PROGRAM_HUB, PROGRAM_WORKER, PROGRAM_CLI};
    const int sections[] = {8, 8, 1};
    fputs("Read by", out);
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        bool is_first = !(programs & ((int)all[i] - 1)), is_last = !(programs >> 1 >> i);
        if (programs & (int)all[i])
            fprintf(out, "%s\n.Xr %s %d",
                    is_first  ? ""
                    : is_last ? "\nand"
                              : " ,",
                    program_name(all[i]), sections[i]);
    }
    fputs(" .\n", out);
}

void options_print_conf_mdoc(FILE *out)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_rows[i];
        if (is_new_section(i))
            fprintf(out, "%s.Ss [%s]\n.Bl -tag -width Ds\n", i ? ".El\n" : "", row->section);
        fprintf(out, ".It Ic %s No = Ar %s\n", row->name, argument(row));
        print_mdoc_about(out, row);
        print_programs(out, row->programs);
    }
    fputs(".El\n", out);
}
