/* shrink -- the shortest schedule that still breaks the same rule: actions are left out, in ever
 * smaller pieces, and the world is made smaller. */
#ifndef BELFRY_SIM_SHRINK_H
#define BELFRY_SIM_SHRINK_H

#include "verdict.h"

/* In place; runs for `seconds` at most. */
void shrink(struct schedule *s, const char *rule, unsigned seconds);

#endif
