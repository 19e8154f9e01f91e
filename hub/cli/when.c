#include "cli/when.h"

#include "cli/flags.h"
#include "wire/moment.h"
#include "wire/refusal.h"

#include <stdio.h>

/* What people leave out at the end: the zone (UTC then), the time of day. */
static const char *const endings[] = {"", "Z", "T00:00:00Z"};

bool when_parse(const char *text, Msec now, Msec *out, struct fault *why)
{
    char whole[80];
    uint64_t n;
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        int len = snprintf(whole, sizeof whole, "%s%s", text, endings[i]);
        if (len > 0 && (size_t)len < sizeof whole &&
            moment_parse(str_make(whole, (size_t)len), now, "since", out, NULL))
            return true;
    }
    if (!flags_duration(text + (text[0] == '-'), &n))
        return fail(why, REFUSE_MALFORMED, "\"%.60s\" is no moment: " WHEN_HELP, text);
    *out = n < now ? now - n : 0;
    return true;
}
