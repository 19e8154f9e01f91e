/* Connections written down for another worker, and made again there. */
#include "conn_inside.h"

static Msec left_of(const struct conn *c)
{
    Msec now = clock_mono(), at = c->deadline.key;
    if (!c->deadline.at)
        return 0;
    return at > now ? at - now : 1;
}

static enum given conn_give(const struct conn *c, image_giver *give, void *ctx)
{
    struct portrait p = {.wait = 0};
    struct image_outlet m = {
        .kind = IMAGE_CONN,
        .fds = 1,
        .deadline = c->is_held ? 0 : left_of(c),
        .pieces = c->pieces,
        .rest = ship_left(c->ship),
    };
    buf_init(&p.stream, IMAGE_BYTES_MAX);
    buf_init(&p.poll, IMAGE_BYTES_MAX);
    if (c->outlet.owner)
        c->outlet.owner_ops->draw(c->outlet.owner, clock_mono(), &p);
    m.stream = buf_str(&p.stream);
    m.poll = buf_str(&p.poll);
    m.wait = p.wait;
    scan_put_image(&c->scan, &m);
    bool is_over = c->outlet.owner && !m.stream.len; /* its stream has ended just now */
    enum given done = is_over ? STAYS : give(ctx, &m, &c->watch.fd) ? GIVEN : NOT_WANTED;
    buf_fini(&p.stream);
    buf_fini(&p.poll);
    return done;
}

/* One that is being read, or has a stream. */
static bool can_go(const struct conn *c)
{
    return c->state == CONN_READING ||
           (c->state == CONN_SERVING && c->outlet.owner && c->outlet.owner_ops->draw);
}

bool conns_give(struct conns *all, image_giver *give, void *ctx)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &all->open)
    {
        const struct conn *c = CONTAINER_OF(node, struct conn, node);
        if (can_go(c) && conn_give(c, give, ctx) == NOT_WANTED)
            return false;
    }
    return true;
}

bool conns_pass_on(struct conns *all, image_giver *give, void *ctx)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &all->open)
    {
        struct conn *c = CONTAINER_OF(node, struct conn, node);
        enum given done = can_go(c) ? conn_give(c, give, ctx) : STAYS;
        if (done == GIVEN)
            conn_doom(c);
        if (done == NOT_WANTED)
            return false;
    }
    return true;
}

void conns_abandon(struct conns *all)
{
    struct list *node, *safe;
    all->is_stopped = true;
    watch_set(all->worker->loop, &all->watch, 0);
    LIST_EACH(node, safe, &all->open)
    {
        struct conn *c = CONTAINER_OF(node, struct conn, node);
        if (c->state == CONN_READING)
            conn_doom(c);
    }
}

struct outlet *conns_restore(struct conns *all, int fd, const struct image_outlet *m, Msec now)
{
    struct conn *c = conn_new(all, fd);
    scan_restore(&c->scan, m, &all->limits);
    c->state = m->stream.len ? CONN_SERVING : CONN_READING;
    c->pieces = m->pieces;
    c->ship = ship_restore(m->rest);
    if (m->deadline)
        heap_set(&all->deadlines, &c->deadline, now + m->deadline);
    conn_watch(c);
    return m->stream.len ? &c->outlet : NULL;
}
