/* What a web server answers to `belfry doctor`: a stream of any bytes, in pieces (the first byte
 * says how long). In the place of fetch, which would ask libcurl. */
#include "cli/ear.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fetch {
    Str body;
};

struct fetch *fetch_start(struct fetcher *f, const struct fetch_ask *ask)
{
    (void)f, (void)ask;
    return must_alloc(sizeof(struct fetch));
}

void fetch_stop(struct fetch *one)
{
    free(one);
}

bool fetch_is_over(const struct fetch *one)
{
    (void)one;
    return false;
}

Str fetch_body(const struct fetch *one)
{
    return one->body;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ear e;
    size_t step = size && data[0] ? data[0] : 1;
    if (!size)
        return 0;
    ear_open(&e, NULL, "http://localhost/", false);
    for (size_t len = 0; len < size - 1;) {
        len = len + step < size - 1 ? len + step : size - 1;
        e.fetch->body = str_make((const char *)data + 1, len);
        ear_listen(&e);
        assert(e.at <= len && strlen(e.channel) <= CHANNEL_MAX);
    }
    assert(!e.events || e.event_at >= e.opened_at);
    ear_close(&e);
    return 0;
}
