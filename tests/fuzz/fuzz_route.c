/* The path of a request (the first byte says how it came): a route, or a reason. */
#include "route.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(Str path, bool is_decoded)
{
    const struct route *found = NULL;
    struct fault why = {0};
    struct buf name;
    buf_init(&name, 1024);
    if (!route_find(STR("/events"), path, is_decoded, &name, &found, &why))
        assert(why.code && why.text[0]);
    else
        assert(found && found->path && found->handle);
    buf_fini(&name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size)
        check(str_make((const char *)data + 1, size - 1), data[0] & 1);
    return 0;
}
