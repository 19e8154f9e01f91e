/* `since=` and --since: any text is a moment that is shown the same way again, or has a reason. */
#include "wire/moment.h"
#include "wire/refusal.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

#define WALL UINT64_C(1790000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(Msec at)
{
    char text[64];
    struct tm parts;
    time_t seconds = (time_t)(at / 1000);
    Msec again;
    if (at < 1000 || !gmtime_r(&seconds, &parts) || parts.tm_year > 9999 - 1900)
        return;
    size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    len += (size_t)snprintf(text + len, sizeof text - len, ".%03uZ", (unsigned)(at % 1000));
    bool ok = moment_parse(str_make(text, len), WALL, "since", &again, NULL);
    assert(ok && again == at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str text = str_make((const char *)data, size);
    struct fault why = {0};
    Msec at;
    if (moment_parse(text, WALL, "since", &at, &why))
        check_again(at);
    else
        assert(why.code == REFUSE_WRONG_FIELD && strstr(why.text, "since"));
    return 0;
}
