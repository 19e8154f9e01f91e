/* publish -- what publish.ipc is asked: one event for one channel or user, as frames; and a line
 * of NDJSON (a send request as HTTP takes it) taken apart into such. Pure. */
#ifndef BELFRY_CLI_PUBLISH_H
#define BELFRY_CLI_PUBLISH_H

#include "base/buf.h"
#include "base/fault.h"

struct publish {
    Str channel, user; /* one of them */
    Str event, data;
    Str key;      /* without `p`: none; an empty one is to be refused */
    Str exclude;  /* empty: none */
    uint64_t ttl; /* seconds; 0: none */
    bool json, ephemeral;
};

#define PUBLISH_FRAMES 4

/* Fills the frames, which point into the other three, and returns how many there are. */
size_t publish_frames(const struct publish *p, struct buf *channel, struct buf *options,
                      Str frames[PUBLISH_FRAMES]);

/* Takes one request apart: `each` is called for every channel and user in order, and its refusal
 * ends it. The request's key belongs to the first; the others get `:2`, `:3`, … after it.
 * Codes: MALFORMED, WRONG_FIELD. */
MUST_USE bool publish_each(Str request,
                           bool (*each)(void *owner, const struct publish *p, struct fault *why),
                           void *owner, struct fault *why);

#endif
