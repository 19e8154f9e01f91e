/* REMOTE_ADDR, a line's end, X-Forwarded-For: the address is a piece of one of them, and a header
 * is not looked at where the first is not trusted. */
#include "address.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str forwarded = str_make((const char *)data, size), remote = STR_NONE;
    Str trusted = STR("10.0.0.1,2001:db8::1,unix:");
    char key[ADDRESS_KEY];
    str_cut(&forwarded, '\n', &remote);
    Str is = address_of(trusted, remote, forwarded);
    bool is_remote = is.p == remote.p && is.len == remote.len;
    assert(is_remote || (is.p >= forwarded.p && is.p + is.len <= forwarded.p + forwarded.len));
    if (address_key(trusted, remote, key).len)
        assert(is_remote);
    assert(address_key(trusted, is, key).len <= ADDRESS_KEY);
    return 0;
}
