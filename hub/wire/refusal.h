/* refusal -- why something is refused: the codes of struct fault. See refusal.def. */
#ifndef BELFRY_REFUSAL_H
#define BELFRY_REFUSAL_H

#include "base/fault.h"
#include "base/str.h"

enum refusal {
    REFUSE_NOT = 0, /* it is not refused */
#define REFUSAL(name, code, http, retry, title) REFUSE_##name,
#include "wire/refusal.def"
#undef REFUSAL
    REFUSAL_COUNT
};

/* A code that is out of range is taken for INTERNAL. */
const char *refusal_code(int code); /* "too_large" */
int refusal_status(int code);       /* 413 */
unsigned refusal_retry(int code);   /* seconds, 0: trying again does not help */
const char *refusal_title(int code);
/* INTERNAL where the text is unknown. */
int refusal_from_code(Str code);

#endif
