/* handover -- how a CGI program gives its request to the resident worker and is done: environment,
 * body and standard output over worker-N.sock, the last by SCM_RIGHTS. Both ends are here.
 *
 * It says 12 bytes ("BLF1", then the lengths of environment and body, big end first), the
 * environment (NAME=VALUE, each with a NUL), the body; the worker answers one byte when all of it
 * is in its hands. */
#ifndef BELFRY_HANDOVER_H
#define BELFRY_HANDOVER_H

#include "worker.h"

#define HANDOVER_HEAD 12

void handover_head_pack(char out[HANDOVER_HEAD], size_t environment, size_t body);
/* False: not one, or a length above its limit. */
MUST_USE bool handover_head_unpack(Str bytes, size_t max_body, size_t *environment, size_t *body);

/* The program's end. True: a worker has it; the descriptor may be closed. */
bool handover_pass(const struct options *o, Str environment, Str body, int fd);

/* The worker's end. */
struct handover;
struct handover *handover_new(struct worker *w, struct fault *why);
void handover_tick(struct handover *h, Msec now); /* deadlines */
void handover_reap(struct handover *h);
bool handover_is_idle(const struct handover *h);
void handover_stop(struct handover *h); /* takes nothing new */
void handover_free(struct handover *h);

#endif
