#include "chunk.h"

#include <assert.h>
#include <stdlib.h>

/* A record with its header of 8 bytes is 16 KiB at most. */
enum { RECORD_HEADER = 8, RECORD_CONTENT = 16 * 1024 - RECORD_HEADER };
enum { FCGI_VERSION = 1, FCGI_STDOUT = 6, REQUEST = 1 };

struct chunk {
    unsigned refs;
    size_t len;
    char *bytes;
    size_t records_len;
    char *records; /* NULL until somebody asks */
};

static struct chunk *make(char *bytes, size_t len)
{
    struct chunk *c = must_alloc(sizeof *c);
    c->refs = 1;
    c->bytes = bytes;
    c->len = len;
    return c;
}

struct chunk *chunk_take(struct buf *b)
{
    size_t len;
    char *bytes = buf_take(b, &len);
    return make(bytes, len);
}

struct chunk *chunk_copy(Str bytes)
{
    return make(bytes.len ? must_copy(bytes.p, bytes.len) : NULL, bytes.len);
}

struct chunk *chunk_ref(struct chunk *c)
{
    assert(c->refs > 0);
    c->refs++;
    return c;
}

void chunk_unref(struct chunk *c)
{
    if (!c)
        return;
    assert(c->refs > 0);
    if (--c->refs)
        return;
    free(c->bytes);
    free(c->records);
    free(c);
}

Str chunk_bytes(const struct chunk *c)
{
    return str_make(c->bytes, c->len);
}

static char *put_record(char *to, Str content)
{
    unsigned char header[RECORD_HEADER] = {
        FCGI_VERSION,
        FCGI_STDOUT,
        0,
        REQUEST,
        (unsigned char)(content.len >> 8),
        (unsigned char)(content.len & 0xff),
        0,
        0,
    };
    memcpy(to, header, sizeof header);
    memcpy(to + sizeof header, content.p, content.len);
    return to + sizeof header + content.len;
}

Str chunk_records(struct chunk *c)
{
    if (c->records || !c->len)
        return str_make(c->records, c->records_len);
    size_t count = (c->len + RECORD_CONTENT - 1) / RECORD_CONTENT;
    c->records_len = c->len + count * RECORD_HEADER;
    c->records = must_alloc(c->records_len);
    char *to = c->records;
    for (size_t at = 0; at < c->len; at += RECORD_CONTENT) {
        size_t left = c->len - at;
        to = put_record(to, str_make(c->bytes + at, left < RECORD_CONTENT ? left : RECORD_CONTENT));
    }
    return str_make(c->records, c->records_len);
}
