#include "pipe.h"

#include "ship.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct pipe {
    struct outlet outlet; /* first */
    struct list node;
    struct pipes *all;
    struct watch watch; /* not open: a file, which never makes wait */
    struct ship *ship;
    int fd;
    Msec finished; /* complete since then, but not all out; 0: not so */
    bool is_doomed;
};

static struct pipe *pipe_of(struct outlet *o)
{
    return (struct pipe *)(void *)o;
}

static void doom(struct pipe *p)
{
    if (p->is_doomed)
        return;
    p->is_doomed = true;
    if (p->watch.on_events)
        watch_set(p->all->loop, &p->watch, 0);
    list_remove(&p->node);
    list_append(&p->all->doomed, &p->node);
}

static void watch_pipe(struct pipe *p)
{
    if (p->watch.on_events)
        watch_set(p->all->loop, &p->watch, p->ship ? LOOP_ERROR | LOOP_WRITE : LOOP_ERROR);
}

static bool pipe_write(struct outlet *o, struct chunk *c)
{
    struct pipe *p = pipe_of(o);
    if (p->is_doomed)
        return false;
    switch (ship_start(&p->ship, p->fd, c, chunk_bytes(c))) {
    case SHIP_ALL:
        return true;
    case SHIP_SOME:
        watch_pipe(p);
        return false;
    case SHIP_BROKEN:
        doom(p);
        return false;
    }
    return false;
}

static void let_go(struct pipe *p)
{
    p->outlet.owner = NULL;
    p->outlet.owner_ops = NULL;
}

static void pipe_finish(struct outlet *o)
{
    struct pipe *p = pipe_of(o);
    let_go(p);
    p->finished = loop_now(p->all->loop);
    if (!p->ship)
        doom(p);
}

static void pipe_abort(struct outlet *o)
{
    struct pipe *p = pipe_of(o);
    let_go(p);
    doom(p);
}

static const struct outlet_ops ops = {pipe_write, pipe_finish, pipe_abort, NULL};

static void on_room(struct pipe *p)
{
    enum shipped done = ship_push(&p->ship, p->fd);
    if (done == SHIP_SOME)
        return;
    if (done == SHIP_BROKEN || !p->outlet.owner) {
        doom(p);
        return;
    }
    watch_pipe(p);
    p->outlet.owner_ops->on_writable(p->outlet.owner);
}

static void on_events(struct watch *w, int events)
{
    struct pipe *p = CONTAINER_OF(w, struct pipe, watch);
    if (p->is_doomed)
        return;
    if (events & LOOP_WRITE && p->ship)
        on_room(p);
    else if (events & LOOP_ERROR)
        doom(p);
}

/* A socket can be told so with each write. The others only as they are, for all who have them: for
 * the CGI program too, which says nothing on it any more, or nothing that would fill it. */
static void never_wait(int fd)
{
    struct stat s;
    if (fstat(fd, &s) == 0 && !S_ISSOCK(s.st_mode))
        (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

struct outlet *pipe_new(struct pipes *all, int fd)
{
    struct pipe *p = must_alloc(sizeof *p);
    never_wait(fd);
    p->outlet.ops = &ops;
    p->all = all;
    p->fd = fd;
    watch_open(all->loop, &p->watch, fd, LOOP_ERROR, on_events);
    list_append(&all->open, &p->node);
    all->count++;
    return &p->outlet;
}

void pipes_init(struct pipes *all, struct loop *l)
{
    all->loop = l;
    list_init(&all->open);
    list_init(&all->doomed);
}

void pipes_tick(struct pipes *all, Msec now, Msec patience)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &all->open)
    {
        struct pipe *p = CONTAINER_OF(node, struct pipe, node);
        if (p->finished && now - p->finished >= patience)
            doom(p);
    }
}

static void pipe_free(struct pipe *p)
{
    list_remove(&p->node);
    p->all->count--;
    watch_close(p->all->loop, &p->watch);
    ship_drop(&p->ship);
    close(p->fd);
    free(p);
}

void pipes_reap(struct pipes *all)
{
    while (!list_is_empty(&all->doomed)) {
        struct pipe *p = CONTAINER_OF(all->doomed.next, struct pipe, node);
        void *owner = p->outlet.owner;
        const struct outlet_owner_ops *owner_ops = p->outlet.owner_ops;
        let_go(p);
        if (owner)
            owner_ops->on_gone(owner);
        pipe_free(p);
    }
}

bool pipes_are_idle(const struct pipes *all)
{
    return list_is_empty(&all->open);
}

void pipes_fini(struct pipes *all)
{
    while (!list_is_empty(&all->open))
        doom(CONTAINER_OF(all->open.next, struct pipe, node));
    pipes_reap(all);
}

static enum given give_one(const struct pipe *p, Msec now, image_giver *give, void *ctx)
{
    struct portrait drawn = {.wait = 0};
    buf_init(&drawn.stream, IMAGE_BYTES_MAX);
    buf_init(&drawn.poll, IMAGE_BYTES_MAX);
    p->outlet.owner_ops->draw(p->outlet.owner, now, &drawn);
    struct image_outlet m = {
        .kind = IMAGE_PIPE,
        .fds = 1,
        .rest = ship_left(p->ship),
        .stream = buf_str(&drawn.stream),
        .poll = buf_str(&drawn.poll),
        .wait = drawn.wait,
    };
    bool is_over = !m.stream.len; /* it has ended just now */
    enum given done = is_over ? STAYS : give(ctx, &m, &p->fd) ? GIVEN : NOT_WANTED;
    buf_fini(&drawn.stream);
    buf_fini(&drawn.poll);
    return done;
}

static bool has_stream(const struct pipe *p)
{
    return p->outlet.owner && p->outlet.owner_ops->draw;
}

bool pipes_give(const struct pipes *all, Msec now, image_giver *give, void *ctx)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &all->open)
    {
        const struct pipe *p = CONTAINER_OF(node, struct pipe, node);
        if (has_stream(p) && give_one(p, now, give, ctx) == NOT_WANTED)
            return false;
    }
    return true;
}

bool pipes_pass_on(struct pipes *all, Msec now, image_giver *give, void *ctx)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &all->open)
    {
        struct pipe *p = CONTAINER_OF(node, struct pipe, node);
        enum given done = has_stream(p) ? give_one(p, now, give, ctx) : STAYS;
        if (done == GIVEN)
            doom(p);
        if (done == NOT_WANTED)
            return false;
    }
    return true;
}

struct outlet *pipe_restore(struct pipes *all, int fd, const struct image_outlet *m)
{
    struct outlet *o = pipe_new(all, fd);
    struct pipe *p = pipe_of(o);
    p->ship = ship_restore(m->rest);
    watch_pipe(p);
    return o;
}
