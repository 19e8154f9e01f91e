/* fault -- why something did not work: a code (one of wire/refusal.h) and a text
 * that names the field and the limit. The caller owns it; it needs no cleaning up. */
#ifndef BELFRY_FAULT_H
#define BELFRY_FAULT_H

#include "memory.h"

#include <stdbool.h>

struct fault {
    int code; /* 0: none */
    char text[240];
};

/* Fills `why` (may be NULL) and returns false, so that a function can end with it. */
bool fail(struct fault *why, int code, const char *format, ...) PRINTF(3, 4);

#endif
