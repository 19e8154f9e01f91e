/* A worker is replaced by another one, as give.c and take.c do it: the successor starts, gets the
 * roster and all streams from one that is frozen, greets the hub, and has them when that lets go.
 * On the way either may die, stand still or refuse. */
#include "world.h"

#include "wire/message.h"

#include <stdlib.h>

enum { START_MOST = 1500, STEP_MOST = 400, FROZEN_MOST = 2500, DIES = 3000 };

enum phase { STARTING, TAKING, GREETED, PHASES };

struct takeover {
    struct workside *old, *heir;
    struct dice dice;
    enum phase phase;
    enum phase fails; /* it goes wrong at the end of this one; PHASES: it does not */
    Msec next, until;
};

bool replace_is_frozen(const struct workside *k)
{
    const struct takeover *t = k->takeover;
    return t && (k == t->heir || t->phase != STARTING);
}

void replace_begin(struct workside *old, struct dice *d)
{
    struct world *w = old->world;
    struct workside *heir = workside_other(old);
    if (!old->link || !old->is_meant || old->is_draining || old->takeover || heir->link)
        return;
    struct takeover *t = must_alloc(sizeof *t);
    *t = (struct takeover){.old = old, .heir = heir, .dice = *d};
    t->fails = dice_luck(d, 70) ? PHASES : (enum phase)dice_roll(d, PHASES);
    t->next = w->mono + dice_roll(&t->dice, START_MOST);
    t->until = t->next + DIES;
    heir->awake_at = 0;
    workside_start(heir);
    link_succeed(heir->link, link_boot(old->link));
    cable_cut(&heir->cable, false, true, w->mono, 0); /* a connection of its own */
    old->takeover = heir->takeover = t;
}

void replace_give_up(struct takeover *t)
{
    struct workside *heir = t->heir;
    t->old->takeover = heir->takeover = NULL;
    link_goodbye(heir->link);
    workside_kill(heir, 0);
    free(t);
}

static void give_all(struct takeover *t)
{
    struct world *w = t->old->world;
    struct buf bytes;
    struct image_roster m;
    buf_init(&bytes, SIZE_MAX / 2);
    workside_settle(t->old);
    roster_put_image(t->old->roster, w->mono, &bytes);
    if (!image_roster_unpack(buf_str(&bytes), &m))
        world_fail(w, "takeover", "the image of a roster cannot be read");
    roster_restore(t->heir->roster, &m, w->mono);
    buf_fini(&bytes);
    for (unsigned i = 0; i < w->setup.pages; i++)
        if (page_is_on(&w->pages[i], t->old))
            page_give(&w->pages[i], t->heir);
}

static void let_go(struct takeover *t)
{
    struct workside *old = t->old, *heir = t->heir;
    struct world *w = old->world;
    for (unsigned i = 0; i < w->setup.pages; i++)
        if (page_is_on(&w->pages[i], old))
            page_take(&w->pages[i], heir);
    link_move(old->link);
    roster_abandon(old->roster);
    old->takeover = heir->takeover = NULL;
    old->is_meant = false;
    heir->is_meant = true;
    old->is_draining = true;
    old->drain_until = w->mono;
    free(t);
}

static void go_on(struct takeover *t)
{
    struct world *w = t->old->world;
    if (t->phase == GREETED) {
        let_go(t);
        return;
    }
    if (t->phase == TAKING) {
        workside_greet(t->heir);
    } else {
        give_all(t);
        t->until = w->mono + FROZEN_MOST;
    }
    t->phase++;
    t->next = w->mono + dice_roll(&t->dice, STEP_MOST);
}

/* In the old one's turn; the successor's have no other content. */
void replace_turn(struct workside *k)
{
    struct takeover *t = k->takeover;
    struct world *w = k->world;
    if (k != t->old || w->mono < t->next)
        return;
    bool is_late = w->mono >= t->until, is_asleep = w->mono < t->heir->awake_at;
    if (is_late || (!is_asleep && t->phase == t->fails))
        replace_give_up(t);
    else if (!is_asleep)
        go_on(t);
}
