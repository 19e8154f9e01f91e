/* hub_words -- what the hub says to a worker, in words that a test can compare: positions in the
 * place of ids, lists with commas. */
#ifndef BELFRY_HUB_WORDS_H
#define BELFRY_HUB_WORDS_H

#include "base/buf.h"

/* Appends the verb, and of its body what matters. */
void hub_words(struct buf *out, int verb, Str body);

#endif
