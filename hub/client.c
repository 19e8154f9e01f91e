#include "engine.h"

#include "base/json.h"
#include "base/random.h"
#include "wire/people.h"

#include <stdlib.h>

void clients_init(struct clients *c)
{
    map_init(&c->by_name);
    heap_init(&c->idle);
    tally_init(&c->users);
}

static void drop_part(struct client *c, struct part *p)
{
    list_remove(&p->list);
    c->part_count--;
    free(p);
}

static void forget(struct hub *h, struct client *c)
{
    map_del(&h->clients.by_name, client_name(c));
    heap_remove(&h->clients.idle, &c->idle);
    struct list *node, *safe;
    LIST_EACH(node, safe, &c->parts)
    {
        drop_part(c, CONTAINER_OF(node, struct part, list));
    }
    free(c->label);
    free(c->public);
    free(c);
}

/* Claims went with the links. */
void clients_fini(struct hub *h)
{
    struct client *c;
    for (size_t at = 0; (c = map_next(&h->clients.by_name, &at));)
        forget(h, c);
    heap_fini(&h->clients.idle);
    tally_fini(&h->clients.users);
    map_fini(&h->clients.by_name);
}

static struct client *oldest_idle(const struct hub *h)
{
    struct heap_node *n = heap_top(&h->clients.idle);
    return n ? CONTAINER_OF(n, struct client, idle) : NULL;
}

void clients_expire(struct hub *h)
{
    struct client *c;
    while ((c = oldest_idle(h)) && c->idle.key + h->o->client_keep <= h->now.mono)
        forget(h, c);
}

struct client *client_find(const struct hub *h, Str name)
{
    return map_get(&h->clients.by_name, name);
}

static struct client *make(struct hub *h, Str name, Str user, bool named, struct fault *why)
{
    if (h->clients.by_name.len >= h->o->max_clients) {
        struct client *idle = oldest_idle(h);
        if (!idle) {
            hub_count(h, COUNT_LIMITED_CLIENTS);
            fail(why, REFUSE_LIMIT, "max_clients is %llu", (unsigned long long)h->o->max_clients);
            return NULL;
        }
        forget(h, idle);
    }
    struct client *c = must_alloc(sizeof *c + name.len + 1 + user.len + 1);
    char *behind = c->name + name.len + 1;
    memcpy(c->name, name.p, name.len);
    if (user.len)
        memcpy(behind, user.p, user.len);
    c->user = behind;
    c->named = named;
    list_init(&c->claims);
    list_init(&c->parts);
    map_put(&h->clients.by_name, client_name(c), c);
    return c;
}

struct client *client_need(struct hub *h, Str name, Str user, bool named, bool *known,
                           struct fault *why)
{
    if (!client_is_valid(name, "client", why) || (user.len && !user_is_valid(user, "user", why)))
        return NULL;
    struct client *c = client_find(h, name);
    *known = c && str_eq(str_of(c->user), user);
    if (*known) {
        c->named = c->named || named;
        return c;
    }
    char fresh[RANDOM_NAME];
    if (c) {
        random_name(fresh);
        name = str_of(fresh);
    }
    return make(h, name, user, named, why);
}

static char *kept(Str s)
{
    return s.len ? str_dup(s) : NULL;
}

void client_show(struct client *c, Str label, Str public)
{
    free(c->label);
    free(c->public);
    c->label = kept(label_is_valid(label, "name", NULL) ? label : STR_NONE);
    bool is_fit = public.len && public.len <= PUBLIC_MAX && json_check(public, NULL);
    c->public = kept(is_fit ? public : STR_NONE);
}

struct claim *client_find_claim(const struct client *c, const struct peer *p)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &c->claims)
    {
        struct claim *claim = CONTAINER_OF(node, struct claim, of_client);
        if (claim->peer == p)
            return claim;
    }
    return NULL;
}

struct claim *client_claim(struct hub *h, struct client *c, struct peer *p)
{
    struct claim *claim = client_find_claim(c, p);
    if (claim) {
        list_remove(&claim->of_client);
    } else {
        claim = must_alloc(sizeof *claim);
        claim->client = c;
        claim->peer = p;
        list_init(&claim->seats);
        list_append(&p->claims, &claim->of_peer);
    }
    list_append(&c->claims, &claim->of_client);
    c->away = 0;
    heap_remove(&h->clients.idle, &c->idle);
    return claim;
}

void client_idle(struct hub *h, struct client *c, Msec gone)
{
    if (!list_is_empty(&c->claims))
        return;
    if (!c->named) {
        forget(h, c);
        return;
    }
    heap_set(&h->clients.idle, &c->idle, gone);
}

void client_count(struct hub *h, struct claim *claim, uint32_t streams, uint32_t polls)
{
    Str user = str_of(claim->client->user);
    uint64_t had = (uint64_t)claim->streams + claim->polls;
    tally_take(&h->clients.users, user, had);
    tally_add(&h->clients.users, user, (uint64_t)streams + polls);
    if (user.len && had && !tally_of(&h->clients.users, user))
        seen_note(h, user);
    claim->streams = streams;
    claim->polls = polls;
}

bool client_has_room(struct hub *h, Str user, struct fault *why)
{
    uint64_t most = h->o->max_streams_user;
    if (!most || tally_of(&h->clients.users, user) < most)
        return true;
    hub_count(h, COUNT_LIMITED_STREAMS);
    return fail(why, REFUSE_LIMIT, "max_streams_user is %llu", (unsigned long long)most);
}

static void drop_claim(struct hub *h, struct claim *claim)
{
    struct client *c = claim->client;
    client_count(h, claim, 0, 0);
    list_remove(&claim->of_client);
    list_remove(&claim->of_peer);
    presence_leave(h, claim);
    free(claim);
    client_idle(h, c, h->now.mono);
}

void client_close(struct hub *h, struct client *c, struct peer *p, bool poll)
{
    struct claim *claim = client_find_claim(c, p);
    if (!claim)
        return;
    client_count(h, claim, claim->streams - (!poll && claim->streams > 0),
                 claim->polls - (poll && claim->polls > 0));
    if (poll) {
        c->has_polled = true;
        c->seen = h->fleeting.last;
    }
    if (claim->streams == 0 && claim->polls == 0)
        drop_claim(h, claim);
}

void clients_leave(struct hub *h, struct peer *p)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &p->claims)
    {
        struct claim *claim = CONTAINER_OF(node, struct claim, of_peer);
        claim->client->away = p->boot;
        drop_claim(h, claim);
    }
}

static struct part *find_part(const struct client *c, Str channel)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &c->parts)
    {
        struct part *p = CONTAINER_OF(node, struct part, list);
        if (str_eq(p->channel, channel))
            return p;
    }
    return NULL;
}

void client_add_part(struct hub *h, struct client *c, Str channel, Position from, bool is_hearsay)
{
    struct part *there = find_part(c, channel);
    if (there && from < there->from)
        there->from = from; /* its rights had gone meanwhile, and this is what it was told now */
    if (there || !c->named || c->part_count >= h->o->max_channels_stream)
        return;
    struct part *p = must_alloc(sizeof *p + channel.len);
    memcpy(p->bytes, channel.p, channel.len);
    p->channel = str_make(p->bytes, channel.len);
    p->from = from;
    p->is_hearsay = is_hearsay;
    list_append(&c->parts, &p->list);
    c->part_count++;
}

void client_remove_part(struct client *c, Str channel)
{
    struct part *p = find_part(c, channel);
    if (p)
        drop_part(c, p);
}

void client_put_parts(const struct client *c, Position at, struct buf *list)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &c->parts)
    {
        const struct part *p = CONTAINER_OF(node, struct part, list);
        struct buf item;
        buf_init(&item, BODY_MAX);
        Position from = p->is_hearsay && at < p->from ? at : p->from;
        msg_part_pack(&item, &(struct msg_part){p->channel, from, 1});
        list_put(list, buf_str(&item));
        buf_fini(&item);
    }
}

void client_put_names(const struct client *c, struct buf *list)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &c->parts)
    {
        list_put(list, CONTAINER_OF(node, struct part, list)->channel);
    }
}
