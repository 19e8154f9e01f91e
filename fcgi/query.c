#include "query.h"

#include "wire/refusal.h"

#include <stdlib.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool percent_decode(struct buf *out, Str text, bool plus, const char *field, struct fault *why)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];
        if (c == '+' && plus) {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.p[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_digit(text.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return fail(why, REFUSE_MALFORMED, "%s: a '%%' without two hex digits", field);
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (!buf_putc(out, c))
            return fail(why, REFUSE_TOO_LARGE, "%s: more than %zu bytes", field, out->max);
    }
    return true;
}

bool percent_encode(struct buf *out, Str text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || c == '.' || c == '~' || c == ':';
        if (plain)
            buf_putc(out, (char)c);
        else
            buf_put(out, str_make((char[]){'%', digits[c >> 4], digits[c & 15]}, 3));
    }
    return !out->full;
}

static bool decode_part(struct buf *memory, Str text, Str *out, const char *field,
                        struct fault *why)
{
    size_t at = memory->len;
    if (!percent_decode(memory, text, true, field, why))
        return false;
    *out = str_make(memory->p + at, memory->len - at);
    return true;
}

static bool read_pairs(struct query *q, struct buf *memory, Str text, const char *field,
                       struct fault *why)
{
    for (Str piece; str_cut(&text, '&', &piece);) {
        struct query_pair pair;
        if (!piece.len)
            continue;
        size_t at = str_find(piece, '=');
        if (!decode_part(memory, str_make(piece.p, at), &pair.name, field, why) ||
            !decode_part(memory, str_skip(piece, at + 1), &pair.value, field, why))
            return false;
        q->v[q->n++] = pair;
    }
    return true;
}

static size_t count_pairs(Str text)
{
    size_t n = 0;
    for (Str piece; str_cut(&text, '&', &piece);)
        n += piece.len > 0;
    return n;
}

bool query_parse(struct query *q, Str text, const char *field, struct fault *why)
{
    struct buf memory;
    size_t n = count_pairs(text), len;
    *q = (struct query){0};
    if (n > QUERY_PAIRS)
        return fail(why, REFUSE_MALFORMED, "%s: %zu parameters, %d are allowed", field, n,
                    QUERY_PAIRS);
    /* Decoding never makes it longer, and room made beforehand never moves. */
    buf_init(&memory, text.len);
    buf_room(&memory, text.len);
    q->v = must_alloc((n + 1) * sizeof *q->v);
    bool ok = read_pairs(q, &memory, text, field, why);
    q->memory = buf_take(&memory, &len);
    if (!ok)
        query_fini(q);
    return ok;
}

void query_fini(struct query *q)
{
    free(q->v);
    free(q->memory);
    *q = (struct query){0};
}

static const struct query_pair *find(const struct query *q, const char *name)
{
    for (size_t i = q->n; i-- > 0;)
        if (str_eq(q->v[i].name, str_of(name)))
            return &q->v[i];
    return NULL;
}

Str query_get(const struct query *q, const char *name)
{
    const struct query_pair *pair = find(q, name);
    return pair ? pair->value : STR_NONE;
}

bool query_has(const struct query *q, const char *name)
{
    return find(q, name) != NULL;
}

bool query_number(const struct query *q, const char *name, uint64_t least, uint64_t most,
                  uint64_t *out, struct fault *why)
{
    const struct query_pair *pair = find(q, name);
    uint64_t n;
    if (!pair)
        return true;
    if (!str_to_u64(pair->value, &n) || n < least || n > most)
        return fail(why, REFUSE_MALFORMED, "%s: is not a number from %llu to %llu", name,
                    (unsigned long long)least, (unsigned long long)most);
    *out = n;
    return true;
}

bool flag_of(Str text, bool *out)
{
    bool is_yes = !text.len || str_eq(text, STR("1")) || str_eq(text, STR("true"));
    bool is_no = str_eq(text, STR("0")) || str_eq(text, STR("false"));
    *out = is_yes;
    return is_yes || is_no;
}

bool query_flag(const struct query *q, const char *name, bool *out, struct fault *why)
{
    const struct query_pair *pair = find(q, name);
    if (pair && !flag_of(pair->value, out))
        return fail(why, REFUSE_MALFORMED, "%s: is none of 1, true, 0, false", name);
    return true;
}
