/* changes -- questions of the admin socket that change something, word by word. */
#ifndef BELFRY_CLI_CHANGES_H
#define BELFRY_CLI_CHANGES_H

#include "cli/admin.h"

/* Asks {"do":DO, name: word, …}: `words` are names and strings by turns, up to NULL; a NULL string
 * is left out. `number`: its name, then its value; NULL: none. Prints nothing but the answer with
 * `json`. Returns the exit code. */
int changes_ask(const struct options *o, bool json, const char *what, const char *const *words,
                const char *number, uint64_t value);

#endif
