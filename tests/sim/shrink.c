#include "shrink.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static bool still_fails(const struct schedule *s, const char *rule)
{
    struct verdict v = verdict_of(s, false);
    return strcmp(v.rule, rule) == 0;
}

/* Without [from, from + n). */
static bool try_without(struct schedule *s, size_t from, size_t n, const char *rule)
{
    struct schedule less = *s;
    less.actions = must_copy(s->actions, s->n * sizeof s->actions[0]);
    less.n = s->n - n;
    memmove(less.actions + from, less.actions + from + n, (s->n - from - n) * sizeof s->actions[0]);
    bool ok = still_fails(&less, rule);
    if (ok) {
        memcpy(s->actions, less.actions, less.n * sizeof s->actions[0]);
        s->n = less.n;
    }
    schedule_free(&less);
    return ok;
}

static bool is_over(Msec until)
{
    return clock_mono() >= until;
}

static bool leave_out(struct schedule *s, const char *rule, Msec until)
{
    bool is_less = false;
    for (size_t n = s->n / 2 ? s->n / 2 : 1; n && !is_over(until); n /= 2)
        for (size_t from = 0; from < s->n && !is_over(until);) {
            size_t some = from + n < s->n ? n : s->n - from;
            if (try_without(s, from, some, rule))
                is_less = true;
            else
                from += some;
        }
    return is_less;
}

static void try_fewer(struct schedule *s, unsigned *which, const char *rule, Msec until)
{
    while (*which > 1 && !is_over(until)) {
        --*which;
        if (still_fails(s, rule))
            continue;
        ++*which;
        return;
    }
}

void shrink(struct schedule *s, const char *rule, unsigned seconds)
{
    Msec until = clock_mono() + seconds * (Msec)1000;
    do {
        try_fewer(s, &s->setup.workers, rule, until);
        try_fewer(s, &s->setup.pages, rule, until);
        try_fewer(s, &s->setup.channels, rule, until);
    } while (leave_out(s, rule, until) && !is_over(until));
}
