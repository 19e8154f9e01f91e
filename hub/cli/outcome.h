/* outcome -- how a command ends: exit codes of sysexits.h, and the line on stderr that says why. */
#ifndef BELFRY_OUTCOME_H
#define BELFRY_OUTCOME_H

#include "base/fault.h"

#include <sysexits.h>

#define OUTCOME_TRY_AGAIN EX_TEMPFAIL /* 75 */
#define OUTCOME_UNKNOWN   EX_PROTOCOL /* 76: it was sent, no answer came */

/* The exit code that fits a refusal (wire/refusal.h); 0 for none. */
int outcome_of(int code);
/* Says the fault on stderr and returns its exit code. */
int outcome_say(const struct fault *why);
/* One line on stderr, beginning with the program's name. */
void outcome_note(const char *format, ...) PRINTF(1, 2);
/* Flushes stdout: 0, or EX_IOERR with a word where it could not be written. */
int outcome_of_stdout(void);

#endif
