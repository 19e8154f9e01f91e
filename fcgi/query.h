/* query -- names and values from a query string or an urlencoded form. Pure; bounded by the text
 * and by QUERY_PAIRS. */
#ifndef BELFRY_QUERY_H
#define BELFRY_QUERY_H

#include "base/buf.h"
#include "base/fault.h"

#define QUERY_PAIRS 8192

struct query_pair {
    Str name, value;
};

struct query {
    struct query_pair *v;
    size_t n;
    char *memory;
};

/* A fault is MALFORMED; `field` is what the text is called in it. */
MUST_USE bool query_parse(struct query *q, Str text, const char *field, struct fault *why);
void query_fini(struct query *q);
/* The last of that name; empty: there is none, or it is empty. */
Str query_get(const struct query *q, const char *name);
bool query_has(const struct query *q, const char *name);
/* Leaves *out as it is where there is none. A fault names parameter and range. */
MUST_USE bool query_number(const struct query *q, const char *name, uint64_t least, uint64_t most,
                           uint64_t *out, struct fault *why);
/* 1, true or nothing after the name; 0, false. */
MUST_USE bool query_flag(const struct query *q, const char *name, bool *out, struct fault *why);
bool flag_of(Str text, bool *out);

/* Appends `text` with %XX undone; '+' is a blank in queries and forms, not in paths. */
MUST_USE bool percent_decode(struct buf *out, Str text, bool plus, const char *field,
                             struct fault *why);
/* Appends `text` so that it stands for itself in a query. */
bool percent_encode(struct buf *out, Str text);

#endif
