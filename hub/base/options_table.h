/* options_table -- options.def as rows, for what parses, prints and documents them. */
#ifndef BELFRY_OPTIONS_TABLE_H
#define BELFRY_OPTIONS_TABLE_H

#include "base/options.h"

enum option_kind {
    KIND_TEXT,
    KIND_PATH,
    KIND_BOOL,
    KIND_NUMBER,
    KIND_SIZE,
    KIND_TIME,
    KIND_CHOICE_ACCESS,
    KIND_CHOICE_LEVEL
};

struct option_row {
    const char *section, *name;
    enum option_kind kind;
    const char *value; /* the default */
    uint64_t min, max;
    int programs; /* of enum program */
    const char *help;
    size_t at; /* where in struct options */
};

extern const struct option_row option_rows[];
extern const size_t option_count;

/* The row of that name (with dashes or underscores), or NULL. */
const struct option_row *option_find(Str name);

#define OPTION_RANGE 96
/* "a size from 1k to 1M" */
void option_range(const struct option_row *row, char out[OPTION_RANGE]);

/* Reads `value` into `member`; `place` is where it was written, for `why`. A text that was there is
 * freed. */
bool option_set(const struct option_row *row, const char *place, Str value, void *member,
                struct fault *why);

#endif
