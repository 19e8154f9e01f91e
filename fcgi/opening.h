/* opening -- GET /events and GET /events/poll: from the words of a request to a stream. */
#ifndef BELFRY_OPENING_H
#define BELFRY_OPENING_H

#include "base/random.h"
#include "channels.h"
#include "stream.h"
#include "visit.h"

void opening_stream(struct visit *v);
void opening_poll(struct visit *v);

/* Whether every stream can carry what the option channels_for_all names; at start. */
MUST_USE bool opening_check(const struct options *o, struct fault *why);

/* What a request asks for. Its slices are the query's, the visitor's, the options' and its own. */
struct opening {
    struct stream_request stream;
    struct channels channels;
    char made[RANDOM_NAME]; /* a client that named itself not */
    uint64_t wait;          /* seconds */
};

/* Pure but for the made name. `name`: the channel of /events/NAME; `header`: Last-Event-ID. */
MUST_USE bool opening_read(struct opening *o, const struct options *options, const struct query *q,
                           const struct visitor *v, Str name, Str header, Msec wall,
                           struct fault *why);
void opening_fini(struct opening *o);

#endif
