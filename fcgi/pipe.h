/* pipe -- the standard output of a CGI program as an outlet: raw bytes, no records. That the
 * reader went shows only when writing: mod_cgid half-closes its sockets from the start. */
#ifndef BELFRY_PIPE_H
#define BELFRY_PIPE_H

#include "base/list.h"
#include "image.h"
#include "loop.h"
#include "outlet.h"

struct pipe;

/* All pipes of one process. */
struct pipes {
    struct loop *loop;
    struct list open, doomed;
    size_t count;
};

void pipes_init(struct pipes *p, struct loop *l);
/* An answer that is complete must be read within `patience`. */
void pipes_tick(struct pipes *p, Msec now, Msec patience);
/* At the end of the turn: owners hear that their browser went, and what is over is freed. */
void pipes_reap(struct pipes *p);
bool pipes_are_idle(const struct pipes *p);
/* Closes what is still open. */
void pipes_fini(struct pipes *p);

/* The descriptor is the pipe's from now on. */
struct outlet *pipe_new(struct pipes *all, int fd);

/* For a successor: each one that has a stream. False: `give` did not want one. */
bool pipes_give(const struct pipes *p, Msec now, image_giver *give, void *ctx);
/* The same for those that it can go on with only now: they are closed here, without a word. */
bool pipes_pass_on(struct pipes *p, Msec now, image_giver *give, void *ctx);
struct outlet *pipe_restore(struct pipes *all, int fd, const struct image_outlet *m);

#endif
