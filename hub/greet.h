/* greet -- HELLO, in one piece or several: a link begins, with what the worker had already. */
#ifndef BELFRY_GREET_H
#define BELFRY_GREET_H

#include "base/str.h"

struct hub;

/* From a peer that may be known or not. What it cannot take is answered with REJECT. */
void greet_on_hello(struct hub *h, Str id, uint64_t seq, Str body);

#endif
