/* asset -- files that are built into the worker: the browser client and the demo's pages. */
#ifndef BELFRY_ASSET_H
#define BELFRY_ASSET_H

#include "visit.h"

struct asset;

const struct asset *asset_find(Str path); /* NULL: there is none */
/* Answers with the file that the visit's name says. */
void asset_serve(struct visit *v);

#endif
