#include "wait.h"

#include <stdlib.h>

struct wait {
    struct outlet outlet; /* first */
    struct outlet *inner;
    struct worker *worker;
    struct stream *stream;
    struct heap_node node;
    struct list again; /* in one turn: its time is out, but it is not answered */
};

static void wait_free(struct wait *w)
{
    heap_remove(&w->worker->waits, &w->node);
    free(w);
}

static bool wait_write(struct outlet *o, struct chunk *c)
{
    struct outlet *inner = ((struct wait *)(void *)o)->inner;
    return inner->ops->write(inner, c);
}

static void wait_finish(struct outlet *o)
{
    struct wait *w = (struct wait *)(void *)o;
    w->inner->ops->finish(w->inner);
    wait_free(w);
}

static void wait_abort(struct outlet *o)
{
    struct wait *w = (struct wait *)(void *)o;
    w->inner->ops->abort(w->inner);
    wait_free(w);
}

static const struct outlet_ops ops = {wait_write, wait_finish, wait_abort, NULL};

static void on_writable(void *owner)
{
    struct wait *w = owner;
    w->outlet.owner_ops->on_writable(w->outlet.owner);
}

static void on_gone(void *owner)
{
    struct wait *w = owner;
    w->outlet.owner_ops->on_gone(w->outlet.owner);
    wait_free(w);
}

static void draw(const void *owner, Msec now, struct portrait *p)
{
    const struct wait *w = owner;
    p->wait = w->node.key > now ? w->node.key - now : 0;
    w->outlet.owner_ops->draw(w->outlet.owner, now, p);
}

static const struct outlet_owner_ops owner_ops = {on_writable, on_gone, draw};

struct outlet *wait_new(struct worker *worker, struct outlet *inner)
{
    struct wait *w = must_alloc(sizeof *w);
    w->outlet.ops = &ops;
    w->inner = inner;
    w->worker = worker;
    inner->owner_ops = &owner_ops;
    inner->owner = w;
    return &w->outlet;
}

void wait_until(struct outlet *o, struct stream *s, Msec at)
{
    struct wait *w = (struct wait *)(void *)o;
    w->stream = s;
    heap_set(&w->worker->waits, &w->node, at);
}

/* Time is counted for what may come; what is there already is worth waiting for. */
static bool is_over(const struct wait *w, Msec now)
{
    return !stream_is_behind(w->stream) || w->node.key + w->worker->options->hub_wait <= now;
}

bool wait_turn(struct worker *worker, Msec now)
{
    struct list again, *node, *safe;
    list_init(&again);
    for (struct heap_node *top; (top = heap_top(&worker->waits)) && top->key <= now;) {
        struct wait *w = CONTAINER_OF(top, struct wait, node);
        heap_remove(&worker->waits, top);
        if (is_over(w, now))
            stream_answer_now(w->stream);
        else
            list_append(&again, &w->again);
    }
    bool is_any_left = !list_is_empty(&again);
    LIST_EACH(node, safe, &again)
    {
        struct wait *w = CONTAINER_OF(node, struct wait, again);
        list_remove(node);
        heap_set(&worker->waits, &w->node, w->node.key);
    }
    return is_any_left;
}
