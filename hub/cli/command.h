/* command -- one subcommand of `belfry`: an entry of the table that is dispatch and help at once.
 * Each lives in the file of its name. */
#ifndef BELFRY_COMMAND_H
#define BELFRY_COMMAND_H

#include "base/options.h"
#include "cli/flags.h"

struct command {
    const char *name;
    const char *operands; /* "CHANNEL [DATA]"; "" for none */
    const char *brief;    /* one line of `belfry --help` */
    const char *about;    /* the paragraph of `belfry NAME --help` */
    const char *examples; /* lines that can be pasted */
    int least, most;      /* operands; most -1: any number */
    struct flag_table flags;
    size_t size; /* of the struct that the flags fill, zeroed before */
    int (*run)(const struct options *o, const void *flags, int operands, char **operand);
};

extern const struct command pub_command;
extern const struct command sub_command;
extern const struct command log_command;
extern const struct command channels_command;
extern const struct command streams_command;
extern const struct command links_command;
extern const struct command who_command;
extern const struct command stats_command;
extern const struct command top_command;
extern const struct command backup_command;
extern const struct command check_command;
extern const struct command prune_command;
extern const struct command recover_command;
extern const struct command doctor_command;
extern const struct command token_command;
extern const struct command keygen_command;
extern const struct command user_command;
extern const struct command users_command;
extern const struct command grant_command;
extern const struct command revoke_command;
extern const struct command kick_command;

#endif
