#include "memory_tables.h"

#include "base/random.h"
#include "wire/refusal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXPIRE_KEYS = 64 };

struct memory_log *memory_log_new(void)
{
    struct memory_log *m = must_alloc(sizeof *m);
    accounts_init(&m->accounts);
    return m;
}

static void free_channel(struct memory_channel *c)
{
    for (size_t i = 0; i < c->n; i++)
        event_unref(c->events[c->first + i]);
    free(c->events);
    free(c->name);
    free(c);
}

void memory_log_free(struct memory_log *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->channel_count; i++)
        free_channel(m->channels[i]);
    memory_keys_fini(m);
    accounts_fini(&m->accounts);
    free(m->channels);
    free(m->epochs);
    free(m);
}

static struct memory_channel *copy_channel(const struct memory_channel *from)
{
    struct memory_channel *c = must_copy(from, sizeof *from);
    c->name = str_dup(str_of(from->name));
    c->first = 0;
    c->cap = from->n;
    c->events = must_alloc((from->n + 1) * sizeof c->events[0]);
    for (size_t i = 0; i < from->n; i++)
        c->events[i] = event_ref(from->events[from->first + i]);
    return c;
}

static struct buf all_accounts(const struct memory_log *m)
{
    struct buf list;
    size_t at = 0;
    buf_init(&list, SIZE_MAX / 2);
    accounts_put(&m->accounts, &at, SIZE_MAX, &list);
    return list;
}

void memory_log_account(struct memory_log *m, const struct account_op *o)
{
    accounts_take(&m->accounts, buf_str(&o->rows));
}

struct memory_log *memory_log_copy(const struct memory_log *from, bool as_backup)
{
    struct memory_log *m = must_copy(from, sizeof *from);
    m->channels = must_alloc((from->channel_count + 1) * sizeof m->channels[0]);
    for (size_t i = 0; i < from->channel_count; i++)
        m->channels[i] = copy_channel(from->channels[i]);
    m->epochs = must_copy(from->epochs, from->epoch_count * sizeof from->epochs[0]);
    memory_keys_copy(m, from);
    struct buf accounts = all_accounts(from);
    accounts_init(&m->accounts);
    accounts_take(&m->accounts, buf_str(&accounts));
    buf_fini(&accounts);
    m->is_restored |= as_backup;
    return m;
}

uint64_t memory_epoch(const struct memory_log *m, Position at)
{
    for (size_t i = m->epoch_count; i-- > 0;)
        if (m->epochs[i].first <= at)
            return m->epochs[i].name;
    return m->epoch_count ? m->epochs[0].name : 0;
}

struct memory_channel *memory_by_row(const struct memory_log *m, uint64_t row)
{
    for (size_t i = 0; i < m->channel_count; i++)
        if (m->channels[i]->row == row)
            return m->channels[i];
    return NULL;
}

struct memory_channel *memory_by_name(const struct memory_log *m, Str name)
{
    for (size_t i = 0; i < m->channel_count; i++)
        if (str_eq(str_of(m->channels[i]->name), name))
            return m->channels[i];
    return NULL;
}

static uint64_t new_epoch_name(const struct memory_log *m)
{
    for (;;) {
        uint64_t name = random_u64() & ((UINT64_C(1) << CURSOR_EPOCH_BITS) - 1);
        bool is_taken = !name;
        for (size_t i = 0; i < m->epoch_count; i++)
            is_taken |= m->epochs[i].name == name;
        if (!is_taken)
            return name;
    }
}

static void open_epoch(struct memory_log *m, Msec wall)
{
    bool is_fresh = !m->epoch_count && !m->head;
    struct epoch e = {.name = new_epoch_name(m), .first = is_fresh ? 0 : m->head + 1};
    e.opened = wall;
    snprintf(e.reason, sizeof e.reason, "%s",
             m->is_restored ? "restored"
             : is_fresh     ? "fresh"
                            : "start");
    m->epochs = must_realloc(m->epochs, (m->epoch_count + 1) * sizeof e);
    m->epochs[m->epoch_count++] = e;
    m->is_restored = false;
}

static struct journal_channel figures(const struct memory_channel *c)
{
    struct journal_channel f = {
        .row = c->row, .name = str_of(c->name), .last = c->floor, .floor = c->floor};
    for (size_t i = 0; i < c->n; i++) {
        const struct event *e = c->events[c->first + i];
        f.last = e->id.at;
        f.bytes += event_size(e);
    }
    f.count = c->n;
    f.oldest = c->n ? c->events[c->first]->time : 0;
    return f;
}

void memory_log_start(struct memory_log *m, Msec wall, struct journal_state *state,
                      void (*on_channel)(void *ctx, const struct journal_channel *c), void *ctx)
{
    open_epoch(m, wall);
    *state = (struct journal_state){
        .head = m->head,
        .oldest = m->floor,
        .forgotten = m->forgotten,
        .time = m->time,
        .epochs = must_copy(m->epochs, m->epoch_count * sizeof m->epochs[0]),
        .epoch_count = m->epoch_count,
    };
    struct buf accounts = all_accounts(m);
    state->accounts = buf_take(&accounts, &state->accounts_len);
    for (size_t i = 0; i < m->channel_count; i++) {
        struct journal_channel c = figures(m->channels[i]);
        state->bytes += c.bytes;
        on_channel(ctx, &c);
    }
}

void memory_log_begin(struct memory_log *m, Msec wall)
{
    m->time = m->time > wall ? m->time : wall;
    m->keys_added = 0;
}

void memory_log_end(struct memory_log *m, struct memory_keys keys)
{
    memory_keys_expire(m, keys.age, EXPIRE_KEYS + 2 * m->keys_added);
}

/* Appending. */

static void add_channel(struct memory_log *m, uint64_t row, Str name)
{
    if (memory_by_row(m, row))
        return;
    struct memory_channel *c = must_alloc(sizeof *c);
    c->row = row;
    c->name = str_dup(name);
    c->floor = m->forgotten; /* it may have been there before */
    c->floor_time = m->forgotten_time;
    m->channels = must_realloc(m->channels, (m->channel_count + 1) * sizeof(void *));
    m->channels[m->channel_count++] = c;
}

static void keep_event(struct memory_channel *c, const struct event *e)
{
    if (c->first + c->n == c->cap) {
        if (c->n)
            memmove(c->events, c->events + c->first, c->n * sizeof c->events[0]);
        c->first = 0;
        c->cap = c->n < 8 ? 16 : 2 * c->n;
        c->events = must_realloc(c->events, c->cap * sizeof c->events[0]);
    }
    c->events[c->first + c->n++] = event_new(e);
}

static void write_send(struct memory_log *m, struct append *a, struct append_send *s)
{
    s->at = m->head + 1;
    s->time = m->time;
    s->epoch = memory_epoch(m, s->at);
    for (size_t i = s->first; i < s->first + s->n; i++) {
        struct event *e = a->events[i];
        if (a->fresh[i])
            add_channel(m, a->rows[i], e->channel);
        e->id.at = ++m->head;
        e->id.epoch = memory_epoch(m, e->id.at);
        e->time = m->time;
        struct memory_channel *c = memory_by_row(m, a->rows[i]);
        assert(c);
        keep_event(c, e);
    }
}

static void answer_again(const struct memory_log *m, struct append_send *s, Position at, Msec time)
{
    s->again = true;
    s->at = at;
    s->time = time;
    s->epoch = memory_epoch(m, at);
}

static void append_send(struct memory_log *m, struct append *a, struct append_send *s,
                        struct memory_keys keys)
{
    const struct memory_key *known;
    if (!s->n)
        return;
    if (!s->key.len) {
        write_send(m, a, s);
        return;
    }
    switch (memory_key_find(m, keys.age, a->user, s->key, s->print, &known)) {
    case MEMORY_KNOWN:
        answer_again(m, s, known->first, known->time);
        return;
    case MEMORY_OTHER:
        s->code = REFUSE_CONFLICT;
        return;
    case MEMORY_NEW:
        break;
    }
    if (!memory_keys_have_room(m, keys, 1)) {
        s->code = REFUSE_KEYS_FULL;
        return;
    }
    write_send(m, a, s);
    memory_key_add(
        m, a->user, s->key,
        (struct memory_key){.print = {s->print[0], s->print[1]}, .first = s->at, .time = s->time});
}

static void keep_whole(struct memory_log *m, const struct append *a, Position before)
{
    struct memory_key k = {
        .print = {a->print[0], a->print[1]}, .first = before + 1, .time = m->time};
    k.n = a->send_count;
    k.answers = must_alloc(k.n * sizeof k.answers[0]);
    for (size_t i = 0; i < k.n; i++)
        k.answers[i] = (struct memory_answer){a->sends[i].code, a->sends[i].at, a->sends[i].time};
    memory_key_add(m, a->user, a->key, k);
}

static void answer_whole(const struct memory_log *m, struct append *a, const struct memory_key *k)
{
    for (size_t i = 0; i < a->send_count; i++) {
        int code = i < k->n ? k->answers[i].code : REFUSE_INTERNAL;
        a->sends[i].code = code;
        if (!code)
            answer_again(m, &a->sends[i], k->answers[i].at, k->answers[i].time);
    }
}

static void refuse(struct append *a, int code)
{
    a->code = code;
    for (size_t i = 0; i < a->send_count; i++)
        a->sends[i].code = code;
}

static uint64_t keys_wanted(const struct append *a)
{
    uint64_t n = 1;
    for (size_t i = 0; i < a->send_count; i++)
        n += a->sends[i].key.len > 0;
    return n;
}

static bool answer_by_key(struct memory_log *m, struct append *a, struct memory_keys keys)
{
    const struct memory_key *known;
    switch (memory_key_find(m, keys.age, a->user, a->key, a->print, &known)) {
    case MEMORY_KNOWN:
        answer_whole(m, a, known);
        return true;
    case MEMORY_OTHER:
        refuse(a, REFUSE_CONFLICT);
        return true;
    case MEMORY_NEW:
        break;
    }
    if (memory_keys_have_room(m, keys, keys_wanted(a)))
        return false;
    refuse(a, REFUSE_KEYS_FULL);
    return true;
}

void memory_log_append(struct memory_log *m, struct append *a, struct memory_keys keys)
{
    if (a->key.len && answer_by_key(m, a, keys))
        return;
    Position before = m->head;
    for (size_t i = 0; i < a->send_count; i++)
        append_send(m, a, &a->sends[i], keys);
    if (a->key.len)
        keep_whole(m, a, before);
}

/* Taking away. */

static bool is_due(const struct prune *p, Msec time)
{
    return p->rows < p->most &&
           (p->rows < p->excess_rows || p->bytes < p->excess_bytes || time < p->before);
}

void memory_log_prune(struct memory_log *m, struct prune *p)
{
    struct memory_channel *c = memory_by_row(m, p->row);
    p->rows = p->bytes = 0;
    p->floor = c ? c->floor : 0;
    p->oldest = 0;
    while (c && c->n) {
        struct event *e = c->events[c->first];
        if (!is_due(p, e->time)) {
            p->oldest = e->time;
            break;
        }
        p->rows++;
        p->bytes += event_size(e);
        p->floor = c->floor = e->id.at;
        c->floor_time = e->time;
        c->first++;
        c->n--;
        event_unref(e);
    }
    if (p->rows && m->floor < p->floor)
        m->floor = p->floor;
}

static void forget_one(struct memory_log *m, uint64_t row, Position *highest)
{
    for (size_t i = 0; i < m->channel_count; i++) {
        struct memory_channel *c = m->channels[i];
        if (c->row != row || c->n)
            continue;
        *highest = *highest > c->floor ? *highest : c->floor;
        if (m->forgotten_time < c->floor_time)
            m->forgotten_time = c->floor_time;
        m->channels[i] = m->channels[--m->channel_count];
        free_channel(c);
        return;
    }
}

void memory_log_forget(struct memory_log *m, struct forget *f)
{
    Position highest = f->highest;
    for (size_t i = 0; i < f->n; i++)
        forget_one(m, f->rows[i], &highest);
    m->forgotten = m->forgotten > highest ? m->forgotten : highest;
    m->floor = m->floor > m->forgotten ? m->floor : m->forgotten;
    f->highest = m->forgotten;
}

Position memory_log_head(const struct memory_log *m)
{
    return m->head;
}

Position memory_log_floor(const struct memory_log *m, Str channel)
{
    const struct memory_channel *c = memory_by_name(m, channel);
    return c ? c->floor : m->forgotten;
}

const struct event *memory_log_each(const struct memory_log *m, size_t *channel, size_t *at)
{
    for (; *channel < m->channel_count; (*channel)++, *at = 0) {
        const struct memory_channel *c = m->channels[*channel];
        if (*at < c->n)
            return c->events[c->first + (*at)++];
    }
    return NULL;
}
