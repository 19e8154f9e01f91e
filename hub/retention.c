#include "retention.h"

#include "base/log.h"
#include "engine.h"

#include <assert.h>
#include <stdlib.h>

enum {
    PRUNE_ROWS = 512,      /* of one operation */
    PRUNES_ROWS = 8192,    /* of all that are under way at once */
    PRUNES = 512,          /* so many at most: each has one row or few */
    FORGET_CHANNELS = 256, /* of one operation */
    FULL_PAUSE_MS = 10000, /* small events find room where large ones do not: it comes and goes */
    NOTE_EVENTS = 16384,
    LOG_SHARE = 16, /* of its time the whole log loses one part of so many, or more */
    LOG_PARTS = 1024,
};

struct pruning {
    struct prune p; /* first */
    struct channel *channel;
    uint64_t rows, cut; /* what it is thought to take away; bytes, where the whole log is cut */
};

struct forgetting {
    struct forget f; /* first */
    struct channel *channels[FORGET_CHANNELS];
    uint64_t rows[FORGET_CHANNELS];
};

static void on_pruned(struct hub *h, struct op *op);
static void on_forgotten(struct hub *h, struct op *op);
static void on_noted(struct hub *h, struct op *op);
static struct op_owner prune_owner = {on_pruned}, forget_owner = {on_forgotten},
                       note_owner = {on_noted};

/* What is handed in waits behind all publishes that do: the more of them, the more is to go. */
static bool has_room(const struct hub *h)
{
    return h->prunes < PRUNES + h->queue && h->prunes_rows < PRUNES_ROWS + 2 * h->queue;
}

static struct pruning *prune(struct hub *h, struct channel *ch, Msec before, uint64_t rows,
                             uint64_t bytes)
{
    struct pruning *p = must_alloc(sizeof *p);
    p->p.op.kind = OP_PRUNE;
    p->p.row = ch->row;
    p->p.excess_rows = rows;
    p->p.excess_bytes = bytes;
    p->p.before = before;
    p->p.most = PRUNE_ROWS;
    p->channel = ch;
    p->rows = ch->count < PRUNE_ROWS ? ch->count : PRUNE_ROWS;
    ch->is_pruning = true;
    channel_schedule(&h->channels, ch);
    h->prunes++;
    h->prunes_rows += p->rows;
    hub_submit(h, &p->p.op, &prune_owner);
    return p;
}

static uint64_t excess(uint64_t n, uint64_t limit)
{
    return n > limit ? n - limit : 0;
}

static void on_pruned(struct hub *h, struct op *op)
{
    struct pruning *p = (struct pruning *)(void *)op;
    struct channel *ch = p->channel;
    h->prunes--;
    h->prunes_rows -= p->rows;
    h->prunes_cut -= p->cut;
    ch->is_pruning = false;
    if (op->why.code) {
        h->retry_prunes = h->now.mono + BEAT_MS;
    } else {
        channel_discount(&h->channels, ch, &p->p, h->now.wall);
        h->counters[COUNT_PRUNED] += p->p.rows;
        h->counters[COUNT_PRUNED_BYTES] += p->p.bytes;
    }
    channel_schedule(&h->channels, ch);
    free(p);
}

static struct channel *next_due(const struct hub *h)
{
    struct heap_node *n = heap_top(&h->channels.due);
    if (!n || n->key > h->now.wall)
        return NULL;
    return CONTAINER_OF(n, struct channel, due);
}

static bool can_forget(const struct channel *ch)
{
    return ch->count == 0 && ch->pending == 0 && ch->stored && !ch->is_pruning &&
           !ch->is_forgetting;
}

static void take(struct forgetting *f, struct hub *h, struct channel *ch)
{
    ch->is_forgetting = true;
    f->channels[f->f.n] = ch;
    f->rows[f->f.n++] = ch->row;
    channel_schedule(&h->channels, ch);
}

static void forget_from(struct hub *h, struct channel *first)
{
    struct forgetting *f = must_alloc(sizeof *f);
    f->f.op.kind = OP_FORGET;
    f->f.rows = f->rows;
    for (struct channel *ch = first; ch && can_forget(ch) && f->f.n < FORGET_CHANNELS;
         ch = next_due(h))
        take(f, h, ch);
    hub_submit(h, &f->f.op, &forget_owner);
}

static void on_forgotten(struct hub *h, struct op *op)
{
    struct forgetting *f = (struct forgetting *)(void *)op;
    if (!op->why.code && f->f.highest > h->channels.forgotten)
        h->channels.forgotten = f->f.highest;
    for (size_t i = 0; i < f->f.n; i++) {
        struct channel *ch = f->channels[i];
        ch->is_forgetting = false;
        if (op->why.code || ch->count > 0) {
            ch->emptied = h->now.wall;
            channel_schedule(&h->channels, ch);
            continue;
        }
        channel_forgotten(&h->channels, ch);
        hub_count(h, COUNT_FORGOTTEN);
    }
    free(f);
}

/* One that stands in the heap, but for which nothing can be done yet: looked at again later. */
static void put_off(struct hub *h, struct channel *ch)
{
    heap_set(&h->channels.due, &ch->due, h->now.wall + BEAT_MS);
}

static void prune_due(struct hub *h)
{
    struct channel *ch;
    while (has_room(h) && (ch = next_due(h))) {
        Msec before = h->now.wall >= ch->keep.age ? h->now.wall - ch->keep.age + 1 : 0;
        if (ch->count > 0)
            prune(h, ch, before, excess(ch->count, ch->keep.keep),
                  excess(ch->bytes, ch->keep.bytes));
        else if (can_forget(ch))
            forget_from(h, ch);
        else
            put_off(h, ch);
    }
}

/* Which part of its time a channel loses, in 1/LOG_PARTS: as much as the log is too big by, and not
 * less than would be worth the while. */
static uint64_t log_share(const struct hub *h)
{
    uint64_t over = h->channels.bytes - h->o->max_log;
    uint64_t share = over / (h->channels.bytes / LOG_PARTS + 1) + 1;
    return share > LOG_PARTS / LOG_SHARE ? share : LOG_PARTS / LOG_SHARE;
}

/* The whole log is too big: its oldest events go, wherever they are; of many channels at once where
 * each has few. */
static void prune_log(struct hub *h)
{
    struct heap_node *n;
    while (h->channels.bytes > h->o->max_log + h->prunes_cut && has_room(h) &&
           (n = heap_top(&h->channels.aged))) {
        struct channel *ch = CONTAINER_OF(n, struct channel, aged);
        uint64_t share = log_share(h);
        Msec span = h->now.wall > ch->oldest ? h->now.wall - ch->oldest : 0;
        struct pruning *p = prune(h, ch, ch->oldest + span * share / LOG_PARTS + 1, 0, 0);
        uint64_t rows = ch->count * share / LOG_PARTS + 1;
        if (rows < p->p.most)
            p->p.most = (uint32_t)rows; /* also where that time took in more of them */
        p->cut = ch->count ? ch->bytes / ch->count * (rows < p->rows ? rows : p->rows) : 0;
        h->prunes_cut += p->cut;
    }
}

static void on_noted(struct hub *h, struct op *op)
{
    struct note *n = (struct note *)(void *)op;
    h->is_noting = false;
    if (op->why.code) {
        if (h->is_writable)
            log_warn("note", kz("why", op->why.text));
        else if (op->why.code == REFUSE_DISK_FULL)
            retention_full(h, &op->why);
        channels_not_noted(&h->channels);
    } else if (!h->is_writable) {
        retention_recovered(h);
    }
    free(n->channels);
    free(n);
}

void retention_full(struct hub *h, const struct fault *why)
{
    h->is_writable = false;
    if (h->is_full_told || h->now.mono < h->next_full)
        return;
    log_error("journal", kz("writable", "no"), kz("why", why->text));
    h->is_full_told = true;
    h->next_full = h->now.mono + FULL_PAUSE_MS;
}

/* What is to be taken away makes room for more: not after publishes have filled the disk again. */
void retention_recovered(struct hub *h)
{
    if (h->is_full_told)
        log_info("journal", kz("writable", "yes"));
    h->is_full_told = false;
    h->is_writable = true;
    h->retry_prunes = 0;
}

/* Nobody may publish to a hub that says it cannot: so it tries by itself. */
static void probe(struct hub *h)
{
    if (h->is_writable || h->is_noting || h->now.mono < h->next_probe)
        return;
    h->next_probe = h->now.mono + BEAT_MS;
    retention_note(h);
}

static int compare_rows(const void *a, const void *b)
{
    const struct note_channel *x = a, *y = b;
    return (x->row > y->row) - (x->row < y->row);
}

void retention_note(struct hub *h)
{
    struct note *n = must_alloc(sizeof *n);
    uint64_t number = ++h->channels.notes;
    n->op.kind = OP_NOTE;
    n->counted = h->through;
    n->channels = must_alloc(h->channels.changed_count * sizeof *n->channels);
    struct list *node, *safe;
    LIST_EACH(node, safe, &h->channels.changed)
    {
        struct channel *ch = CONTAINER_OF(node, struct channel, changed);
        assert(n->n < h->channels.changed_count);
        if (ch->stored)
            n->channels[n->n++] =
                (struct note_channel){ch->row, ch->count, ch->bytes, ch->last, ch->oldest};
        ch->note = number;
        list_remove(node);
    }
    /* As they lie in the file: of a crowd of channels each page is written once, and soon found. */
    qsort(n->channels, n->n, sizeof *n->channels, compare_rows);
    h->channels.changed_count = 0;
    h->noted = 0;
    h->is_noting = true;
    hub_submit(h, &n->op, &note_owner);
}

void retention_hurry(struct hub *h)
{
    struct channel *ch;
    for (size_t at = 0; (ch = map_next(&h->channels.by_name, &at));)
        if (ch->count > ch->keep.keep && !ch->is_pruning)
            heap_set(&h->channels.due, &ch->due, 0);
}

bool retention_is_idle(const struct hub *h)
{
    return h->prunes == 0 && h->channels.bytes <= h->o->max_log && !next_due(h);
}

void retention_turn(struct hub *h)
{
    if (h->is_stopping)
        return;
    if (h->now.mono >= h->retry_prunes) {
        prune_due(h);
        prune_log(h);
    }
    if (h->noted >= NOTE_EVENTS && !h->is_noting)
        retention_note(h);
    probe(h);
}
