/* config -- the text of a belfry.conf, told entry by entry. Knows lines, sections and values,
 * never what they mean. inih is known to config.c alone. */
#ifndef BELFRY_CONFIG_H
#define BELFRY_CONFIG_H

#include "base/fault.h"
#include "base/str.h"

#define CONFIG_BYTES (1u << 20) /* of a file */
/* inih's buffer has 200 bytes with newline and NUL; it would split a longer line silently. */
#define CONFIG_LINE  198

struct config_entry {
    const char *file;
    unsigned line;
    Str section, name, value; /* name.p is NULL for the line of the section itself */
    bool is_more;             /* an indented line that goes on with the entry before it */
};

/* False ends the reading. */
typedef bool config_take(void *into, const struct config_entry *entry, struct fault *why);

MUST_USE bool config_read(const char *file, config_take *take, void *into, struct fault *why);
/* `file` is only for what `why` says. */
MUST_USE bool config_parse(Str text, const char *file, config_take *take, void *into,
                           struct fault *why);

#endif
