/* place -- the hub's five sockets: what each is called, where it is, and how one gets there. In the
 * run folder as NAME.ipc, plain, for whom its mode lets; over tcp, at PORT and the next four, with
 * CURVE keys alone. */
#ifndef BELFRY_PLACE_H
#define BELFRY_PLACE_H

#include "base/options.h"
#include "wire/socket.h"

enum place { PLACE_HUB, PLACE_PUBLISH, PLACE_INTAKE, PLACE_TAP, PLACE_ADMIN, PLACES };

#define PLACE_ENDPOINT 320

const char *place_name(enum place p); /* "publish" */
MUST_USE bool place_ipc(enum place p, const struct options *o, char out[PLACE_ENDPOINT],
                        struct fault *why);
/* `base` is the value of the option `name`. */
MUST_USE bool place_tcp(enum place p, const char *name, const char *base, char out[PLACE_ENDPOINT],
                        struct fault *why);

/* Where the options say that the hub is, with their keys; `out` is then that endpoint. */
MUST_USE bool place_connect(struct socket *s, enum place p, const struct options *o,
                            char out[PLACE_ENDPOINT], struct fault *why);
/* What place_connect would find wrong in the options and key files. */
MUST_USE bool place_check(const struct options *o, struct fault *why);

#endif
