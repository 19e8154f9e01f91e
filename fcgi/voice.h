/* voice -- how a link speaks: its messages are numbered, and where the hub reads bundles those of a
 * turn leave together at its end. For link.c alone. */
#ifndef BELFRY_VOICE_H
#define BELFRY_VOICE_H

#include "link.h"
#include "wire/bundle.h"

struct voice {
    struct link_out out;
    uint64_t said;   /* messages, ever */
    bool may_bundle; /* the hub said so */
    bool is_cut;     /* something that was to leave at a turn's end could not */
    struct bundle bundle;
};

void voice_init(struct voice *v, struct link_out out);
void voice_fini(struct voice *v);
/* Takes the body. False: nobody is connected. */
bool voice_say(struct voice *v, enum verb verb, struct buf *body);
bool voice_say_copy(struct voice *v, enum verb verb, Str body);
/* What was gathered leaves. False: that, or something before it, could not. */
bool voice_flush(struct voice *v);
/* To whom it was said is no more; whoever comes says anew what he reads. */
void voice_drop(struct voice *v);

#endif
