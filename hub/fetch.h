/* fetch -- slices of the log for workers: what their streams replay, and history. Rows wait here
 * for the link's credit. */
#ifndef BELFRY_FETCH_H
#define BELFRY_FETCH_H

#include "base/str.h"

#include <stdbool.h>

struct hub;
struct peer;

/* FETCH. False: malformed. */
bool fetch_on_message(struct hub *h, struct peer *p, Str body);
/* Sends what waited, as far as credit goes. */
void fetches_send(struct hub *h, struct peer *p);
void fetches_drop(struct peer *p);

#endif
