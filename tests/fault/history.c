#include "history.h"
#include "history_rows.h"

#include "base/hash.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

/* Which member of a fact lies in which column of its row; 0: none, since no fact has only a time.
 * `event` ones have channel and body together in `a`. */
struct layout {
    uint8_t a, b, c;
    bool event;
};
#define AT(member) ((uint8_t)offsetof(struct fact, member))
static const struct layout layouts[FACTS] = {
    [FACT_INVOKE] = {0, AT(key), AT(exclude), true},
    [FACT_FAIL] = {0, AT(reason), 0, false},
    [FACT_UNKNOWN] = {0, AT(reason), 0, false},
    [FACT_CONNECT] = {AT(channels), AT(client), AT(user), false},
    [FACT_OPEN] = {0, AT(client), 0, false},
    [FACT_ASKS] = {AT(channel), 0, 0, false},
    [FACT_JOINED] = {AT(channel), 0, 0, false},
    [FACT_LEFT] = {AT(channel), 0, 0, false},
    [FACT_RECEIVE] = {0, 0, 0, true},
    [FACT_GAP] = {AT(channels), AT(reason), 0, false},
    [FACT_BYE] = {0, AT(reason), 0, false},
    [FACT_CLOSE] = {0, AT(reason), 0, false},
    [FACT_REFUSED] = {0, AT(reason), 0, false},
    [FACT_PRUNED] = {AT(channel), 0, 0, false},
    [FACT_CRASH] = {AT(reason), 0, 0, false},
    [FACT_RESTART] = {AT(reason), 0, 0, false},
    [FACT_PRESENT] = {AT(channel), AT(users), 0, false},
    [FACT_ONLINE] = {AT(channel), AT(user), 0, false},
    [FACT_GRANT] = {AT(channel), AT(user), 0, false},
    [FACT_REVOKE] = {AT(channel), AT(user), 0, false},
    [FACT_GRANTED] = {AT(channel), AT(user), 0, false},
    [FACT_REVOKING] = {AT(channel), AT(user), 0, false},
};
static_assert(offsetof(struct fact, id) < 256, "members fit a layout");

struct history *history_new(void)
{
    struct history *h = must_alloc(sizeof *h);
    history_clear(h);
    return h;
}

static void slots_clear(struct slots *s)
{
    if (s->used)
        memset(s->number, 0, s->cap * sizeof *s->number);
    s->used = 0;
}

void history_clear(struct history *h)
{
    h->len = h->text_len = 0;
    h->word_count = h->event_count = h->epoch_count = 0;
    slots_clear(&h->word_slots);
    slots_clear(&h->event_slots);
    slots_clear(&h->epoch_slots);
    MAKE_ROOM(h->words, h->word_count, h->words_cap);
    h->words[h->word_count++] = (struct word){0, 0};
    MAKE_ROOM(h->epochs, h->epoch_count, h->epochs_cap);
    h->epochs[h->epoch_count++] = 0;
    MAKE_ROOM(h->epochs, h->epoch_count, h->epochs_cap);
    h->epochs[h->epoch_count++] = EPOCH_UNREADABLE;
}

void history_free(struct history *h)
{
    if (!h)
        return;
    free(h->rows);
    free(h->words);
    free(h->text);
    free(h->events);
    free(h->epochs);
    free(h->word_slots.number);
    free(h->event_slots.number);
    free(h->epoch_slots.number);
    free(h);
}

size_t history_len(const struct history *h)
{
    return h->len;
}

Str history_word(const struct history *h, uint32_t word)
{
    return str_make(h->text + h->words[word].at, h->words[word].len);
}

/* What the three kinds of numbered things have in common. */
typedef uint64_t hash_fn(const struct history *h, uint32_t number);
typedef bool same_fn(const struct history *h, uint32_t number, const void *wanted);

static uint64_t hash_bytes(const void *p, size_t len)
{
    return hash64(str_make(p, len), (HashKey){0x62656c, 0x667279});
}

static void slots_grow(const struct history *h, struct slots *s, hash_fn *hash)
{
    struct slots old = *s;
    s->cap = old.cap ? old.cap * 2 : 256;
    s->number = must_alloc(s->cap * sizeof *s->number);
    for (size_t i = 0; i < old.cap; i++) {
        if (!old.number[i])
            continue;
        size_t at = hash(h, old.number[i] - 1) & (s->cap - 1);
        while (s->number[at])
            at = (at + 1) & (s->cap - 1);
        s->number[at] = old.number[i];
    }
    free(old.number);
}

/* Where the number of `wanted` is, or, 0, is to be put. */
static uint32_t *slots_find(const struct history *h, struct slots *s, hash_fn *hash_of,
                            same_fn *same, uint64_t hash, const void *wanted)
{
    if (s->used * 4 >= s->cap * 3)
        slots_grow(h, s, hash_of);
    size_t at = hash & (s->cap - 1);
    while (s->number[at] && !same(h, s->number[at] - 1, wanted))
        at = (at + 1) & (s->cap - 1);
    if (!s->number[at])
        s->used++;
    return &s->number[at];
}

static uint64_t word_hash(const struct history *h, uint32_t number)
{
    Str s = history_word(h, number);
    return hash_bytes(s.p, s.len);
}

static bool word_same(const struct history *h, uint32_t number, const void *wanted)
{
    return str_eq(history_word(h, number), *(const Str *)wanted);
}

static uint32_t word_number(struct history *h, Str s)
{
    if (!s.len)
        return 0;
    uint32_t *slot =
        slots_find(h, &h->word_slots, word_hash, word_same, hash_bytes(s.p, s.len), &s);
    if (*slot)
        return *slot - 1;
    while (h->text_cap - h->text_len < s.len) {
        h->text_cap = h->text_cap ? h->text_cap * 2 : 4096;
        h->text = must_realloc(h->text, h->text_cap);
    }
    memcpy(h->text + h->text_len, s.p, s.len);
    MAKE_ROOM(h->words, h->word_count, h->words_cap);
    h->words[h->word_count] = (struct word){h->text_len, (uint32_t)s.len};
    h->text_len += s.len;
    *slot = ++h->word_count;
    return h->word_count - 1;
}

uint32_t history_find_word(const struct history *h, Str s)
{
    const struct slots *w = &h->word_slots;
    if (!s.len || !w->cap)
        return 0;
    size_t at = hash_bytes(s.p, s.len) & (w->cap - 1);
    while (w->number[at] && !word_same(h, w->number[at] - 1, &s))
        at = (at + 1) & (w->cap - 1);
    return w->number[at] ? w->number[at] - 1 : 0;
}

struct pair {
    uint32_t channel, body;
};

static uint64_t pair_hash(struct pair p)
{
    return hash_bytes(&p, sizeof p);
}

static uint64_t event_hash(const struct history *h, uint32_t number)
{
    return pair_hash((struct pair){h->events[number].channel, h->events[number].body});
}

static bool event_same(const struct history *h, uint32_t number, const void *wanted)
{
    const struct pair *p = wanted;
    return h->events[number].channel == p->channel && h->events[number].body == p->body;
}

static uint32_t event_number(struct history *h, Str channel, Str body)
{
    struct pair p = {word_number(h, channel), word_number(h, body)};
    uint32_t *slot = slots_find(h, &h->event_slots, event_hash, event_same, pair_hash(p), &p);
    if (*slot)
        return *slot - 1;
    MAKE_ROOM(h->events, h->event_count, h->events_cap);
    h->events[h->event_count] = (struct meant){p.channel, p.body, 0, false, false};
    *slot = ++h->event_count;
    return h->event_count - 1;
}

static uint64_t epoch_hash(const struct history *h, uint32_t number)
{
    return hash_bytes(&h->epochs[number], sizeof(uint64_t));
}

static bool epoch_same(const struct history *h, uint32_t number, const void *wanted)
{
    return h->epochs[number] == *(const uint64_t *)wanted;
}

static uint16_t epoch_number(struct history *h, uint64_t epoch)
{
    if (epoch == 0)
        return EPOCH_INDEX_NONE;
    if (epoch == EPOCH_UNREADABLE)
        return EPOCH_INDEX_UNREADABLE;
    uint32_t *slot = slots_find(h, &h->epoch_slots, epoch_hash, epoch_same,
                                hash_bytes(&epoch, sizeof epoch), &epoch);
    if (*slot)
        return (uint16_t)(*slot - 1);
    MAKE_ROOM(h->epochs, h->epoch_count, h->epochs_cap);
    h->epochs[h->epoch_count] = epoch;
    *slot = ++h->epoch_count;
    assert(h->epoch_count <= UINT16_MAX);
    return (uint16_t)(h->epoch_count - 1);
}

static uint32_t member_word(struct history *h, const struct fact *f, uint8_t offset)
{
    return offset ? word_number(h, *(const Str *)(const void *)((const char *)f + offset)) : 0;
}

static uint8_t flags_of(const struct fact *f)
{
    bool flag = f->what == FACT_OPEN ? f->resumed : f->what == FACT_JOINED && f->late;
    unsigned start = f->what == FACT_CONNECT ? (unsigned)f->start : 0;
    return (uint8_t)((flag ? ROW_FLAG : 0) | start << ROW_START_SHIFT);
}

void history_add(struct history *h, const struct fact *f)
{
    const struct layout *l = &layouts[f->what];
    struct row r = {.ns = f->ns,
                    .at = f->id.at,
                    .actor = word_number(h, f->actor),
                    .op = f->op,
                    .a = l->event ? event_number(h, f->channel, f->body) : member_word(h, f, l->a),
                    .b = member_word(h, f, l->b),
                    .c = member_word(h, f, l->c),
                    .epoch = epoch_number(h, f->id.epoch),
                    .what = (uint8_t)f->what,
                    .flags = flags_of(f)};
    if (f->what == FACT_INVOKE) {
        struct meant *e = &h->events[r.a];
        e->exclude = r.c;
        e->mortal = e->mortal || f->mortal;
        e->ephemeral = e->ephemeral || f->ephemeral;
    }
    MAKE_ROOM(h->rows, h->len, h->rows_cap);
    h->rows[h->len++] = r;
}

static void set_member(const struct history *h, struct fact *f, uint8_t offset, uint32_t word)
{
    if (offset)
        *(Str *)(void *)((char *)f + offset) = history_word(h, word);
}

void history_get(const struct history *h, size_t i, struct fact *out)
{
    const struct row *r = &h->rows[i];
    const struct layout *l = &layouts[r->what];
    *out = (struct fact){.ns = r->ns,
                         .actor = history_word(h, r->actor),
                         .what = r->what,
                         .op = r->op,
                         .id = {h->epochs[r->epoch], r->at}};
    if (l->event) {
        out->channel = history_word(h, h->events[r->a].channel);
        out->body = history_word(h, h->events[r->a].body);
    }
    set_member(h, out, l->a, r->a);
    set_member(h, out, l->b, r->b);
    set_member(h, out, l->c, r->c);
    out->resumed = r->what == FACT_OPEN && r->flags & ROW_FLAG;
    out->late = r->what == FACT_JOINED && r->flags & ROW_FLAG;
    if (r->what == FACT_CONNECT)
        out->start = r->flags >> ROW_START_SHIFT;
    if (r->what == FACT_INVOKE) {
        out->mortal = h->events[r->a].mortal;
        out->ephemeral = h->events[r->a].ephemeral;
    }
}

/* Merges what is in order in [0, half) and [half, len), keeping the first half's first. */
static void merge(struct row *rows, size_t half, size_t len, struct row *spare)
{
    memcpy(spare, rows, half * sizeof *rows);
    size_t i = 0, j = half, to = 0;
    while (i < half)
        rows[to++] = j < len && rows[j].ns < spare[i].ns ? rows[j++] : spare[i++];
}

static void sort(struct row *rows, size_t len, struct row *spare)
{
    if (len < 2)
        return;
    size_t half = len / 2;
    sort(rows, half, spare);
    sort(rows + half, len - half, spare);
    if (rows[half].ns < rows[half - 1].ns)
        merge(rows, half, len, spare);
}

void history_sort(struct history *h)
{
    struct row *spare = must_alloc((h->len / 2 + 1) * sizeof *spare);
    sort(h->rows, h->len, spare);
    free(spare);
}
