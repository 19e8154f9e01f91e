/* chunk -- counted, immutable bytes on their way to browsers. One chunk is written to any number of
 * outlets. It knows no framing but carries, once somebody asked for it, the FastCGI records for
 * request id 1 (which is what every tested web server uses), so they are made once for all. */
#ifndef BELFRY_CHUNK_H
#define BELFRY_CHUNK_H

#include "base/buf.h"

struct chunk;

struct chunk *chunk_take(struct buf *b); /* the buffer's own memory; leaves it empty */
struct chunk *chunk_copy(Str bytes);
struct chunk *chunk_ref(struct chunk *c);
void chunk_unref(struct chunk *c); /* NULL is fine */
Str chunk_bytes(const struct chunk *c);
/* The same as FCGI_STDOUT records of request 1: no padding, at most 16 KiB each. */
Str chunk_records(struct chunk *c);

#endif
