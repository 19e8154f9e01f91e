/* flags -- what stands after a subcommand on the command line: its own small table of long
 * options, read into a struct. Pure; knows no command. */
#ifndef BELFRY_FLAGS_H
#define BELFRY_FLAGS_H

#include "base/fault.h"

#include <stdint.h>
#include <stdio.h>

enum flag_kind {
    FLAG_SWITCH,   /* bool: --json */
    FLAG_TEXT,     /* const char *: --event NAME */
    FLAG_NUMBER,   /* uint64_t: --last N */
    FLAG_COUNT,    /* the same, 1 at least: 0 would be taken for not given */
    FLAG_DURATION, /* Msec, 1 at least: --ttl 90, 90s, 500ms, 10m, 2h, 7d */
};

struct flag {
    const char *name; /* without the dashes */
    enum flag_kind kind;
    size_t at;         /* offsetof the member that it fills */
    const char *value; /* how help calls the value; NULL for switches */
    const char *help;
};

struct flag_table {
    const struct flag *v;
    size_t n;
};

#define FLAG_TABLE(array)                                                                          \
    {                                                                                              \
        (array), COUNT_OF(array)                                                                   \
    }
#define FLAG_HELP "help" /* every table has it: see flags_parse */

/* Reads `--name value` and `--name=value` wherever they stand, up to `--`. What is left, the
 * operands, is moved to the front of argv and counted in *operands. --help only sets *help.
 * Codes: MALFORMED. Members that no flag fills are left as they are. */
MUST_USE bool flags_parse(struct flag_table table, int argc, char **argv, void *into, int *operands,
                          bool *help, struct fault *why);
/* One line for each flag. */
void flags_print(struct flag_table table, FILE *out);

/* Digits and one of ms, s, m, h, d; without a unit seconds. */
MUST_USE bool flags_duration(const char *text, uint64_t *ms);

#endif
