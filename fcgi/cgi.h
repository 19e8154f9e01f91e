/* cgi -- the same binary as a CGI program: one request, in the environment and on standard input,
 * its answer on standard output. The resident worker serves it; where there is none, this process
 * does, with the same code. */
#ifndef BELFRY_CGI_H
#define BELFRY_CGI_H

#include "base/options.h"

/* Started by a web server for one request. A terminal, or a socket as standard input, is not. */
bool cgi_is_asked(void);
int cgi_serve(const struct options *o); /* the exit code */

/* How much of standard input is the body; SIZE_MAX: up to its end. Pure. */
MUST_USE bool cgi_body_size(Str content_length, size_t max_body, size_t *out, struct fault *why);

#endif
