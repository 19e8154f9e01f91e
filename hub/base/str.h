/* str -- a slice of bytes that somebody else owns. Not NUL-terminated. */
#ifndef BELFRY_STR_H
#define BELFRY_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const char *p;
    size_t len;
} Str;

#define STR(literal) ((Str){(literal), sizeof(literal) - 1})
#define STR_NONE     ((Str){NULL, 0})
/* For printf's "%.*s". */
#define FMT(s)       (int)(s).len, (s).p

static inline Str str_of(const char *z)
{
    return (Str){z, z ? strlen(z) : 0};
}

static inline Str str_make(const char *p, size_t len)
{
    return (Str){p, len};
}

bool str_eq(Str a, Str b);
/* Below, at or above 0, by bytes. */
int str_cmp(Str a, Str b);
bool str_starts(Str s, Str prefix);
bool str_ends(Str s, Str suffix);
bool str_eq_nocase(Str a, Str b); /* ASCII */
/* What comes after the first `n` bytes. */
Str str_skip(Str s, size_t n);
/* Without ASCII blanks at both ends. */
Str str_trim(Str s);
/* Whether it is one of the words between commas, blanks around them not counted. */
bool str_is_listed(Str words, Str word);
/* Takes what stands before the next `sep` off `rest`; false when nothing was left. */
bool str_cut(Str *rest, char sep, Str *piece);
/* The index of `c`, or s.len. */
size_t str_find(Str s, char c);
/* Decimal digits only, the whole slice; false on anything else or an overflow. */
bool str_to_u64(Str s, uint64_t *out);
/* A NUL-terminated copy; free() it. */
char *str_dup(Str s);
/* How many bytes the well-formed UTF-8 character takes that `s` begins with; 0: there is none. */
size_t str_char_len(Str s);
/* Well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong). */
bool str_is_utf8(Str s);
/* Has a byte below 0x20, 0x7f, or a C1 control (U+0080..U+009F). */
bool str_has_control(Str s);

#endif
