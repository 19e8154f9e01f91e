/* remedy -- what to change in which web server when a stream does not flow through it. Pure. */
#ifndef BELFRY_REMEDY_H
#define BELFRY_REMEDY_H

#include "base/str.h"

enum ill {
    ILL_NONE,
    ILL_DOWN,       /* the mount does not answer as Belfry does */
    ILL_BUFFERED,   /* what is written does not come at once */
    ILL_COMPRESSED, /* it comes, but not where the server compresses */
    ILL_CUT,        /* the stream ends, or its heartbeats stop */
    ILL_UNNOTICED,  /* a browser that left is served on */
};

/* The server's name, from its header `Server`: "nginx"; "" where it is none that is known. */
const char *remedy_server(Str header);
/* What to do about it; never NULL. */
const char *remedy_for(const char *server, enum ill ill);

#endif
