#include "wire/cursor.h"

enum { EPOCH_TEXT = 8, BITS = CURSOR_EPOCH_BITS / EPOCH_TEXT };

static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";

static bool parse_epoch(Str text, uint64_t *epoch)
{
    Str alphabet = STR(letters);
    *epoch = 0;
    for (size_t i = 0; i < text.len; i++) {
        size_t digit = str_find(alphabet, text.p[i]);
        if (digit == alphabet.len)
            return false;
        *epoch = *epoch << BITS | digit;
    }
    return *epoch != 0;
}

bool cursor_parse(Str text, Cursor *out)
{
    if (text.len < EPOCH_TEXT + 2 || text.p[EPOCH_TEXT] != '-')
        return false;
    Cursor c;
    Str digits = str_skip(text, EPOCH_TEXT + 1);
    bool has_zeros = digits.len > 1 && digits.p[0] == '0';
    if (has_zeros || !str_to_u64(digits, &c.at) || c.at > INT64_MAX)
        return false;
    if (!parse_epoch(str_make(text.p, EPOCH_TEXT), &c.epoch))
        return false;
    *out = c;
    return true;
}

static size_t print_number(uint64_t n, char *out)
{
    char digits[20];
    size_t len = 0;
    do
        digits[len++] = (char)('0' + n % 10);
    while (n /= 10);
    for (size_t i = 0; i < len; i++)
        out[i] = digits[len - 1 - i];
    return len;
}

Str cursor_print(Cursor c, char out[CURSOR_TEXT])
{
    size_t len = 0;
    if (!cursor_is_none(c)) {
        for (int shift = CURSOR_EPOCH_BITS - BITS; shift >= 0; shift -= BITS)
            out[len++] = letters[c.epoch >> shift & ((1 << BITS) - 1)];
        out[len++] = '-';
        len += print_number(c.at, out + len);
    }
    out[len] = '\0';
    return str_make(out, len);
}
