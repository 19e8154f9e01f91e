#include "fleeting.h"

#include "wire/message.h"
#include "wire/names.h"

#include <stdlib.h>

enum { MOST = 4096, MOST_BYTES = 8 * 1024 * 1024 };

struct item {
    struct list list;
    struct event *event;
    uint64_t number;
    Msec at;
};

void fleeting_init(struct fleeting *f)
{
    *f = (struct fleeting){0};
    list_init(&f->items);
}

static void drop(struct fleeting *f, struct item *i)
{
    list_remove(&i->list);
    f->n--;
    f->bytes -= event_size(i->event);
    event_unref(i->event);
    free(i);
}

void fleeting_fini(struct fleeting *f)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &f->items)
    {
        drop(f, CONTAINER_OF(node, struct item, list));
    }
}

/* The oldest go first, down to what is allowed. */
static void bound(struct fleeting *f)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &f->items)
    {
        if (f->n <= MOST && f->bytes <= MOST_BYTES)
            return;
        drop(f, CONTAINER_OF(node, struct item, list));
    }
}

void fleeting_add(struct fleeting *f, struct event *e, Msec mono)
{
    struct item *i = must_alloc(sizeof *i);
    i->event = event_ref(e);
    i->number = ++f->last;
    i->at = mono;
    list_append(&f->items, &i->list);
    f->n++;
    f->bytes += event_size(e);
    bound(f);
}

void fleeting_expire(struct fleeting *f, Msec mono)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &f->items)
    {
        struct item *i = CONTAINER_OF(node, struct item, list);
        if (i->at + FLEETING_MS > mono)
            return;
        drop(f, i);
    }
}

static bool is_for(const struct event *e, Str client, Str names)
{
    if (e->to.len)
        return str_eq(e->to, client);
    for (Str name; list_next(&names, &name);)
        if (pattern_matches(name, e->channel))
            return true;
    return false;
}

size_t fleeting_get(const struct fleeting *f, uint64_t since, Str client, Str names,
                    const struct event *out[FLEETING_GET])
{
    size_t n = 0;
    for (struct list *node = f->items.prev; node != &f->items && n < FLEETING_GET;
         node = node->prev) {
        const struct item *i = CONTAINER_OF(node, struct item, list);
        if (i->number <= since)
            break;
        if (is_for(i->event, client, names))
            out[n++] = i->event;
    }
    for (size_t a = 0, b = n; a + 1 < b; a++) {
        const struct event *swapped = out[a];
        out[a] = out[--b];
        out[b] = swapped;
    }
    return n;
}
