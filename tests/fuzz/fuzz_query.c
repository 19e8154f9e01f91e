/* Query strings: what is taken apart is put together again; and whatever a query says, a stream or
 * a page of history is asked for within the limits, or refused with a reason. */
#include "history.h"
#include "opening.h"
#include "wire/names.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char for_all[] = "all";
static const struct options options = {
    .max_channels_stream = 16, .max_replay = 1000, .channels_for_all = for_all};

static void check_round(const struct query *q)
{
    struct buf text;
    struct query again;
    buf_init(&text, 16 * 1024 * 1024);
    for (size_t i = 0; i < q->n; i++) {
        percent_encode(&text, q->v[i].name);
        buf_putc(&text, '=');
        percent_encode(&text, q->v[i].value);
        buf_putc(&text, '&');
    }
    bool ok = query_parse(&again, buf_str(&text), "query", NULL);
    assert(ok && again.n == q->n);
    for (size_t i = 0; i < q->n; i++)
        assert(str_eq(q->v[i].name, again.v[i].name) && str_eq(q->v[i].value, again.v[i].value));
    query_fini(&again);
    buf_fini(&text);
}

static void check_opening(const struct query *q, Str header)
{
    struct opening o;
    struct fault why = {0};
    struct visitor v = {.rights = {.access = ACCESS_OPEN, .for_all = str_of(for_all)}};
    if (!opening_read(&o, &options, q, &v, STR_NONE, header, 1000000000, &why)) {
        assert(why.code && why.text[0]);
        return;
    }
    Str list = o.stream.channels;
    assert(list_is_whole(list) && list_count(list) <= 17);
    for (Str name; list_next(&list, &name);)
        assert(pattern_is_valid(name, "channel", NULL) && may(&v.rights, MAY_SUBSCRIBE, name));
    assert(client_is_valid(o.stream.client, "client", NULL));
    assert(o.stream.ping >= 5 && o.stream.ping <= 50 && o.wait <= 50);
    assert(o.stream.limit >= 1 && o.stream.limit <= 1000);
    opening_fini(&o);
}

static void check_history(const struct query *q)
{
    struct history h;
    struct fault why = {0};
    const struct rights rights = {.access = ACCESS_OPEN};
    bool ok = history_read(&h, &options, q, &rights, 1000000000, &why);
    assert(ok || (why.code && why.text[0]));
    history_fini(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str text = str_make((const char *)data, size);
    struct query q;
    struct fault why = {0};
    if (size > 65536)
        return 0;
    if (query_parse(&q, text, "query", &why)) {
        check_round(&q);
        check_opening(&q, STR_NONE);
        check_opening(&q, text);
        check_history(&q);
    } else {
        assert(why.code);
    }
    query_fini(&q);
    return 0;
}
