/* Keys and lists of keys: what is read as a key is written back byte for byte, and a list lacks
 * nothing of itself. */
#include "wire/curve.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str text = str_make((const char *)data, size);
    char written[CURVE_TEXT];
    struct fault why;
    CurveKey key;
    if (curve_parse(text, &key))
        assert(str_eq(str_of(curve_print(key, written)), text));
    struct curve_clients *c = curve_clients_parse(text, &why);
    if (c)
        assert(curve_clients_keep(c, c));
    curve_clients_free(c);
    return 0;
}
