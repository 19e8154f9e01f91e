/* refresh -- POST /events/refresh: another token for the streams of a client, wherever they are:
 * the hub finds them. */
#ifndef BELFRY_REFRESH_H
#define BELFRY_REFRESH_H

#include "visit.h"

void refresh_token(struct visit *v);

/* The clientId of the document; str_dup'ed. `type`: JSON, or a form. */
MUST_USE bool refresh_read(char **client, Str type, Str body, struct fault *why);

#endif
