/* Who is on a channel: as pages are told, as the hub has it, and as it is. */
#include "attending.h"

#include "base/json.h"
#include "hub.h"

#include <inttypes.h>
#include <stdlib.h>

/* What a stream is told of presence; a user is a bit: ann the last, others by their number. */
enum { ANN = 31, GRACE = 10000, LEASE = 3000, MORE = 2000 };

static unsigned user_bit(struct browser *p, const Json *user)
{
    Str name = json_str(json_get(user, "user"));
    bool is_verified = json_is_true(json_get(user, "verified"));
    uint64_t n;
    if (str_eq(name, STR("ann")) && is_verified)
        return 1u << ANN;
    if (is_verified || !str_to_u64(str_skip(name, 1), &n) || n >= PAGES_MAX)
        world_fail(p->world, "presence", "%s is told of %.*s", p->actor, FMT(name));
    return 1u << n;
}

static unsigned users_of(struct browser *p, const Json *list)
{
    unsigned users = 0;
    for (size_t i = 0; i < json_len(list); i++) {
        unsigned bit = user_bit(p, json_at(list, i));
        if (users & bit)
            world_fail(p->world, "presence", "%s is told of one user twice", p->actor);
        users |= bit;
    }
    return users;
}

static void change(struct browser *p, struct attendance *a, const Json *news, uint64_t version)
{
    unsigned came = users_of(p, json_get(news, "join")),
             left = users_of(p, json_get(news, "leave"));
    unsigned updated = users_of(p, json_get(news, "update"));
    if (!a->version || version != a->version + 1)
        world_fail(p->world, "presence", "%s: version %" PRIu64 " follows %" PRIu64, p->actor,
                   version, a->version);
    if ((came & a->users) || (left & ~a->users) || (updated & ~a->users))
        world_fail(p->world, "presence", "%s has %x, +%x -%x ~%x", p->actor, a->users, came, left,
                   updated);
    a->users = (a->users | came) & ~left;
}

void page_on_presence(struct browser *p, Str data)
{
    struct fault why;
    Json *news = json_parse(data, &why);
    const Json *state = json_get(news, "state");
    Str channel = json_str(json_get(news, "channel"));
    uint64_t version = (uint64_t)json_num(json_get(news, "version"));
    unsigned i = 0;
    while (i < ROOM_CHANNELS && !str_eq(channel, str_of(room_names[i])))
        i++;
    if (!p->with_presence || i == ROOM_CHANNELS)
        world_fail(p->world, "presence", "%s did not ask about %.*s", p->actor, FMT(channel));
    law_judge_presence(p, i);
    struct attendance *a = &p->seen[i];
    if (state)
        a->users = users_of(p, json_get(state, "users"));
    else
        change(p, a, news, version);
    a->version = version;
    json_free(news);
}

static bool is_on(const struct browser *p, unsigned channel)
{
    if (!p->is_made)
        return false;
    if (p->is_poll)
        return p->given & 1u << channel;
    const struct stream *s = p->holds[p->holder].stream;
    return s && peek_is_on(s, str_of(room_names[channel]));
}

static unsigned who_is_there(const struct world *w, unsigned channel)
{
    unsigned users = 0;
    for (unsigned i = 0; i < w->setup.pages; i++)
        if (is_on(&w->pages[i], channel))
            users |= 1u << (w->pages[i].has_user ? ANN : i);
    return users;
}

/* Between commas. */
static void put_users(struct buf *out, unsigned users)
{
    for (unsigned i = 0; i <= ANN; i++) {
        if (!(users & 1u << i))
            continue;
        buf_putz(out, out->len ? "," : "");
        if (i == ANN)
            buf_putz(out, "ann");
        else
            buf_printf(out, "p%u", i);
    }
}

static unsigned hubs_view(struct world *w, unsigned channel)
{
    struct buf json;
    struct fault why;
    buf_init(&json, SIZE_MAX / 2);
    peek_presence(w->hub.hub, str_of(room_names[channel]), &json);
    Json *whole = json_parse(buf_str(&json), &why);
    unsigned users = users_of(&w->pages[0], json_get(json_get(whole, "state"), "users"));
    json_free(whole);
    buf_fini(&json);
    return users;
}

/* A page that is on a channel by its own wish knows who else is. */
static const struct browser *who_knows_not(const struct world *w, unsigned channel, unsigned users)
{
    for (unsigned i = 0; i < w->setup.pages; i++) {
        const struct browser *p = &w->pages[i];
        if (p->with_presence && !p->is_poll && channel != USER_CHANNEL && is_on(p, channel) &&
            law_shows_presence(p, channel) && p->seen[channel].users != users)
            return p;
    }
    return NULL;
}

static bool is_agreed(struct world *w)
{
    for (unsigned i = 0; i < ROOM_CHANNELS; i++) {
        unsigned users = who_is_there(w, i);
        if (hubs_view(w, i) != users || who_knows_not(w, i, users))
            return false;
    }
    return true;
}

static void note_truth(struct world *w, unsigned channel, unsigned users)
{
    for (unsigned i = 0; i <= ANN; i++) {
        struct buf name;
        buf_init(&name, 100);
        put_users(&name, users & 1u << i);
        if (name.len)
            world_note(w, (struct fact){.actor = STR("world"),
                                        .what = FACT_ONLINE,
                                        .channel = str_of(room_names[channel]),
                                        .user = buf_str(&name)});
        buf_fini(&name);
    }
}

/* A stream whose rights end comes back once more, and the hub takes it for where it was before,
 * until its worker says what it may no longer be on: from then on there is the grace. */
static Msec last_came(const struct world *w)
{
    Msec last = 0;
    for (unsigned i = 0; i < w->setup.pages; i++)
        if (!w->pages[i].is_poll && w->pages[i].came_at > last)
            last = w->pages[i].came_at;
    return last;
}

void attending_settle(struct world *w)
{
    Msec since = w->mono;
    while (!w->hub.hub ||
           (w->mono < (since > last_came(w) ? since : last_came(w)) + LEASE + GRACE + MORE &&
            !is_agreed(w)))
        world_round(w);
    for (unsigned i = 0; i < ROOM_CHANNELS; i++) {
        unsigned users = who_is_there(w, i);
        const struct browser *p = who_knows_not(w, i, users);
        struct buf names;
        buf_init(&names, 1000);
        put_users(&names, hubs_view(w, i));
        note_truth(w, i, users);
        world_note(w, (struct fact){.actor = STR("hub"),
                                    .what = FACT_PRESENT,
                                    .channel = str_of(room_names[i]),
                                    .users = buf_str(&names)});
        buf_fini(&names);
        if (p)
            world_fail(w, "presence", "%s thinks that %x are on %s, and it is %x", p->actor,
                       p->seen[i].users, room_names[i], users);
    }
}
