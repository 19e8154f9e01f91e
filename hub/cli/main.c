/* belfry -- the command line: one table that is dispatch and help at once. */
#include "base/buf.h"
#include "base/options_table.h"
#include "cli/command.h"
#include "cli/outcome.h"
#include "wire/refusal.h"

#include <stdlib.h>

#define USAGE_BYTES 65536

static const struct command *const commands[] = {
    &pub_command,   &sub_command,     &log_command,    &channels_command, &streams_command,
    &links_command, &stats_command,   &top_command,    &backup_command,   &check_command,
    &prune_command, &recover_command, &doctor_command, &token_command,    &keygen_command,
    &user_command,  &users_command,   &grant_command,  &revoke_command,   &kick_command,
    &who_command,
};

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static void put_usage(struct buf *out)
{
    buf_putz(out,
             "usage: belfry [OPTION]... COMMAND [...]\n\n"
             "Publishes to Belfry, follows it and looks after it. Options may also stand behind "
             "the command.\n\nCommands (`belfry COMMAND --help` says more):\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        buf_printf(out, "  %-10s %s\n", commands[i]->name, commands[i]->brief);
    buf_putz(out, "\nExit codes: 0 done, 64 wrong usage, 65 wrong data, 75 try again, 76 outcome "
                  "unknown,\n77 not allowed.\n");
    buf_putc(out, '\0');
}

static void print_command_help(const struct command *c)
{
    printf("usage: belfry %s%s%s [OPTION]...\n\n%s\n\nOptions:\n", c->name,
           c->operands[0] ? " " : "", c->operands, c->about);
    flags_print(c->flags, stdout);
    printf("\nExamples:\n%s", c->examples);
}

static int run(const struct options *o, const struct command *c, int argc, char **argv)
{
    struct fault why = {0};
    void *flags = must_alloc(c->size ? c->size : 1);
    int operands, code = EX_USAGE;
    bool help;
    if (!flags_parse(c->flags, argc, argv, flags, &operands, &help, &why))
        outcome_note("%s; see belfry %s --help", why.text, c->name);
    else if (help) {
        print_command_help(c);
        code = outcome_of_stdout();
    } else if (operands < c->least || (c->most >= 0 && operands > c->most))
        outcome_note("usage: belfry %s %s; see belfry %s --help", c->name, c->operands, c->name);
    else
        code = c->run(o, flags, operands, argv);
    free(flags);
    return code;
}

/* Whether argv[i] is an option of the whole program; how many words it takes. */
static int is_global(int argc, char **argv, int i)
{
    if (strncmp(argv[i], "--", 2) != 0)
        return 0;
    Str word = str_of(argv[i] + 2);
    size_t equals = str_find(word, '=');
    Str name = str_make(word.p, equals);
    const struct option_row *row = option_find(name);
    if (!str_eq(name, STR("config")) && !(row && row->programs & PROGRAM_CLI))
        return 0;
    return equals < word.len || i + 1 == argc ? 1 : 2;
}

/* Options of the whole program may stand behind the command too: they are moved to the front. */
static char **hoist(int argc, char **argv)
{
    char **out = must_alloc(((size_t)argc + 1) * sizeof *out);
    bool *is_taken = must_alloc((size_t)argc * sizeof *is_taken);
    int n = 0;
    out[n++] = argv[0];
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        for (int left = is_global(argc, argv, i); left > 0; left--) {
            is_taken[i] = true;
            out[n++] = argv[i];
            i += left > 1;
        }
    for (int i = 1; i < argc; i++)
        if (!is_taken[i])
            out[n++] = argv[i];
    free(is_taken);
    return out;
}

static int dispatch(const struct options *o)
{
    struct buf usage;
    buf_init(&usage, USAGE_BYTES);
    put_usage(&usage);
    bool is_answered = options_answer(o, stdout, PROGRAM_CLI, usage.p);
    buf_fini(&usage);
    if (is_answered || o->check_config)
        return outcome_of_stdout();
    if (o->argc == 0) {
        outcome_note("a command is needed; see belfry --help");
        return EX_USAGE;
    }
    const struct command *c = find(o->argv[0]);
    if (c)
        return run(o, c, o->argc - 1, o->argv + 1);
    outcome_note("there is no command \"%.60s\"; see belfry --help", o->argv[0]);
    return EX_USAGE;
}

int main(int argc, char **argv)
{
    struct options o = {0};
    struct fault why = {0};
    char **words = hoist(argc, argv);
    int code = EX_CONFIG;
    if (options_load(&o, PROGRAM_CLI, argc, words, &why)) {
        code = dispatch(&o);
        options_fini(&o);
    } else
        outcome_note("%s", why.text);
    free(words);
    return code;
}
