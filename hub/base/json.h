/* json -- reading and writing JSON. jansson is known to json.c alone.
 * Reading is strict: depth 64 at most, no duplicate keys, valid UTF-8, nothing after the end. */
#ifndef BELFRY_JSON_H
#define BELFRY_JSON_H

#include "buf.h"
#include "fault.h"

#define JSON_DEPTH 64

typedef struct json_value Json; /* a borrowed part, or the whole that json_parse made */

/* The whole; json_free() it. The fault's code is REFUSE_MALFORMED, its text has line and column. */
MUST_USE Json *json_parse(Str text, struct fault *why);
/* Whether it is one JSON value (any kind). */
MUST_USE bool json_check(Str text, struct fault *why);
void json_free(Json *whole);

bool json_is_object(const Json *v);
bool json_is_array(const Json *v);
bool json_is_string(const Json *v);
bool json_is_number(const Json *v);
bool json_is_bool(const Json *v);
bool json_is_null(const Json *v);

const Json *json_get(const Json *object, const char *name); /* NULL where there is none */
size_t json_len(const Json *array);
const Json *json_at(const Json *array, size_t i);
/* Walks an object's members from *at = NULL; false at the end. */
bool json_each(const Json *object, void **at, Str *name, const Json **value);
Str json_str(const Json *string);    /* lives as long as the whole; may hold NUL bytes */
double json_num(const Json *number); /* big integers lose digits: ids are strings */
bool json_is_true(const Json *v);

/* The text of member `name` of the object that `text` is, as its author wrote it; `text` must have
 * passed json_parse. */
bool json_member_text(Str text, const char *name, Str *raw);
/* The text of element i of the array that `text` is. */
bool json_element_text(Str text, size_t i, Str *raw);
/* Walks the texts of all its elements from *at = 0; false at the end. */
bool json_each_text(Str text, size_t *at, Str *raw);
/* `raw` without the white space between its tokens; numbers and escapes as they were. */
bool json_put_compact(struct buf *out, Str raw);

/* Writing: a quoted, escaped string; what is not UTF-8 becomes U+FFFD. */
bool json_put_str(struct buf *out, Str s);

#endif
