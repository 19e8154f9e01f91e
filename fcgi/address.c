#include "address.h"

#include "wire/refusal.h"

#include <arpa/inet.h>

enum { V4_AT = 12, BYTES = 16, PREFIX = 8 };
static const unsigned char mapped[V4_AT] = {[10] = 0xff, [11] = 0xff};

/* IPv4 as it is mapped into IPv6. */
static bool parse(Str text, unsigned char out[BYTES])
{
    char z[INET6_ADDRSTRLEN];
    if (!text.len || text.len >= sizeof z || memchr(text.p, 0, text.len))
        return false;
    memcpy(z, text.p, text.len);
    z[text.len] = '\0';
    memcpy(out, mapped, sizeof mapped);
    return inet_pton(AF_INET, z, out + V4_AT) == 1 || inet_pton(AF_INET6, z, out) == 1;
}

static bool is_same(Str a, Str b)
{
    unsigned char left[BYTES], right[BYTES];
    return str_eq(a, b) || (parse(a, left) && parse(b, right) && !memcmp(left, right, BYTES));
}

static bool is_trusted(Str trusted, Str address)
{
    for (Str proxy; address.len && str_cut(&trusted, ',', &proxy);)
        if (is_same(str_trim(proxy), address))
            return true;
    return false;
}

/* Some proxies write the port, too: 192.0.2.1:4711, [2001:db8::1]:4711. */
static Str without_port(Str s)
{
    size_t colon = str_find(s, ':');
    if (str_starts(s, STR("[")))
        return str_make(s.p + 1, str_find(s, ']') - 1);
    bool is_only = colon < s.len && str_find(str_skip(s, colon + 1), ':') == s.len - colon - 1;
    return is_only ? str_make(s.p, colon) : s;
}

/* Takes off what stands behind the last comma. */
static Str cut_last(Str *list)
{
    size_t at = list->len;
    while (at && list->p[at - 1] != ',')
        at--;
    Str last = str_skip(*list, at);
    list->len = at ? at - 1 : 0;
    return without_port(str_trim(last));
}

Str address_of(Str trusted, Str remote, Str forwarded)
{
    Str address = remote;
    unsigned char bytes[BYTES];
    while (forwarded.len && is_trusted(trusted, address)) {
        Str before = cut_last(&forwarded);
        if (!parse(before, bytes))
            break;
        address = before;
    }
    return address;
}

Str address_key(Str trusted, Str address, char key[ADDRESS_KEY])
{
    unsigned char bytes[BYTES];
    if (!address.len || is_trusted(trusted, address))
        return STR_NONE;
    if (!parse(address, bytes))
        return str_make(address.p, address.len < ADDRESS_KEY ? address.len : ADDRESS_KEY);
    size_t len = memcmp(bytes, mapped, sizeof mapped) ? PREFIX : BYTES;
    memcpy(key, bytes, len);
    return str_make(key, len);
}

bool address_check(Str trusted, struct fault *why)
{
    unsigned char bytes[BYTES];
    for (Str proxy; str_cut(&trusted, ',', &proxy);) {
        proxy = str_trim(proxy);
        if (proxy.len && !parse(proxy, bytes) && !str_eq(proxy, STR("unix:")))
            return fail(why, REFUSE_CONFIG, "trusted_proxies: %.*s is no address",
                        (int)(proxy.len < 60 ? proxy.len : 60), proxy.p);
    }
    return true;
}
