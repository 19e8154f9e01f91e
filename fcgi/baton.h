/* baton -- one packet between the worker that goes and the one that comes: a word, and beside it
 * descriptors and bytes, which travel in a file of memory, so that a packet is never half there. */
#ifndef BELFRY_BATON_H
#define BELFRY_BATON_H

#include "base/clock.h"
#include "image.h"

#define BATON_FDS 250 /* at most; the kernel takes 253 */

struct baton {
    enum image_word word;
    struct buf body;
    size_t n;
    int fds[BATON_FDS + 1];
};

/* Both ends, closed on exec. */
MUST_USE bool baton_pair(int ends[2], struct fault *why);
/* Never blocks: so little is ever under way that there is room. */
MUST_USE bool baton_send(int fd, enum image_word word, Str body, const int *fds, size_t n,
                         struct fault *why);
/* Waits until `deadline` (of clock_mono). False: nothing came, or no such packet; `b` is empty. */
MUST_USE bool baton_receive(int fd, Msec deadline, struct baton *b, struct fault *why);
/* Takes the first `n` descriptors out: they are the caller's. */
void baton_take(struct baton *b, int *fds, size_t n);
/* Closes those that nobody took. */
void baton_fini(struct baton *b);

#endif
