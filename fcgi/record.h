/* record -- the records of FastCGI as they lie on the wire: headers of 8 bytes, and the name-value
 * pairs of PARAMS and GET_VALUES. Pure; bytes are written and read by shifting. */
#ifndef BELFRY_RECORD_H
#define BELFRY_RECORD_H

#include "base/buf.h"

#define RECORD_HEADER     8
#define RECORD_BEGIN_BODY 8
#define RECORD_MAX        65535 /* content of one record */

enum record_type {
    RECORD_BEGIN = 1,
    RECORD_ABORT = 2,
    RECORD_END = 3,
    RECORD_PARAMS = 4,
    RECORD_STDIN = 5,
    RECORD_STDOUT = 6,
    RECORD_GET_VALUES = 9,
    RECORD_GET_VALUES_RESULT = 10,
    RECORD_UNKNOWN_TYPE = 11,
};

enum { ROLE_RESPONDER = 1, KEEP_CONN = 1 };
/* How a request ended, as END_REQUEST says it. */
enum record_end { END_COMPLETE = 0, END_CANNOT_MULTIPLEX = 1, END_UNKNOWN_ROLE = 3 };

struct record {
    uint8_t type; /* enum record_type, not yet checked to be one that is known */
    uint16_t id;
    uint16_t length;
    uint8_t padding;
};

/* False: not version 1. */
MUST_USE bool record_unpack(const char header[RECORD_HEADER], struct record *out);
bool record_put(struct buf *out, enum record_type type, uint16_t id, Str content);
/* Any number of records of one type, `piece` bytes of content each; none for nothing. */
bool record_put_all(struct buf *out, enum record_type type, uint16_t id, Str content, size_t piece);
bool record_put_end(struct buf *out, uint16_t id, enum record_end how);

/* Takes the next name-value pair off `rest`. False at the end, or where a length says more than
 * there is: then `rest` is not empty. */
bool pair_next(Str *rest, Str *name, Str *value);
bool pair_put(struct buf *out, Str name, Str value);

#endif
