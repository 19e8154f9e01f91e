/* tokens -- the door that tokens come in by: the keys of token_keys, read again when the file
 * changes, and the tokens that were found good, remembered by hash, so that a crowd which comes
 * back costs one signature each. */
#ifndef BELFRY_TOKENS_H
#define BELFRY_TOKENS_H

#include "base/options.h"
#include "token.h"

struct tokens;

/* Reads the keys, where the option names a file. */
struct tokens *tokens_open(const struct options *o, struct fault *why);
void tokens_close(struct tokens *t);
/* Looks at the file, once a second. New keys that are no good are said in the log, and those that
 * were there stay. */
void tokens_tick(struct tokens *t, Msec now);

/* Who shows `text`; token_unref() it. The reason is for the log alone. */
struct token *tokens_admit(struct tokens *t, Str text, Msec wall, struct fault *why);
/* The same for one that was found good before, without a look at its signature; NULL: it was not.
 */
struct token *tokens_recall(struct tokens *t, Str text, Msec wall);
struct tokens_counts {
    uint64_t checked; /* signatures */
    uint64_t refused;
    size_t remembered;
};
struct tokens_counts tokens_counts(const struct tokens *t);

#endif
