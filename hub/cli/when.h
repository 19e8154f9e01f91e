/* when -- a moment as people type it. Pure. */
#ifndef BELFRY_WHEN_H
#define BELFRY_WHEN_H

#include "base/clock.h"
#include "base/fault.h"

#define WHEN_HELP "-300 or 5m (back from now), unix seconds, 2026-01-31 or 2026-01-31T08:00:00Z"

/* Milliseconds since 1970; `now` is the same. */
MUST_USE bool when_parse(const char *text, Msec now, Msec *out, struct fault *why);

#endif
