#include "wire/moment.h"

#include "wire/refusal.h"

enum { SECONDS_MAX = 1000000000 };      /* how far back `-N` may reach */
#define UNIX_MAX UINT64_C(253402300799) /* the end of the year 9999 */

static bool take_digits(Str *rest, size_t n, unsigned least, unsigned most, unsigned *out)
{
    uint64_t value;
    if (rest->len < n || !str_to_u64(str_make(rest->p, n), &value) || value < least || value > most)
        return false;
    *out = (unsigned)value;
    *rest = str_skip(*rest, n);
    return true;
}

static bool take_one_of(Str *rest, const char *letters, char *out)
{
    if (!rest->len || !rest->p[0] || !strchr(letters, rest->p[0]))
        return false;
    *out = rest->p[0];
    *rest = str_skip(*rest, 1);
    return true;
}

/* Days since 1970 of a date of the Gregorian calendar (Howard Hinnant's days_from_civil). */
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool take_date(Str *rest, int64_t *days)
{
    static const unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year, month, day;
    char dash;
    if (!take_digits(rest, 4, 1, 9999, &year) || !take_one_of(rest, "-", &dash) ||
        !take_digits(rest, 2, 1, 12, &month) || !take_one_of(rest, "-", &dash) ||
        !take_digits(rest, 2, 1, 31, &day))
        return false;
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    *days = days_of(year, month, day);
    return day <= lengths[month - 1] + (month == 2 && is_leap);
}

/* Milliseconds of `.123456`; further digits are let go. */
static bool take_fraction(Str *rest, int64_t *ms)
{
    static const int64_t weights[] = {100, 10, 1};
    size_t n = 0;
    char dot;
    *ms = 0;
    if (!take_one_of(rest, ".", &dot))
        return true;
    for (unsigned digit; take_digits(rest, 1, 0, 9, &digit); n++)
        *ms += n < COUNT_OF(weights) ? weights[n] * digit : 0;
    return n > 0;
}

static bool take_time(Str *rest, int64_t *ms)
{
    unsigned hour, minute, second;
    int64_t fraction;
    char colon;
    if (!take_digits(rest, 2, 0, 23, &hour) || !take_one_of(rest, ":", &colon) ||
        !take_digits(rest, 2, 0, 59, &minute) || !take_one_of(rest, ":", &colon) ||
        !take_digits(rest, 2, 0, 60, &second) || !take_fraction(rest, &fraction))
        return false;
    *ms = ((int64_t)hour * 3600 + minute * 60 + second) * 1000 + fraction;
    return true;
}

static bool take_zone(Str *rest, int64_t *ms)
{
    unsigned hour, minute;
    char sign, colon;
    *ms = 0;
    if (!take_one_of(rest, "Zz+-", &sign))
        return false;
    if (sign == 'Z' || sign == 'z')
        return true;
    if (!take_digits(rest, 2, 0, 23, &hour) || !take_one_of(rest, ":", &colon) ||
        !take_digits(rest, 2, 0, 59, &minute))
        return false;
    *ms = ((int64_t)hour * 3600 + minute * 60) * (sign == '-' ? -1000 : 1000);
    return true;
}

static bool parse_date_time(Str text, Msec *out)
{
    int64_t days, time, zone;
    char separator;
    if (!take_date(&text, &days) || !take_one_of(&text, "Tt ", &separator) ||
        !take_time(&text, &time) || !take_zone(&text, &zone) || text.len)
        return false;
    int64_t ms = days * 86400000 + time - zone;
    *out = ms > 0 ? (Msec)ms : 0;
    return true;
}

bool moment_parse(Str text, Msec wall, const char *field, Msec *out, struct fault *why)
{
    uint64_t n;
    if (text.len && text.p[0] == '-' && str_to_u64(str_skip(text, 1), &n) && n <= SECONDS_MAX) {
        *out = wall > n * 1000 ? wall - n * 1000 : 0;
        return true;
    }
    if (str_to_u64(text, &n) && n <= UNIX_MAX) {
        *out = n * 1000;
        return true;
    }
    if (parse_date_time(text, out))
        return true;
    return fail(why, REFUSE_WRONG_FIELD,
                "%s: is none of -SECONDS (%d at most), unix seconds, or a date as in RFC 3339",
                field, SECONDS_MAX);
}
