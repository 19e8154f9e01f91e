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
/* `fd`: the socket, as one before us had it; -1: a fresh one. */
struct handover *handover_new(struct worker *w, int fd, struct fault *why);
void handover_tick(struct handover *h, Msec now); /* deadlines */
void handover_reap(struct handover *h);
bool handover_is_idle(const struct handover *h);
void handover_stop(struct handover *h); /* takes nothing new */
void handover_free(struct handover *h);

/* For a successor: the socket, and each program that has not said all. */
int handover_socket(const struct handover *h);
bool handover_give(const struct handover *h, Msec now, image_giver *give, void *ctx);
/* It has them: they are closed here, and nobody is taken any more. */
void handover_abandon(struct handover *h);
/* `passed`: -1 where it has not come yet. Both descriptors are the handover's. */
void handover_restore(struct handover *h, int fd, int passed, const struct image_outlet *m,
                      Msec now);

#endif
