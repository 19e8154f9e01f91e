/* exam -- asks a running mount through its web server, one thing after the other, and gives a
 * verdict on each. Knows HTTP by fetch, and the hub's own sockets where they are at hand. */
#ifndef BELFRY_EXAM_H
#define BELFRY_EXAM_H

#include "base/options.h"
#include "cli/remedy.h"

enum verdict { VERDICT_OK, VERDICT_WARN, VERDICT_FAIL, VERDICT_SKIP };
const char *verdict_name(enum verdict v); /* "ok" */

struct finding {
    const char *check; /* "stream" */
    enum verdict verdict;
    enum ill ill;
    char detail[200];
};

struct exam_out {
    void *ctx;
    void (*found)(void *ctx, const struct finding *f);
};

struct exam;

/* `mount` is the URL without a slash at its end. */
struct exam *exam_new(const struct options *o, const char *mount, struct exam_out out);
void exam_free(struct exam *e);
/* Takes about ten seconds; false: something failed. */
bool exam_run(struct exam *e);
/* What stands in the server's header, and the one of remedy_server(). */
Str exam_server(const struct exam *e);

#endif
