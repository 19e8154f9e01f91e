#include "base/fault.h"

#include <stdarg.h>
#include <stdio.h>

bool fail(struct fault *why, int code, const char *format, ...)
{
    if (!why)
        return false;
    why->code = code;
    va_list args;
    va_start(args, format);
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    return false;
}
