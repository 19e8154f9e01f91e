#include "epochs.h"

#include "wire/message.h"

#include <stdlib.h>

void epochs_init(struct epochs *e, const struct epoch *v, size_t n)
{
    e->v = n ? must_copy(v, n * sizeof *v) : NULL;
    e->n = n;
}

void epochs_fini(struct epochs *e)
{
    free(e->v);
    *e = (struct epochs){NULL, 0};
}

Cursor epochs_cursor(const struct epochs *e, Position at)
{
    if (e->n == 0)
        return CURSOR_NONE;
    size_t low = 0, high = e->n; /* the last whose first is not above `at` lies in [low, high) */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (e->v[middle].first <= at)
            low = middle;
        else
            high = middle;
    }
    return (Cursor){e->v[low].name, at};
}

int epochs_judge(const struct epochs *e, Cursor c, Position head, Position *fork)
{
    for (size_t i = e->n; i-- > 0;) {
        if (e->v[i].name != c.epoch)
            continue;
        Position last = i + 1 < e->n ? e->v[i + 1].first - 1 : head;
        if (last > head)
            last = head;
        if (c.at <= last)
            return GAP_NONE;
        *fork = last;
        return GAP_RESET;
    }
    return GAP_UNKNOWN;
}
