#include "cli/when.h"

#include "base/str.h"
#include "cli/flags.h"
#include "wire/refusal.h"

#include <stdio.h>
#include <time.h>

/* `Z`, nothing (UTC), or `+01:00`; minutes east of Greenwich. */
static bool offset(const char *text, int *minutes)
{
    char sign;
    int h, m, used = 0;
    *minutes = 0;
    if (text[0] == '\0' || strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
        return true;
    if (sscanf(text, "%c%2d:%2d%n", &sign, &h, &m, &used) != 3 || text[used] ||
        (sign != '+' && sign != '-') || h < 0 || h > 23 || m < 0 || m > 59)
        return false;
    *minutes = (h * 60 + m) * (sign == '-' ? -1 : 1);
    return true;
}

/* RFC 3339, where the time of day may be missing; fractions of a second are taken for nothing. */
static bool date(const char *text, Msec *out)
{
    struct tm tm = {0};
    int used = 0, minutes;
    if (sscanf(text, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &used) != 3 ||
        used != 10)
        return false;
    const char *rest = text + used;
    if (*rest) {
        if (sscanf(rest, "%*1[Tt ]%2d:%2d:%2d%n", &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) !=
                3 ||
            used != 9)
            return false;
        rest += used;
        if (*rest == '.')
            rest += 1 + strspn(rest + 1, "0123456789");
    }
    if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
        tm.tm_min > 59 || tm.tm_sec > 60 || tm.tm_year < 1970 || !offset(rest, &minutes))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    time_t t = timegm(&tm) - (time_t)minutes * 60;
    *out = t < 0 ? 0 : (Msec)t * 1000;
    return true;
}

bool when_parse(const char *text, Msec now, Msec *out, struct fault *why)
{
    uint64_t n;
    bool is_back = text[0] == '-';
    if (date(text, out))
        return true;
    if (!is_back && str_to_u64(str_of(text), &n) && n < INT64_MAX / 1000) {
        *out = n * 1000;
        return true;
    }
    if (!flags_duration(text + is_back, &n))
        return fail(why, REFUSE_MALFORMED, "\"%.60s\" is no moment: " WHEN_HELP, text);
    *out = n < now ? now - n : 0;
    return true;
}
