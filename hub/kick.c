#include "kick.h"

#include "engine.h"

#include <stdlib.h>

/* Longer than a worker is frozen while it is replaced (2.5 s), or a broken link is down. */
enum { AGAIN_MS = 5000, KICKS_MOST = 4096 };

struct recent {
    struct list node;
    Msec at;
    bool is_client;
    Str name;
    char bytes[];
};

void kicks_init(struct kicks *k)
{
    list_init(&k->recent);
    k->n = 0;
}

static void drop_oldest(struct kicks *k)
{
    struct recent *oldest = CONTAINER_OF(k->recent.next, struct recent, node);
    list_remove(&oldest->node);
    free(oldest);
    k->n--;
}

void kicks_fini(struct kicks *k)
{
    while (k->n)
        drop_oldest(k);
}

static void forget(struct hub *h)
{
    struct kicks *k = &h->kicks;
    while (k->n && CONTAINER_OF(k->recent.next, struct recent, node)->at + AGAIN_MS <= h->now.mono)
        drop_oldest(k);
    while (k->n >= KICKS_MOST)
        drop_oldest(k);
}

static void say(struct hub *h, struct peer *p, const struct recent *r)
{
    struct buf body;
    buf_init(&body, BODY_MAX);
    msg_kick_pack(&body, &(struct msg_kick){.user = r->is_client ? STR_NONE : r->name,
                                            .client = r->is_client ? r->name : STR_NONE});
    peer_send(h, p, VERB_KICK, &body);
}

void kick(struct hub *h, Str name, bool is_client)
{
    struct peer *p;
    struct recent *r = must_alloc(sizeof *r + name.len);
    forget(h);
    memcpy(r->bytes, name.p, name.len);
    r->name = str_make(r->bytes, name.len);
    r->is_client = is_client;
    r->at = h->now.mono;
    list_append(&h->kicks.recent, &r->node);
    h->kicks.n++;
    for (size_t at = 0; (p = map_next(&h->peers.by_id, &at));)
        if (p->is_welcome)
            say(h, p, r);
}

void kick_welcome(struct hub *h, struct peer *p)
{
    struct list *node, *safe;
    forget(h);
    LIST_EACH(node, safe, &h->kicks.recent)
    {
        say(h, p, CONTAINER_OF(node, struct recent, node));
    }
}
