/* Every check of names, and what follows from their answers. */
#include "wire/names.h"
#include "wire/refusal.h"
#include "wire/rights.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rights(Str channel)
{
    const struct rights r = {.access = ACCESS_OPEN, .user = STR("bob"), .for_all = STR("a,b")};
    bool is_kept = str_starts(channel, STR("user:")) || str_starts(channel, STR("$"));
    assert(may(&r, MAY_PUBLISH, channel) == !is_kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str name = str_make((const char *)data, size);
    struct fault why = {0};
    bool is_channel = channel_is_valid(name, "channel", &why);
    assert(is_channel == (why.code != REFUSE_WRONG_FIELD));
    if (is_channel) {
        assert(str_is_utf8(name) && !str_has_control(name) && !is_pattern(name));
        assert(pattern_is_valid(name, "pattern", NULL) && pattern_matches(name, name));
        assert(pattern_matches(STR("*"), name) == !str_starts(name, STR("user:")));
        check_rights(name);
    }
    if (user_is_valid(name, "user", NULL))
        assert(is_channel && name.len <= USER_MAX);
    if (event_name_is_valid(name, false, "event", NULL))
        assert(event_name_is_valid(name, true, "event", NULL) && !str_has_control(name));
    if (client_is_valid(name, "client", NULL))
        assert(key_is_valid(name, "key", NULL));
    return 0;
}
