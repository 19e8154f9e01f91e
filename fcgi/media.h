/* media -- what a body is said to be. Pure. */
#ifndef BELFRY_MEDIA_H
#define BELFRY_MEDIA_H

#include "base/fault.h"
#include "base/str.h"

enum media { MEDIA_JSON, MEDIA_NDJSON, MEDIA_FORM };

/* Of the header Content-Type; parameters do not matter but for a charset that is not UTF-8. A fault
 * is MEDIA_TYPE. */
MUST_USE bool media_of(Str type, enum media *out, struct fault *why);

#endif
