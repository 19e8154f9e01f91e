#include "schedule.h"

#include "base/memory.h"
#include "dice.h"

#include <stdlib.h>

static const struct {
    const char *name;
    unsigned weight;
    bool is_fault;
} table[ACTION_KINDS] = {
#define ACTION(NAME, weight, is_fault) {#NAME, weight, is_fault},
    ACTIONS
#undef ACTION
};

const char *deed_name(enum deed_kind kind)
{
    return table[kind].name;
}

enum { CHANGES_OF_RIGHTS = 20 };

static uint64_t one_of(struct dice *d, const uint64_t *v, size_t n)
{
    return v[dice_roll(d, n)];
}
#define ONE_OF(d, ...)                                                                             \
    one_of(d, (const uint64_t[]){__VA_ARGS__}, COUNT_OF(((const uint64_t[]){__VA_ARGS__})))

static struct setup setup_of(uint64_t seed, struct dice *d)
{
    return (struct setup){
        .seed = seed,
        .workers = (unsigned)ONE_OF(d, 1, 2, 2, 3, 4),
        .pages = 1 + (unsigned)dice_roll(d, PAGES_MAX),
        .channels = 1 + (unsigned)dice_roll(d, 6),
        .length = ONE_OF(d, 5000, 15000, 30000, 60000),
        .hub_ring = ONE_OF(d, 16, 24, 64, 65536),
        .worker_ring = ONE_OF(d, 16, 24, 64, 65536),
        .keep = ONE_OF(d, 10, 40, 200, 100000, 100000),
        .max_replay = ONE_OF(d, 20, 100, 10000, 10000, 10000),
        .linger = ONE_OF(d, 0, 300, 3000, 30000),
        .max_channels = ONE_OF(d, 3, 100, 100, 100),
        .keys = ONE_OF(d, 10, 100000, 100000),
        .max_queue = ONE_OF(d, 16, 65536, 65536),
        .key_age = ONE_OF(d, 300000, 600000), /* longer than any world waits */
        .client_keep = ONE_OF(d, 2000, 60000, 60000),
        .slow_timeout = ONE_OF(d, 1000, 5000, 30000),
        .hub_wait = ONE_OF(d, 0, 500, 2000),
        .publish_timeout = ONE_OF(d, 500, 3000, 10000),
        .age = ONE_OF(d, 4000, 604800000, 604800000, 604800000),
    };
}

/* Not every fault in every world: some are found only where others do not drown them. */
static unsigned choose(struct dice *d, unsigned weights[ACTION_KINDS])
{
    unsigned total = 0;
    unsigned share = (unsigned)ONE_OF(d, 10, 30, 60);
    for (size_t i = 0; i < ACTION_KINDS; i++) {
        bool is_in = !table[i].is_fault || dice_luck(d, share);
        weights[i] = is_in ? table[i].weight : 0;
        total += weights[i];
    }
    return total;
}

static enum deed_kind draw(struct dice *d, const unsigned weights[ACTION_KINDS], unsigned total)
{
    uint64_t n = dice_roll(d, total);
    for (size_t i = 0;; i++) {
        if (n < weights[i])
            return (enum deed_kind)i;
        n -= weights[i];
    }
}

void schedule_make(struct schedule *s, uint64_t seed)
{
    struct dice d = dice_of(seed);
    unsigned weights[ACTION_KINDS];
    *s = (struct schedule){.setup = setup_of(seed, &d)};
    unsigned total = choose(&d, weights);
    s->setup.may_fork = weights[ACT_RESTORE_LOG] || weights[ACT_LOSE_LOG];
    s->setup.has_rights = !s->setup.may_fork && seed % 2;
    if (s->setup.has_rights) {
        total += weights[ACT_CHANGE_RIGHTS] = CHANGES_OF_RIGHTS;
        s->setup.channels = s->setup.channels < 3 ? 3 : s->setup.channels;
    }
    Msec pace = ONE_OF(&d, 10, 40, 100);
    size_t most = s->setup.length / pace + 1;
    s->actions = must_alloc(most * sizeof s->actions[0]);
    Msec at = 0;
    while (s->n < most && (at += dice_roll(&d, 2 * pace + 1)) < s->setup.length) {
        enum deed_kind kind = s->n < 2 ? ACT_OPEN_PAGE : draw(&d, weights, total);
        s->actions[s->n++] = (struct deed){at, kind, dice_draw(&d)};
    }
}

void schedule_free(struct schedule *s)
{
    free(s->actions);
    s->actions = NULL;
}
