#include "held.h"

#include "wire/refusal.h"

#include <stdlib.h>

struct held {
    struct list node;
    struct visit *visit;
    Msec until;
    void (*go)(struct visit *v);
};

static void free_held(void *state)
{
    struct held *h = state;
    list_remove(&h->node);
    h->visit->worker->held_count--;
    free(h);
}

bool held_is_over(const struct worker *w)
{
    return link_is_up(w->link) && roster_accounts(w->roster);
}

void held_put(struct visit *v, void (*go)(struct visit *v))
{
    struct worker *w = v->worker;
    struct fault why;
    if (w->held_count >= w->options->max_waiting) {
        fail(&why, REFUSE_OVERLOAD, "the hub is away and max_waiting, %zu, requests wait for it",
             w->held_count);
        visit_refuse(v, &why);
        return;
    }
    struct held *h = must_alloc(sizeof *h);
    h->visit = v;
    h->until = loop_now(w->loop) + w->options->hub_wait;
    h->go = go;
    list_append(&w->held, &h->node);
    w->held_count++;
    v->state = h;
    v->free_state = free_held;
    v->was_held = true;
}

/* What is known of its user is known only now. */
static void release(struct held *h)
{
    struct visit *v = h->visit;
    void (*go)(struct visit *) = h->go;
    struct fault why = {0};
    v->state = NULL;
    v->free_state = NULL;
    free_held(h);
    if (auth_review(roster_accounts(v->worker->roster), &v->visitor, &why))
        go(v);
    else
        visit_refuse(v, &why);
}

void held_tick(struct worker *w, Msec now)
{
    struct list *node, *safe;
    struct fault why;
    LIST_EACH(node, safe, &w->held)
    {
        struct held *h = CONTAINER_OF(node, struct held, node);
        if (held_is_over(w)) {
            release(h);
        } else if (h->until <= now) {
            fail(&why, REFUSE_HUB_AWAY, "no link to the hub since hub_wait, %llu ms",
                 (unsigned long long)w->options->hub_wait);
            visit_refuse(h->visit, &why);
        }
    }
}
