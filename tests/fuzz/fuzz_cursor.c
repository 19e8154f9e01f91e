/* What is read as a cursor is written back byte for byte. */
#include "wire/cursor.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str text = str_make((const char *)data, size);
    char written[CURSOR_TEXT];
    Cursor c;
    if (!cursor_parse(text, &c))
        return 0;
    assert(!cursor_is_none(c) && c.at <= INT64_MAX);
    assert(str_eq(cursor_print(c, written), text));
    return 0;
}
