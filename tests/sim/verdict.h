/* verdict -- how a run ended, told by the process that ran it to the one that waits for it. */
#ifndef BELFRY_SIM_VERDICT_H
#define BELFRY_SIM_VERDICT_H

#include "schedule.h"

enum { VERDICT_RULE = 32, VERDICT_TEXT = 300 };

struct verdict {
    bool is_done;
    char rule[VERDICT_RULE]; /* empty: none is broken */
    char text[VERDICT_TEXT];
    uint64_t steps, hash, facts, received;
};

struct world;
struct report;

/* Runs in a process of its own: what crashes or never ends is a verdict too. `aloud`: what it did
 * and saw is printed where it fails. */
struct verdict verdict_of(const struct schedule *s, bool aloud);

/* From within the run; these do not return. */
_Noreturn void verdict_fail(struct world *w, const char *rule, const char *text);
_Noreturn void verdict_judged(struct world *w, const struct report *r);

#endif
