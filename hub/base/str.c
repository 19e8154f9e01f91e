#include "base/str.h"

#include "base/memory.h"

bool str_eq(Str a, Str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

int str_cmp(Str a, Str b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.p, b.p, shorter) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

bool str_starts(Str s, Str prefix)
{
    return s.len >= prefix.len && str_eq(str_make(s.p, prefix.len), prefix);
}

bool str_ends(Str s, Str suffix)
{
    return s.len >= suffix.len && str_eq(str_skip(s, s.len - suffix.len), suffix);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool str_eq_nocase(Str a, Str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

Str str_skip(Str s, size_t n)
{
    if (n > s.len)
        n = s.len;
    return n ? str_make(s.p + n, s.len - n) : s;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

Str str_trim(Str s)
{
    while (s.len && is_blank(s.p[0]))
        s = str_skip(s, 1);
    while (s.len && is_blank(s.p[s.len - 1]))
        s.len--;
    return s;
}

bool str_cut(Str *rest, char sep, Str *piece)
{
    if (!rest->len)
        return false;
    size_t at = str_find(*rest, sep);
    *piece = str_make(rest->p, at);
    *rest = str_skip(*rest, at + 1);
    return true;
}

bool str_is_listed(Str words, Str word)
{
    for (Str one; str_cut(&words, ',', &one);)
        if (str_trim(one).len && str_eq(str_trim(one), word))
            return true;
    return false;
}

size_t str_find(Str s, char c)
{
    const char *found = s.len ? memchr(s.p, c, s.len) : NULL;
    return found ? (size_t)(found - s.p) : s.len;
}

bool str_to_u64(Str s, uint64_t *out)
{
    uint64_t n = 0;
    if (!s.len)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *out = n;
    return true;
}

char *str_dup(Str s)
{
    char *z = must_alloc(s.len + 1);
    if (s.len)
        memcpy(z, s.p, s.len);
    return z;
}

static bool is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t str_char_len(Str s)
{
    unsigned char c[4] = {0};
    if (!s.len)
        return 0;
    memcpy(c, s.p, s.len < 4 ? s.len : 4);
    if (c[0] < 0x80)
        return 1;
    if (c[0] >= 0xc2 && c[0] <= 0xdf)
        return is_tail(c[1]) ? 2 : 0;
    if (c[0] >= 0xe0 && c[0] <= 0xef) {
        bool overlong = c[0] == 0xe0 && c[1] < 0xa0;
        bool surrogate = c[0] == 0xed && c[1] > 0x9f;
        return is_tail(c[1]) && is_tail(c[2]) && !overlong && !surrogate ? 3 : 0;
    }
    if (c[0] >= 0xf0 && c[0] <= 0xf4) {
        bool overlong = c[0] == 0xf0 && c[1] < 0x90;
        bool beyond = c[0] == 0xf4 && c[1] > 0x8f;
        return is_tail(c[1]) && is_tail(c[2]) && is_tail(c[3]) && !overlong && !beyond ? 4 : 0;
    }
    return 0;
}

/* How many bytes at the start are ASCII, in steps of eight. */
static size_t plain_prefix(Str s)
{
    size_t n = 0;
    for (uint64_t word; n + sizeof word <= s.len; n += sizeof word) {
        memcpy(&word, s.p + n, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    return n;
}

bool str_is_utf8(Str s)
{
    while (s.len) {
        size_t n = plain_prefix(s);
        if (!n)
            n = str_char_len(s);
        if (!n)
            return false;
        s = str_skip(s, n);
    }
    return true;
}

bool str_has_control(Str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7f)
            return true;
        if (c == 0xc2 && i + 1 < s.len && (unsigned char)s.p[i + 1] >= 0x80 &&
            (unsigned char)s.p[i + 1] <= 0x9f)
            return true;
    }
    return false;
}
