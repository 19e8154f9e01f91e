/* What an application answers: read within the limits, or refused with a reason that fits into the
 * log. The first byte says whether it was asked about a connection. */
#include "advice.h"
#include "wire/message.h"
#include "wire/names.h"
#include "wire/people.h"
#include "wire/refusal.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_grants(Str grants)
{
    assert(!grants.len || list_count(grants) == 3);
    for (Str names; list_next(&grants, &names);) {
        assert(list_is_whole(names) && list_count(names) <= ADVICE_GRANTS);
        for (Str name; list_next(&names, &name);)
            assert(pattern_is_valid(name, "grant", NULL));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct advice a;
    struct fault why = {0};
    if (!size)
        return 0;
    bool is_connection = data[0] == 'c';
    if (advice_read(&a, str_make((const char *)data + 1, size - 1), is_connection, &why)) {
        Str user = buf_str(&a.user);
        assert(a.hold <= ADVICE_HOLDS && (!user.len || user_is_valid(user, "user", NULL)));
        assert(is_connection || (!user.len && !a.grants.len && !a.public.len));
        assert(a.public.len <= PUBLIC_MAX);
        check_grants(buf_str(&a.grants));
    } else {
        assert(why.code == REFUSE_HOOK_AWAY && why.text[0]);
    }
    advice_fini(&a);
    return 0;
}
