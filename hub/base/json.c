/* jansson judges and reads; the texts of parts are found by a scanner of our own, because what an
 * author wrote (the digits of a number, the order of members) must come out as it went in. */
#include "base/json.h"

#include "wire/refusal.h"

#include <jansson.h>
#include <stdlib.h>

/* jansson's macros of these names; here they are functions of json.h. */
#undef json_is_object
#undef json_is_array
#undef json_is_string
#undef json_is_number
#undef json_is_true
#undef json_is_null

#define QUOTED(x)  #x
#define TEXT_OF(x) QUOTED(x)

enum {
    FLAGS = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL
};

static const json_t *in(const Json *v)
{
    return (const json_t *)(const void *)v;
}

static const Json *out_of(const json_t *v)
{
    return (const Json *)(const void *)v;
}

/* jansson takes no const where it only reads. */
static json_t *bare(const Json *v)
{
    return (json_t *)(uintptr_t)v;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static Str skip_blanks(Str s)
{
    while (s.len && is_blank(s.p[0]))
        s = str_skip(s, 1);
    return s;
}

static bool take_mark(Str *rest, char mark)
{
    Str s = skip_blanks(*rest);
    if (!s.len || s.p[0] != mark)
        return false;
    *rest = skip_blanks(str_skip(s, 1));
    return true;
}

/* How long the string is that `s` begins with, with its quotes. */
static size_t string_len(Str s)
{
    for (size_t i = 1; i < s.len; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            return i + 1;
    }
    return s.len;
}

/* Walks brackets up to the one that closes the first, or to the end. False, and where, when more
 * than JSON_DEPTH are open. */
static bool walk_brackets(Str s, size_t *at)
{
    size_t depth = 0;
    for (size_t i = 0; i < s.len; i++) {
        *at = i;
        switch (s.p[i]) {
        case '"':
            i += string_len(str_skip(s, i)) - 1;
            break;
        case '{':
        case '[':
            if (++depth > JSON_DEPTH)
                return false;
            break;
        case '}':
        case ']':
            if (depth <= 1) {
                *at = i + 1;
                return true;
            }
            depth--;
            break;
        default:
            break;
        }
    }
    *at = s.len;
    return true;
}

static bool refuse_at(Str text, size_t at, struct fault *why, const char *what)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        column = text.p[i] == '\n' ? 1 : column + 1;
        line += text.p[i] == '\n';
    }
    return fail(why, REFUSE_MALFORMED, "JSON, line %zu, column %zu: %s", line, column, what);
}

/* What jansson does not see to: it would follow 2048 levels, and a NUL byte after a number is lost
 * on it. */
static bool may_be_read(Str text, struct fault *why)
{
    size_t at = str_find(text, '\0');
    if (at < text.len)
        return refuse_at(text, at, why, "a NUL byte");
    if (!walk_brackets(text, &at))
        return refuse_at(text, at, why, "more than " TEXT_OF(JSON_DEPTH) " levels");
    return true;
}

/* jansson without memory calls a good text malformed, or crashes. */
static void *need(size_t size)
{
    void *p = malloc(size);
    if (!p)
        memory_is_out();
    return p;
}

static json_t *plain_value(Str *rest, size_t depth);

/* What stands between quotes. */
static bool plain_text(Str *rest, Str *out)
{
    size_t n = 1;
    while (n < rest->len && (unsigned char)rest->p[n] >= 0x20 && rest->p[n] != '"' &&
           rest->p[n] != '\\')
        n++;
    if (n >= rest->len || rest->p[0] != '"' || rest->p[n] != '"')
        return false;
    *out = str_make(rest->p + 1, n - 1);
    *rest = str_skip(*rest, n + 1);
    return true;
}

static bool plain_member(Str *rest, json_t *object, size_t depth)
{
    Str name;
    return plain_text(rest, &name) && !json_object_getn(object, name.p, name.len) &&
           take_mark(rest, ':') &&
           json_object_setn_new(object, name.p, name.len, plain_value(rest, depth)) == 0;
}

/* What is between brackets, after the first of them. */
static bool plain_members(Str *rest, json_t *whole, char end, size_t depth)
{
    if (take_mark(rest, end))
        return true;
    do {
        bool ok = end == '}' ? plain_member(rest, whole, depth)
                             : json_array_append_new(whole, plain_value(rest, depth)) == 0;
        if (!ok)
            return false;
    } while (take_mark(rest, ','));
    return take_mark(rest, end);
}

static json_t *plain_group(Str *rest, size_t depth)
{
    char end = rest->p[0] == '{' ? '}' : ']';
    json_t *whole = end == '}' ? json_object() : json_array();
    *rest = skip_blanks(str_skip(*rest, 1));
    if (depth < JSON_DEPTH && plain_members(rest, whole, end, depth + 1))
        return whole;
    json_decref(whole);
    return NULL;
}

/* Of digits that a double holds all. */
static json_t *plain_number(Str text)
{
    enum { DIGITS = 15 };
    uint64_t n;
    bool is_plain = text.len <= DIGITS && (text.p[0] != '0' || text.len == 1);
    return is_plain && str_to_u64(text, &n) ? json_real((double)n) : NULL;
}

static json_t *plain_word(Str *rest)
{
    size_t n = 0;
    while (n < rest->len && !is_blank(rest->p[n]) && !strchr(",]}", rest->p[n]))
        n++;
    Str word = str_make(rest->p, n);
    *rest = str_skip(*rest, n);
    if (str_eq(word, STR("true")))
        return json_true();
    if (str_eq(word, STR("false")))
        return json_false();
    if (str_eq(word, STR("null")))
        return json_null();
    return word.len ? plain_number(word) : NULL;
}

static json_t *plain_value(Str *rest, size_t depth)
{
    Str text;
    if (rest->len && (rest->p[0] == '{' || rest->p[0] == '['))
        return plain_group(rest, depth);
    if (rest->len && rest->p[0] == '"')
        return plain_text(rest, &text) ? json_stringn(text.p, text.len) : NULL;
    return plain_word(rest);
}

/* Most texts are plain: without escapes, fractions, minus signs. Those are read here in a fraction
 * of the time of jansson, which makes several calls for each byte. NULL: it is not plain, or not
 * right, which is jansson's to judge. */
static json_t *read_plain(Str text)
{
    Str rest = skip_blanks(text);
    json_t *v = plain_value(&rest, 0);
    if (v && !skip_blanks(rest).len)
        return v;
    json_decref(v);
    return NULL;
}

Json *json_parse(Str text, struct fault *why)
{
    json_error_t error;
    if (!may_be_read(text, why))
        return NULL;
    json_set_alloc_funcs(need, free);
    json_t *v = read_plain(text);
    if (!v)
        v = json_loadb(text.len ? text.p : "", text.len, FLAGS, &error);
    if (!v)
        fail(why, REFUSE_MALFORMED, "JSON, line %d, column %d: %s", error.line, error.column,
             error.text);
    return (Json *)(void *)v;
}

bool json_check(Str text, struct fault *why)
{
    Json *v = json_parse(text, why);
    json_free(v);
    return v != NULL;
}

void json_free(Json *whole)
{
    json_decref(bare(whole));
}

bool json_is_object(const Json *v)
{
    return v && json_typeof(in(v)) == JSON_OBJECT;
}

bool json_is_array(const Json *v)
{
    return v && json_typeof(in(v)) == JSON_ARRAY;
}

bool json_is_string(const Json *v)
{
    return v && json_typeof(in(v)) == JSON_STRING;
}

bool json_is_number(const Json *v)
{
    return v && json_typeof(in(v)) == JSON_REAL;
}

bool json_is_true(const Json *v)
{
    return v && json_typeof(in(v)) == JSON_TRUE;
}

bool json_is_bool(const Json *v)
{
    return json_is_true(v) || (v && json_typeof(in(v)) == JSON_FALSE);
}

bool json_is_null(const Json *v)
{
    return v && json_typeof(in(v)) == JSON_NULL;
}

const Json *json_get(const Json *object, const char *name)
{
    return out_of(json_object_get(in(object), name));
}

size_t json_len(const Json *array)
{
    return json_array_size(in(array));
}

const Json *json_at(const Json *array, size_t i)
{
    return out_of(json_array_get(in(array), i));
}

bool json_each(const Json *object, void **at, Str *name, const Json **value)
{
    *at = *at ? json_object_iter_next(bare(object), *at) : json_object_iter(bare(object));
    if (!*at)
        return false;
    *name = str_make(json_object_iter_key(*at), json_object_iter_key_len(*at));
    *value = out_of(json_object_iter_value(*at));
    return true;
}

Str json_str(const Json *string)
{
    return str_make(json_string_value(in(string)), json_string_length(in(string)));
}

double json_num(const Json *number)
{
    return json_number_value(in(number));
}

/* Takes the value that `rest` begins with off it. */
static Str take_value(Str *rest)
{
    size_t n = 0;
    if (rest->len && rest->p[0] == '"')
        n = string_len(*rest);
    else if (rest->len && (rest->p[0] == '{' || rest->p[0] == '['))
        walk_brackets(*rest, &n);
    else
        while (n < rest->len && !is_blank(rest->p[n]) && !strchr(",]}", rest->p[n]))
            n++;
    Str value = str_make(rest->p, n);
    *rest = str_skip(*rest, n);
    return value;
}

/* `quoted` is a string's text. */
static bool reads_as(Str quoted, Str name)
{
    if (str_find(quoted, '\\') == quoted.len)
        return quoted.len == name.len + 2 && str_eq(str_make(quoted.p + 1, name.len), name);
    Json *string = json_parse(quoted, NULL);
    bool same = json_is_string(string) && str_eq(json_str(string), name);
    json_free(string);
    return same;
}

bool json_member_text(Str text, const char *name, Str *raw)
{
    Str wanted = str_of(name);
    bool more = take_mark(&text, '{');
    while (more && text.len && text.p[0] == '"') {
        Str key = take_value(&text);
        if (!take_mark(&text, ':'))
            return false;
        Str value = take_value(&text);
        if (reads_as(key, wanted)) {
            *raw = value;
            return true;
        }
        more = take_mark(&text, ',');
    }
    return false;
}

bool json_each_text(Str text, size_t *at, Str *raw)
{
    Str rest = str_skip(text, *at);
    if (!take_mark(&rest, *at ? ',' : '['))
        return false;
    *raw = take_value(&rest);
    *at = text.len - rest.len;
    return raw->len > 0;
}

bool json_element_text(Str text, size_t i, Str *raw)
{
    size_t at = 0;
    while (json_each_text(text, &at, raw))
        if (i-- == 0)
            return true;
    return false;
}

bool json_put_compact(struct buf *out, Str raw)
{
    size_t start = out->len;
    for (raw = skip_blanks(raw); raw.len; raw = skip_blanks(raw)) {
        size_t n = 0;
        while (n < raw.len && !is_blank(raw.p[n]))
            n += raw.p[n] == '"' ? string_len(str_skip(raw, n)) : 1;
        if (!buf_put(out, str_make(raw.p, n))) {
            out->len = start;
            return false;
        }
        raw = str_skip(raw, n);
    }
    return true;
}

/* How many bytes at the start stand for themselves in a string. */
static size_t plain_len(Str s)
{
    size_t i = 0;
    while (i < s.len && (unsigned char)s.p[i] >= 0x20 && (unsigned char)s.p[i] < 0x80 &&
           s.p[i] != '"' && s.p[i] != '\\')
        i++;
    return i;
}

static bool put_escaped(struct buf *out, char c)
{
    static const char special[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *found = c ? strchr(special, c) : NULL;
    if (found)
        return buf_putc(out, '\\') && buf_putc(out, letters[found - special]);
    return buf_printf(out, "\\u%04x", (unsigned char)c);
}

/* Puts at least the first character of `s`; *n: how many bytes of it are done. */
static bool put_some(struct buf *out, Str s, size_t *n)
{
    *n = plain_len(s);
    if (*n)
        return buf_put(out, str_make(s.p, *n));
    *n = str_char_len(s);
    if (*n > 1)
        return buf_put(out, str_make(s.p, *n));
    bool broken = *n == 0;
    *n = 1;
    return broken ? buf_putz(out, "\\ufffd") : put_escaped(out, s.p[0]);
}

bool json_put_str(struct buf *out, Str s)
{
    size_t start = out->len;
    bool ok = buf_putc(out, '"');
    for (size_t n; ok && s.len; s = str_skip(s, n))
        ok = put_some(out, s, &n);
    if (ok && buf_putc(out, '"'))
        return true;
    out->len = start;
    return false;
}
