#include "power_model.h"

#include "wire/refusal.h"

#include <stdio.h>
#include <stdlib.h>

enum { WHOLE = 1 }; /* lowest bit of a key: of a whole append */

void model_fini(struct model *m)
{
    free(m->events);
    free(m->keys);
    *m = (struct model){0};
}

struct model model_copy(const struct model *m)
{
    struct model copy = *m;
    copy.events = must_alloc((m->cap + 1) * sizeof *m->events);
    if (m->n)
        memcpy(copy.events, m->events, m->n * sizeof *m->events);
    copy.keys = must_alloc((m->key_cap + 1) * sizeof *m->keys);
    if (m->key_count)
        memcpy(copy.keys, m->keys, m->key_count * sizeof *m->keys);
    return copy;
}

const char *channel_name(unsigned channel)
{
    static char name[16];
    snprintf(name, sizeof name, "room:%u", channel);
    return name;
}

size_t body_size(const struct model_event *e)
{
    return sizeof(struct event) + strlen(channel_name(e->channel)) + e->data;
}

void body_text(const struct model_event *e, char *out)
{
    struct dice letters = dice_of(e->body);
    int n = snprintf(out, 24, "%llu:", (unsigned long long)e->body);
    for (size_t i = (size_t)n; i < e->data; i++)
        out[i] = (char)('a' + dice_roll(&letters, 26));
}

static void add_event(struct model *m, struct model_event e)
{
    struct model_channel *c = &m->channels[e.channel];
    if (!c->exists)
        *c = (struct model_channel){.exists = true, .floor = m->forgotten};
    if (m->n == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 256;
        m->events = must_realloc(m->events, m->cap * sizeof *m->events);
    }
    e.at = ++m->head;
    m->events[m->n++] = e;
    c->last = e.at;
    c->count++;
    c->bytes += body_size(&e);
}

static struct model_key *find_key(const struct model *m, uint64_t key)
{
    for (size_t i = m->key_count; key && i-- > 0;)
        if (m->keys[i].key == key)
            return &m->keys[i];
    return NULL;
}

static void add_key(struct model *m, struct model_key k)
{
    if (m->key_count == m->key_cap) {
        m->key_cap = m->key_cap ? 2 * m->key_cap : 64;
        m->keys = must_realloc(m->keys, m->key_cap * sizeof *m->keys);
    }
    m->keys[m->key_count++] = k;
}

static void do_send(struct model *m, struct deed_send *s)
{
    const struct model_key *known = find_key(m, s->key);
    s->again = known && known->print == s->print;
    s->code = known && !s->again ? REFUSE_CONFLICT : 0;
    s->at = s->code ? 0 : s->again ? known->at[0] : m->head + 1;
    if (known)
        return;
    for (unsigned i = 0; i < s->n; i++)
        add_event(m, s->events[i]);
    if (s->key)
        add_key(m, (struct model_key){s->key, s->print, 1, {s->at}});
}

static void do_append(struct model *m, struct deed *d)
{
    const struct model_key *known = find_key(m, d->key);
    bool again = known && known->print == d->print;
    struct model_key made = {.key = d->key, .print = d->print, .sends = d->send_count};
    d->code = known && !again ? REFUSE_CONFLICT : 0;
    for (unsigned i = 0; i < d->send_count; i++) {
        if (known) {
            d->sends[i].code = d->code;
            d->sends[i].again = again;
            d->sends[i].at = again ? known->at[i] : 0;
        } else {
            do_send(m, &d->sends[i]);
            made.at[i] = d->sends[i].at;
        }
    }
    if (d->key && !known)
        add_key(m, made);
}

static void do_prune(struct model *m, struct deed *d)
{
    struct model_channel *c = &m->channels[d->channel];
    size_t kept = 0;
    d->rows = 0;
    for (size_t i = 0; i < m->n; i++) {
        const struct model_event *e = &m->events[i];
        if (e->channel == d->channel && d->rows < d->excess && d->rows < d->most) {
            d->rows++;
            c->floor = e->at;
            c->count--;
            c->bytes -= body_size(e);
        } else {
            m->events[kept++] = *e;
        }
    }
    m->n = kept;
    d->pruned_floor = c->floor;
    if (d->rows && m->floor < c->floor)
        m->floor = c->floor;
}

static void do_forget(struct model *m, const struct deed *d)
{
    for (unsigned i = 0; i < CHANNELS; i++) {
        struct model_channel *c = &m->channels[i];
        if (!d->forgets[i] || !c->exists || c->count)
            continue;
        if (m->forgotten < c->floor)
            m->forgotten = c->floor;
        *c = (struct model_channel){0};
    }
    if (m->floor < m->forgotten)
        m->floor = m->forgotten;
}

void model_do(struct model *m, struct deed *d)
{
    if (d->kind == OP_APPEND)
        do_append(m, d);
    else if (d->kind == OP_PRUNE)
        do_prune(m, d);
    else if (d->kind == OP_FORGET)
        do_forget(m, d);
}

/* ---- deeds ---- */

/* A new key, or one of the last that are known, with something else or with what it was used for:
 * then returns for how many sends. */
static unsigned pick_key(const struct model *m, struct dice *dice, uint64_t whole, uint64_t *key,
                         uint64_t *print)
{
    *key = (dice_draw(dice) << 1 | whole) | 1ULL << 40;
    *print = dice_draw(dice);
    if (!m->key_count || dice_luck(dice, 60))
        return 0;
    size_t back = dice_roll(dice, m->key_count < KEYS_TRIED ? m->key_count : KEYS_TRIED);
    const struct model_key *k = &m->keys[m->key_count - 1 - back];
    if ((k->key & WHOLE) != whole)
        return 0;
    *key = k->key;
    if (dice_luck(dice, 30))
        return 0;
    *print = k->print;
    return k->sends;
}

static struct deed_send make_send(struct dice *dice, uint64_t *bodies)
{
    struct deed_send s = {.n = 1 + (unsigned)dice_roll(dice, EVENTS)};
    for (unsigned i = 0; i < s.n; i++) {
        size_t much = dice_luck(dice, 5) ? 9000 : dice_luck(dice, 30) ? 1200 : 120;
        s.events[i] = (struct model_event){
            .body = ++*bodies,
            .data = 24 + dice_roll(dice, much),
            .channel = (unsigned)dice_roll(dice, CHANNELS),
        };
    }
    return s;
}

struct deed deed_append(const struct model *m, struct dice *dice, uint64_t *bodies)
{
    struct deed d = {.kind = OP_APPEND};
    bool is_whole = dice_luck(dice, 20);
    d.send_count = 1 + (unsigned)dice_roll(dice, dice_luck(dice, 60) ? 1 : SENDS);
    unsigned known = is_whole ? pick_key(m, dice, WHOLE, &d.key, &d.print) : 0;
    if (known)
        d.send_count = known;
    for (unsigned i = 0; i < d.send_count; i++) {
        d.sends[i] = make_send(dice, bodies);
        if (!is_whole && dice_luck(dice, 30))
            pick_key(m, dice, 0, &d.sends[i].key, &d.sends[i].print);
    }
    return d;
}

struct deed deed_prune(const struct model *m, struct dice *dice, bool much)
{
    struct deed d = {.kind = OP_PRUNE, .most = 512};
    for (int tries = 0; tries < 8 && !m->channels[d.channel].count; tries++)
        d.channel = (unsigned)dice_roll(dice, CHANNELS);
    uint64_t count = m->channels[d.channel].count;
    d.excess = much || dice_luck(dice, 30) ? count : dice_roll(dice, count + 1);
    if (dice_luck(dice, 10))
        d.most = 1;
    return d;
}

struct deed deed_forget(const struct model *m)
{
    struct deed d = {.kind = OP_FORGET};
    for (unsigned i = 0; i < CHANNELS; i++)
        d.forgets[i] = m->channels[i].exists && !m->channels[i].count;
    return d;
}
