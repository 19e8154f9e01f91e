#include "presence_inside.h"

#include "engine.h"
#include "wire/people.h"

#include <stdlib.h>

enum { TELL_MS = 1000 };

void presence_init(struct presence *p)
{
    *p = (struct presence){0};
    map_init(&p->rooms);
    heap_init(&p->due);
    list_init(&p->leaving);
}

void presence_start(struct hub *h, bool is_new)
{
    Msec patience = h->o->presence_grace > LEASE_MS ? h->o->presence_grace : LEASE_MS;
    h->presence.quiet_until = is_new ? 0 : h->now.mono + patience;
}

bool presence_is_known(const struct hub *h)
{
    return h->now.mono >= h->presence.quiet_until;
}

static uint64_t first_version(const struct hub *h)
{
    return h->now.wall > h->presence.highest ? h->now.wall : h->presence.highest;
}

struct room *presence_need_room(struct hub *h, Str name)
{
    struct room *r = map_get(&h->presence.rooms, name);
    if (r)
        return r;
    r = must_alloc(sizeof *r + name.len);
    memcpy(r->bytes, name.p, name.len);
    r->name = str_make(r->bytes, name.len);
    r->version = first_version(h);
    map_init(&r->people);
    list_init(&r->order);
    list_init(&r->changed);
    list_init(&r->watches);
    map_put(&h->presence.rooms, r->name, r);
    return r;
}

static void drop_occupant(struct occupant *o)
{
    map_del(&o->room->people, o->key);
    list_remove(&o->order);
    list_remove(&o->changed);
    list_remove(&o->leaving);
    free(o->public);
    free(o->told);
    free(o);
}

static void drop_room(struct hub *h, struct room *r)
{
    if (r->version > h->presence.highest)
        h->presence.highest = r->version;
    map_del(&h->presence.rooms, r->name);
    heap_remove(&h->presence.due, &r->due);
    map_fini(&r->people);
    free(r);
}

void presence_fini(struct hub *h)
{
    struct room *r;
    for (size_t at = 0; (r = map_next(&h->presence.rooms, &at));) {
        struct occupant *o;
        for (size_t k = 0; (o = map_next(&r->people, &k));)
            drop_occupant(o);
        drop_room(h, r);
    }
    heap_fini(&h->presence.due);
    map_fini(&h->presence.rooms);
}

void presence_schedule(struct hub *h, struct room *r)
{
    Msec when = r->told ? r->told + TELL_MS : 0;
    when = when > h->presence.quiet_until ? when : h->presence.quiet_until;
    if (!r->due.at)
        heap_set(&h->presence.due, &r->due, when);
}

static void touch(struct hub *h, struct occupant *o)
{
    if (!list_is_linked(&o->changed))
        list_append(&o->room->changed, &o->changed);
    presence_schedule(h, o->room);
}

/* Of users and channels the application is told; a user is on the own channel with every stream.
 * `o` has just come, or is about to go. */
static void tell_application(struct hub *h, const struct room *r, const struct occupant *o,
                             bool comes)
{
    Str user = str_skip(o->key, 1);
    bool is_own = o->key.len && o->key.p[0] == PERSON_USER && is_own_channel(user, r->name);
    if (is_own)
        hook_tell(h, comes ? HOOK_CONNECT : HOOK_LEAVE, user);
    else if (r->people.len == 1 && !str_starts(r->name, STR("user:")) &&
             !is_for_all(str_of(h->o->channels_for_all), r->name))
        hook_tell(h, comes ? HOOK_OCCUPIED : HOOK_VACANT, r->name);
}

static struct occupant *need_occupant(struct hub *h, struct room *r, Str key)
{
    struct occupant *o = map_get(&r->people, key);
    if (o)
        return o;
    o = must_alloc(sizeof *o + key.len);
    o->room = r;
    if (key.len)
        memcpy(o->bytes, key.p, key.len);
    o->key = str_make(o->bytes, key.len);
    o->since = h->now.wall;
    o->public = str_dup(STR_NONE);
    map_put(&r->people, o->key, o);
    if (key.len)
        list_append(&r->order, &o->order);
    tell_application(h, r, o, true);
    return o;
}

/* Under which key the client is there. */
static Str key_of(const struct hub *h, const struct client *c, Str channel,
                  char key[PERSON_KEY_MAX + 1])
{
    struct rights rights = options_rights(h->o);
    if (!*c->user && !(c->label && rights_take_names(&rights, channel)))
        return STR_NONE;
    int n = snprintf(key, PERSON_KEY_MAX + 1, "%c%s", *c->user ? PERSON_USER : PERSON_LABEL,
                     *c->user ? c->user : c->label);
    return str_make(key, (size_t)n);
}

static struct seat *find_seat(const struct claim *c, const struct occupant *o)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &c->seats)
    {
        struct seat *s = CONTAINER_OF(node, struct seat, of_claim);
        if (s->who == o)
            return s;
    }
    return NULL;
}

/* By another link, too: that is still one device. */
static bool sits_elsewhere(const struct claim *c, const struct occupant *o)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &c->client->claims)
    {
        const struct claim *other = CONTAINER_OF(node, struct claim, of_client);
        if (other != c && find_seat(other, o))
            return true;
    }
    return false;
}

static void show(struct occupant *o, const char *public)
{
    if (strcmp(o->public, public) == 0)
        return;
    free(o->public);
    o->public = str_dup(str_of(public));
}

static void enter(struct hub *h, struct claim *c, Str name, Msec since)
{
    char text[PERSON_KEY_MAX + 1];
    Str key = key_of(h, c->client, name, text);
    struct occupant *o = need_occupant(h, presence_need_room(h, name), key);
    if (o->since > since)
        o->since = since;
    if (key.len)
        show(o, c->client->public ? c->client->public : "");
    if (!find_seat(c, o)) {
        struct seat *s = must_alloc(sizeof *s);
        s->who = o;
        bool is_new = !sits_elsewhere(c, o);
        o->devices += is_new;
        o->room->devices += is_new;
        list_append(&c->seats, &s->of_claim);
        if (o->devices >= o->held) {
            o->held = o->devices;
            list_remove(&o->leaving);
        }
    }
    touch(h, o);
}

void presence_enter(struct hub *h, struct claim *c, Str names, Msec since)
{
    for (Str name; list_next(&names, &name);)
        if (channel_is_valid(name, "channel", NULL))
            enter(h, c, name, since);
}

static bool sits_in(const struct client *c, const struct room *r)
{
    struct list *of_client, *of_claim, *safe, *safe_too;
    LIST_EACH(of_client, safe, &c->claims)
    {
        const struct claim *claim = CONTAINER_OF(of_client, struct claim, of_client);
        LIST_EACH(of_claim, safe_too, &claim->seats)
        {
            if (CONTAINER_OF(of_claim, struct seat, of_claim)->who->room == r)
                return true;
        }
    }
    return false;
}

bool presence_has_room(struct hub *h, const struct client *c, Str user, Str names,
                       struct fault *why)
{
    uint64_t most = h->o->max_streams_channel;
    for (Str name; most && list_next(&names, &name);) {
        const struct room *r = map_get(&h->presence.rooms, name);
        if (!r || r->devices < most || is_for_all(str_of(h->o->channels_for_all), name) ||
            is_own_channel(user, name) || (c && sits_in(c, r)))
            continue;
        hub_count(h, COUNT_LIMITED_CHANNEL);
        return fail(why, REFUSE_LIMIT, "channel: %.*s: max_streams_channel is %llu", FMT(name),
                    (unsigned long long)most);
    }
    return true;
}

/* The last one has all of the grace, whoever went before it. */
static void begin_grace(struct hub *h, struct occupant *o)
{
    if (o->devices && list_is_linked(&o->leaving))
        return;
    list_remove(&o->leaving);
    o->until = h->now.mono + h->o->presence_grace;
    list_append(&h->presence.leaving, &o->leaving);
}

static void stand_up(struct hub *h, const struct claim *c, struct seat *s)
{
    struct occupant *o = s->who;
    list_remove(&s->of_claim);
    free(s);
    if (sits_elsewhere(c, o))
        return;
    o->devices--;
    o->room->devices--;
    if (o->key.len)
        begin_grace(h, o);
    else
        touch(h, o);
}

void presence_leave(struct hub *h, struct claim *c)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &c->seats)
    {
        stand_up(h, c, CONTAINER_OF(node, struct seat, of_claim));
    }
}

bool presence_on_here(struct hub *h, struct peer *p, Str body)
{
    struct msg_here m;
    if (!msg_here_unpack(body, &m) || !list_is_whole(m.channels))
        return false;
    const struct client *client = client_find(h, m.client);
    struct claim *c = client ? client_find_claim(client, p) : NULL;
    if (!c)
        return true;
    presence_enter(h, c, m.channels, h->now.wall);
    struct list *node, *safe;
    LIST_EACH(node, safe, &c->seats)
    {
        struct seat *s = CONTAINER_OF(node, struct seat, of_claim);
        char text[PERSON_KEY_MAX + 1];
        Str name = s->who->room->name;
        if (!list_has(m.channels, name) || !str_eq(s->who->key, key_of(h, client, name, text)))
            stand_up(h, c, s);
    }
    return true;
}

void presence_extend(struct hub *h, Msec delay)
{
    Msec most = h->now.mono + h->o->presence_grace; /* of who has left since it goes on */
    struct list *node, *safe;
    LIST_EACH(node, safe, &h->presence.leaving)
    {
        struct occupant *o = CONTAINER_OF(node, struct occupant, leaving);
        o->until = o->until + delay < most ? o->until + delay : most;
    }
    if (!presence_is_known(h) || h->now.mono - delay < h->presence.quiet_until)
        h->presence.quiet_until += delay;
}

void presence_expire(struct hub *h)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &h->presence.leaving)
    {
        struct occupant *o = CONTAINER_OF(node, struct occupant, leaving);
        if (o->until > h->now.mono)
            return;
        list_remove(&o->leaving);
        o->held = o->devices;
        touch(h, o);
    }
}

/* What there is to tell. */
struct news {
    struct buf came, left;
    bool is_some;
};

static char *render(const struct occupant *o)
{
    struct buf json;
    size_t len;
    buf_init(&json, 4 * PUBLIC_MAX);
    person_put(&json, &(struct person){o->key, o->held, o->since, str_of(o->public)});
    buf_putc(&json, '\0');
    return buf_take(&json, &len);
}

static void put_person(struct buf *list, const struct occupant *o, bool is_fresh)
{
    struct buf item;
    buf_init(&item, BODY_MAX);
    msg_person_pack(&item, &(struct msg_person){o->key, str_of(o->told), is_fresh});
    list_put(list, buf_str(&item));
    buf_fini(&item);
}

static void go(struct hub *h, struct occupant *o)
{
    tell_application(h, o->room, o, false);
    drop_occupant(o);
}

static void look_at(struct hub *h, struct occupant *o, struct news *n)
{
    struct room *r = o->room;
    if (!o->key.len) {
        n->is_some |= r->anonymous != o->devices;
        r->anonymous = o->devices;
        if (!o->devices)
            go(h, o);
    } else if (!o->held) {
        if (o->told)
            list_put(&n->left, o->key);
        r->shown -= o->told != NULL;
        go(h, o);
    } else {
        char *now = render(o);
        bool is_fresh = !o->told;
        if (!is_fresh && strcmp(o->told, now) == 0) {
            free(now);
            return;
        }
        free(o->told);
        o->told = now;
        r->shown += is_fresh;
        put_person(&n->came, o, is_fresh);
    }
}

static void put_whole(const struct room *r, struct buf *came)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->order)
    {
        const struct occupant *o = CONTAINER_OF(node, struct occupant, order);
        if (o->told)
            put_person(came, o, true);
    }
}

static struct frame *frame_of(const struct room *r, bool is_whole, const struct news *n)
{
    struct buf came, body;
    bool is_crowd = r->shown > PEOPLE_SHOWN;
    buf_init(&came, BODY_MAX);
    buf_init(&body, BODY_MAX);
    if (is_whole && !is_crowd)
        put_whole(r, &came);
    msg_presence_pack(&body, &(struct msg_presence){
                                 .channel = r->name,
                                 .version = r->version,
                                 .whole = is_whole,
                                 .crowd = is_crowd,
                                 .count = r->shown + r->anonymous,
                                 .anonymous = r->anonymous,
                                 .came = is_whole ? buf_str(&came) : buf_str(&n->came),
                                 .left = is_whole ? STR_NONE : buf_str(&n->left),
                             });
    buf_fini(&came);
    return frame_take(&body);
}

/* Each form once for all links. */
static void tell_watches(struct hub *h, struct room *r, bool was_crowd, const struct news *n)
{
    bool is_whole = was_crowd || r->shown > PEOPLE_SHOWN;
    struct frame *frames[2] = {NULL, NULL};
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->watches)
    {
        struct watch *w = CONTAINER_OF(node, struct watch, of_room);
        bool needs_whole = !w->is_told || is_whole;
        if (w->is_told && !n->is_some)
            continue;
        if (!frames[needs_whole])
            frames[needs_whole] = frame_of(r, needs_whole, n);
        w->is_told = true;
        peer_send_frame(h, w->peer, VERB_PRESENCE, frames[needs_whole]);
    }
    for (size_t i = 0; i < COUNT_OF(frames); i++)
        if (frames[i])
            frame_unref(frames[i]);
}

static void gather(struct hub *h, struct room *r, struct news *n)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->changed)
    {
        list_remove(node);
        look_at(h, CONTAINER_OF(node, struct occupant, changed), n);
    }
    n->is_some |= n->came.len || n->left.len;
    r->version += n->is_some;
    if (n->is_some)
        r->told = h->now.mono;
}

static void tell(struct hub *h, struct room *r)
{
    struct news n = {.is_some = false};
    bool was_crowd = r->shown > PEOPLE_SHOWN;
    buf_init(&n.came, BODY_MAX);
    buf_init(&n.left, BODY_MAX);
    if (!r->told || h->now.mono >= r->told + TELL_MS)
        gather(h, r, &n);
    else if (!list_is_empty(&r->changed))
        presence_schedule(h, r);
    tell_watches(h, r, was_crowd, &n);
    buf_fini(&n.came);
    buf_fini(&n.left);
    if (!r->people.len && list_is_empty(&r->watches))
        drop_room(h, r);
}

void presence_turn(struct hub *h)
{
    struct heap_node *n;
    while ((n = heap_top(&h->presence.due)) && n->key <= h->now.mono && presence_is_known(h)) {
        heap_remove(&h->presence.due, n);
        tell(h, CONTAINER_OF(n, struct room, due));
    }
}

static void put_users(const struct room *r, struct buf *users)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &r->order)
    {
        const struct occupant *o = CONTAINER_OF(node, struct occupant, order);
        if (!o->told)
            continue;
        buf_putz(users, users->len ? "," : "");
        buf_putz(users, o->told);
    }
}

void presence_put(const struct hub *h, Str channel, size_t most, struct buf *out)
{
    const struct room *r = map_get(&h->presence.rooms, channel);
    struct people p = {.channel = channel, .version = r ? r->version : first_version(h)};
    struct buf users;
    buf_init(&users, BODY_MAX);
    if (r) {
        p.count = r->shown + r->anonymous;
        p.anonymous = r->anonymous;
        p.is_crowd = r->shown > most;
    }
    if (r && !p.is_crowd)
        put_users(r, &users);
    p.users = buf_str(&users);
    people_put(out, &p);
    buf_fini(&users);
}
