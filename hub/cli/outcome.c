#include "cli/outcome.h"

#include "wire/refusal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int outcome_of(int code)
{
    switch (code) {
    case REFUSE_NOT:
        return EX_OK;
    case REFUSE_UNAUTHORIZED:
    case REFUSE_FORBIDDEN:
        return EX_NOPERM;
    case REFUSE_UNKNOWN_OUTCOME:
        return OUTCOME_UNKNOWN;
    case REFUSE_VERSION:
        return EX_UNAVAILABLE;
    case REFUSE_CONFIG:
        return EX_CONFIG;
    case REFUSE_INTERNAL:
        return EX_SOFTWARE;
    default:
        return refusal_retry(code) ? OUTCOME_TRY_AGAIN : EX_DATAERR;
    }
}

void outcome_note(const char *format, ...)
{
    va_list more;
    va_start(more, format);
    fputs("belfry: ", stderr);
    vfprintf(stderr, format, more);
    fputc('\n', stderr);
    va_end(more);
}

int outcome_say(const struct fault *why)
{
    outcome_note("%s", why->text);
    return outcome_of(why->code);
}

int outcome_of_stdout(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EX_OK;
    outcome_note("standard output: %s", strerror(errno));
    return EX_IOERR;
}
