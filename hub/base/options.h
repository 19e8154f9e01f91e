/* options -- every option of the three programs, from one table (options.def): the struct, the
 * parser of belfry.conf, environment and flags, --help, the manual pages and the generated
 * conf/belfry.conf. Text lives as long as the options. */
#ifndef BELFRY_OPTIONS_H
#define BELFRY_OPTIONS_H

#include "base/clock.h"
#include "base/fault.h"
#include "base/str.h"
#include "wire/rights.h"

#include <stdio.h>

enum program { PROGRAM_HUB = 1, PROGRAM_WORKER = 2, PROGRAM_CLI = 4 };

typedef char *option_TEXT;
typedef char *option_PATH;
typedef bool option_BOOL;
typedef uint64_t option_NUMBER;
typedef uint64_t option_SIZE;
typedef Msec option_TIME;
typedef int option_CHOICE_ACCESS; /* enum access, from closed to open */
typedef int option_CHOICE_LEVEL;  /* enum log_level of base/log.h */

/* What is kept of channels whose name matches; from `[channel room:*]` in belfry.conf. */
struct retention {
    uint64_t keep;
    Msec age;
    uint64_t bytes;
};

struct channel_section; /* one `[channel PATTERN]` */

struct options {
#define OPTION(section, name, type, value, min, max, programs, help) option_##type name;
#include "base/options.def"
#undef OPTION
    /* In the file's order; the first that matches wins. Both arrays have section_count elements. */
    struct channel_section *sections;
    struct channel_rule *rules;
    size_t section_count;
    int argc; /* what was left of the command line: operands */
    char **argv;
    /* Asked for on the command line. All but check_config leave the file unread. */
    bool check_config, print_config, print_manual, help, version;
};

/* Defaults, then the file (--config FILE, BELFRY_CONFIG, /etc/belfry/belfry.conf where it is), then
 * BELFRY_NAME, then --name VALUE or --name=VALUE. Options of other programs are accepted in the
 * file and the environment, not as flags. False: `why` has file, line, option and range. Flags are
 * read up to the first operand. After false nothing is left to clean up. */
MUST_USE bool options_load(struct options *o, enum program program, int argc, char **argv,
                           struct fault *why);
void options_fini(struct options *o);

/* What everybody may by the options; who asks and the grants are the caller's to add. */
struct rights options_rights(const struct options *o);
/* The [channel] section that matches first, else [log]. */
struct retention options_retention(const struct options *o, Str channel);

/* Does what --help, --version, --print-config, --print-manual and --check-config ask for; false
 * where nothing was asked. `usage` begins the help. */
bool options_answer(const struct options *o, FILE *out, enum program program, const char *usage);

void options_print_help(FILE *out, enum program program);
/* A complete belfry.conf, every option commented out at its default, with help and range. */
void options_print_config(FILE *out);
/* The OPTIONS section of a manual page, in mdoc(7). */
void options_print_mdoc(FILE *out, enum program program);
/* All options, section by section, for belfry.conf(5). */
void options_print_conf_mdoc(FILE *out);

#endif
