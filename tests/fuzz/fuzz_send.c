/* Bodies of POST /send and /subscribe in each of their forms (the first byte says which): what goes
 * to the hub is well formed and allowed, what does not has a reason. */
#include "base/json.h"
#include "sends.h"
#include "subscribe.h"
#include "wire/event.h"
#include "wire/names.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct options options = {.max_event = 2000,
                                       .max_body = 10000,
                                       .max_batch = 20,
                                       .max_replay = 100,
                                       .max_channels_stream = 8};
static const struct rights rights = {.access = ACCESS_OPEN};

static void check_send(Str packed)
{
    struct msg_send m;
    bool ok = msg_send_unpack(packed, &m);
    assert(ok && list_is_whole(m.channels) && list_count(m.channels) <= 8);
    assert(m.to.len ? !m.channels.len : m.channels.len > 0);
    for (Str list = m.channels, name; list_next(&list, &name);)
        assert(channel_is_valid(name, "channel", NULL) && may(&rights, MAY_PUBLISH, name));
    assert(event_name_is_valid(m.event, m.flags & EVENT_EPHEMERAL, "event", NULL));
    assert(m.data.len <= options.max_event && str_is_utf8(m.data));
    assert(!(m.flags & EVENT_JSON) || json_check(m.data, NULL));
    assert(!m.to.len || client_is_valid(m.to, "client", NULL));
    assert(!m.exclude.len || client_is_valid(m.exclude, "exclude", NULL));
    assert(!m.key.len || key_is_valid(m.key, "key", NULL));
    assert(m.ttl <= SENDS_TTL_MAX);
}

static void check_sends(enum media media, Str body)
{
    struct sends s;
    struct fault why = {0};
    if (sends_read(&s, media, body, &options, &rights, &why)) {
        size_t refused = 0;
        for (size_t i = 0; i < s.n; i++) {
            refused += s.v[i].why != NULL;
            assert(!s.v[i].why || (s.v[i].why->code && s.v[i].why->text[0]));
        }
        assert(s.n && s.n <= options.max_batch && s.good + refused == s.n);
        assert(list_is_whole(buf_str(&s.list)) && list_count(buf_str(&s.list)) == s.good);
        for (Str list = buf_str(&s.list), item; list_next(&list, &item);)
            check_send(item);
    } else {
        assert(why.code && why.text[0]);
    }
    sends_fini(&s);
}

static void check_change(enum media media, Str body)
{
    static const char *const types[] = {
        [MEDIA_JSON] = "application/json",
        [MEDIA_NDJSON] = "application/x-ndjson",
        [MEDIA_FORM] = "application/x-www-form-urlencoded",
    };
    struct change c;
    struct fault why = {0};
    bool ok = change_read(&c, str_of(types[media]), body, &options, &rights, 1000000, &why);
    assert(ok ? c.channels.n > 0 && client_is_valid(str_of(c.client), "client", NULL)
              : why.code && why.text[0]);
    change_fini(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size || size > options.max_body)
        return 0;
    enum media media = (enum media)(data[0] % 3);
    Str body = str_make((const char *)data + 1, size - 1);
    check_sends(media, body);
    check_change(media, body);
    return 0;
}
