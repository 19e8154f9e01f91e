/* moment -- a point in time as requests and people write it: -300 (seconds before now), unix
 * seconds, or RFC 3339. Pure. */
#ifndef BELFRY_MOMENT_H
#define BELFRY_MOMENT_H

#include "base/clock.h"
#include "base/fault.h"
#include "base/str.h"

/* Milliseconds since 1970; what lies before is 0. A fault is WRONG_FIELD and names `field`. */
MUST_USE bool moment_parse(Str text, Msec wall, const char *field, Msec *out, struct fault *why);

#endif
