/* A packed event: what can be read is copied, written, and read again. */
#include "wire/event.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event read, again;
    Str body = str_make((const char *)data, size);
    if (!event_unpack(body, &read))
        return 0;
    struct event *e = event_new(&read);
    struct buf packed;
    buf_init(&packed, size + 1024);
    bool ok = event_pack(&packed, e);
    assert(ok);
    size_t same = size < packed.len ? size : packed.len;
    assert(str_eq(str_make(body.p, same), str_make(packed.p, same)));
    ok = event_unpack(buf_str(&packed), &again);
    assert(ok && event_size(&again) == event_size(e));
    buf_fini(&packed);
    event_unref(e);
    return 0;
}
