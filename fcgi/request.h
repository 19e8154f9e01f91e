/* request -- one HTTP request as a web server handed it over: variables and body. They come out of
 * fcgi2, known to request.c alone, or out of a CGI program's environment; everything is copied. */
#ifndef BELFRY_REQUEST_H
#define BELFRY_REQUEST_H

#include "base/buf.h"
#include "base/fault.h"

struct request;
struct request_parser;

struct request_parser *request_parser_new(struct fault *why); /* NULL: no descriptor is left */
void request_parser_free(struct request_parser *p);

/* `params`: well-formed pairs without NUL bytes, as scan.h lets them through. The body's memory is
 * taken. Never blocks: the library reads from memory. NULL: it did not like them. */
struct request *request_parse(struct request_parser *p, Str params, struct buf *body);
/* `environment`: NAME=VALUE, each ended by a NUL. */
struct request *request_of_environment(Str environment, struct buf *body);
void request_free(struct request *r);

/* Of several with that name the last one counts: an earlier one may be forged. Without `p`:
 * there is none. */
Str request_var(const struct request *r, const char *name);
Str request_body(const struct request *r);

#endif
