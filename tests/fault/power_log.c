#include "power_log.h"

#include "wire/message.h"
#include "wire/refusal.h"

#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLICE = 512, KEYS_SAMPLE = 24, DAY = 86400000, REPORT = 65536 };

static void on_channel(void *ctx, const struct journal_channel *c)
{
    struct log *l = ctx;
    if (c->row >= 1 && c->row <= CHANNELS &&
        str_eq(c->name, str_of(channel_name((unsigned)c->row - 1))))
        l->told[c->row - 1] = *c;
    else
        l->is_odd = true;
}

bool log_begin(struct log *l, const char *folder, const char *file, struct fault *why)
{
    *l = (struct log){0};
    snprintf(l->path, sizeof l->path, "%s/%s", folder, file);
    struct journal_sqlite_options options = {l->path, DAY, 1000000};
    l->j = journal_sqlite_open(&options, &l->state, on_channel, l, why);
    return l->j;
}

void log_end(struct log *l)
{
    if (l->j)
        l->j->ops->close(l->j);
    journal_state_fini(&l->state);
    l->j = NULL;
}

/* ---- operations ---- */

static struct task *task_new(enum op_kind kind)
{
    struct task *t = must_alloc(sizeof *t);
    t->op.kind = kind;
    return t;
}

static Str word(struct task *t, unsigned i, uint64_t key)
{
    snprintf(t->words[i], sizeof t->words[i], "%" PRIx64, key);
    return key ? str_of(t->words[i]) : STR_NONE;
}

static struct event *make_event(const struct model_event *m)
{
    char *text = must_alloc(m->data + 24);
    body_text(m, text);
    struct event *e = event_new(&(struct event){.channel = str_of(channel_name(m->channel)),
                                                .data = str_make(text, m->data)});
    free(text);
    return e;
}

static void fill_append(struct task *t, const struct deed *d)
{
    struct append *a = &t->append;
    a->user = STR("ann");
    a->key = word(t, SENDS, d->key);
    a->print[0] = a->print[1] = d->print;
    a->send_count = d->send_count;
    a->sends = must_alloc(SENDS * sizeof *a->sends);
    a->events = must_alloc(sizeof(struct event *) * SENDS * EVENTS);
    a->rows = must_alloc(sizeof *a->rows * SENDS * EVENTS);
    a->fresh = must_alloc(sizeof *a->fresh * SENDS * EVENTS);
    for (unsigned i = 0; i < d->send_count; i++) {
        const struct deed_send *s = &d->sends[i];
        a->sends[i] = (struct append_send){
            .key = word(t, i, s->key), .print = {s->print, 1}, .first = a->event_count, .n = s->n};
        for (unsigned k = 0; k < s->n; k++) {
            a->rows[a->event_count] = s->events[k].channel + 1;
            a->fresh[a->event_count] = true;
            a->events[a->event_count] = make_event(&s->events[k]);
            a->size += event_size(a->events[a->event_count++]);
        }
    }
}

struct task *task_of_deed(const struct deed *d, size_t number)
{
    struct task *t = task_new(d->kind);
    t->deed = number;
    if (d->kind == OP_APPEND) {
        fill_append(t, d);
    } else if (d->kind == OP_PRUNE) {
        t->prune.row = d->channel + 1;
        t->prune.excess_rows = d->excess;
        t->prune.most = d->most;
    } else {
        t->forget.rows = t->rows;
        for (unsigned i = 0; i < CHANNELS; i++)
            if (d->forgets[i])
                t->rows[t->forget.n++] = i + 1;
    }
    return t;
}

static Msec oldest(const struct model *m, unsigned channel)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->events[i].channel == channel)
            return m->events[i].time;
    return 0;
}

struct task *task_note(const struct model *taken, size_t number)
{
    struct task *t = task_new(OP_NOTE);
    t->deed = number;
    t->note.counted = taken->head;
    t->note.channels = t->figures;
    for (unsigned i = 0; i < CHANNELS; i++) {
        const struct model_channel *c = &taken->channels[i];
        if (c->exists)
            t->figures[t->note.n++] =
                (struct note_channel){i + 1, c->count, c->bytes, c->last, oldest(taken, i)};
    }
    return t;
}

struct task *task_read(Position after, Position upto, bool descending)
{
    struct task *t = task_new(OP_READ);
    struct buf list;
    buf_init(&list, sizeof t->list);
    list_put(&list, STR("*"));
    memcpy(t->list, list.p, list.len);
    t->reading.channels = t->list;
    t->reading.channels_len = list.len;
    buf_fini(&list);
    t->reading.after = after;
    t->reading.upto = upto;
    t->reading.limit = SLICE;
    t->reading.bytes = UINT32_MAX;
    t->reading.descending = descending;
    return t;
}

struct task *task_backup(const char *folder, size_t number)
{
    struct task *t = task_new(OP_BACKUP);
    snprintf(t->path, sizeof t->path, "%s/backup-%zu.db", folder, number);
    t->deed = number;
    t->backup.path = t->path;
    return t;
}

struct task *task_check(void)
{
    struct task *t = task_new(OP_CHECK);
    buf_init(&t->check.report, REPORT);
    return t;
}

void task_free(struct task *t)
{
    for (size_t i = 0; t->op.kind == OP_APPEND && i < t->append.event_count; i++)
        event_unref(t->append.events[i]);
    if (t->op.kind == OP_APPEND) {
        free(t->append.sends);
        free(t->append.events);
        free(t->append.rows);
        free(t->append.fresh);
    }
    if (t->op.kind == OP_READ)
        reading_fini(&t->reading);
    if (t->op.kind == OP_CHECK)
        buf_fini(&t->check.report);
    free(t);
}

static bool append_is_as(const struct append *a, const struct deed *d, struct fault *why)
{
    for (unsigned i = 0; i < d->send_count; i++) {
        const struct append_send *s = &a->sends[i];
        const struct deed_send *e = &d->sends[i];
        if (s->code != e->code || s->again != e->again || s->at != e->at)
            return fail(why, 0,
                        "send %u is at %" PRIu64 " code %d again %d, not at %" PRIu64
                        " code %d again %d",
                        i, s->at, s->code, s->again, e->at, e->code, e->again);
    }
    return true;
}

bool task_is_as(const struct task *t, const struct deed *d, struct fault *why)
{
    if (t->op.why.code)
        return fail(why, 0, "an operation failed: %.180s", t->op.why.text);
    if (d->kind == OP_APPEND)
        return append_is_as(&t->append, d, why);
    if (d->kind == OP_PRUNE && (t->prune.rows != d->rows || t->prune.floor != d->pruned_floor))
        return fail(why, 0, "%" PRIu64 " rows pruned, not %" PRIu64, t->prune.rows, d->rows);
    return true;
}

void log_submit(struct log *l, struct task *t)
{
    l->j->ops->submit(l->j, &t->op);
}

struct op *log_wait(struct log *l)
{
    struct op *op;
    while (!(op = l->j->ops->take(l->j))) {
        struct pollfd p = {l->j->ops->fd(l->j), POLLIN, 0};
        int ready = poll(&p, 1, 60000);
        assert(ready == 1);
    }
    return op;
}

void log_do(struct log *l, struct task *t)
{
    log_submit(l, t);
    l->j->ops->flush(l->j);
    struct op *done = log_wait(l);
    assert(done == &t->op);
}

/* ---- judgement ---- */

static bool channel_looks_like(const struct journal_channel *told, const struct model_channel *c)
{
    if (!c->exists || !told->row)
        return c->exists == (told->row != 0);
    Position last = c->last > c->floor ? c->last : c->floor;
    return told->floor == c->floor && told->last == last && told->count == c->count &&
           told->bytes == c->bytes;
}

bool log_looks_like(const struct log *l, const struct model *m)
{
    if (l->is_odd || l->state.head != m->head || l->state.oldest != m->floor ||
        l->state.forgotten != m->forgotten)
        return false;
    for (unsigned i = 0; i < CHANNELS; i++)
        if (!channel_looks_like(&l->told[i], &m->channels[i]))
            return false;
    return true;
}

static bool event_is(const struct log *l, const struct event *e, const struct model_event *m,
                     struct fault *why)
{
    struct event *want = make_event(m);
    bool same = e->id.at == m->at && str_eq(e->channel, want->channel) &&
                str_eq(e->data, want->data) && (!m->time || m->time == e->time);
    event_unref(want);
    if (!same)
        return fail(why, 0, "the event at %" PRIu64 " is not the one of %" PRIu64, e->id.at, m->at);
    const struct journal_channel *c = &l->told[m->channel];
    if (e->time < c->oldest)
        return fail(why, 0, "the event at %" PRIu64 " is older than its channel's oldest", m->at);
    return true;
}

static bool events_are(struct log *l, struct model *m, struct fault *why)
{
    size_t seen = 0;
    Msec time = 0;
    bool more = true, same = true;
    for (Position after = 0; more && same;) {
        struct task *t = task_read(after, m->head, false);
        log_do(l, t);
        const struct reading *r = &t->reading;
        same = !t->op.why.code || fail(why, 0, "a read failed: %.180s", t->op.why.text);
        for (size_t i = 0; i < r->n && same; i++, seen++) {
            same = seen < m->n ? event_is(l, r->events[i], &m->events[seen], why)
                               : fail(why, 0, "more events than there were");
            if (same && r->events[i]->time < time)
                same = fail(why, 0, "time went back at %" PRIu64, r->events[i]->id.at);
            time = r->events[i]->time;
            if (same)
                m->events[seen].time = time;
        }
        after = r->next;
        more = r->more;
        task_free(t);
    }
    return same && (seen == m->n || fail(why, 0, "%zu events of %zu", seen, m->n));
}

/* Some keys, newest first: each is known, with the same answer. */
static bool keys_are(struct log *l, const struct model *m, struct fault *why)
{
    bool same = true;
    struct model scratch = model_copy(m);
    size_t step = m->key_count / KEYS_SAMPLE + 1;
    for (size_t back = 0; back < m->key_count && same; back += back < 8 ? 1 : step) {
        const struct model_key *k = &m->keys[m->key_count - 1 - back];
        struct deed d = {.kind = OP_APPEND, .send_count = k->sends};
        for (unsigned i = 0; i < k->sends; i++)
            d.sends[i] = (struct deed_send){.n = 1, .events = {{.body = 1, .data = 24}}};
        bool whole = k->key & 1;
        *(whole ? &d.key : &d.sends[0].key) = k->key;
        *(whole ? &d.print : &d.sends[0].print) = k->print;
        model_do(&scratch, &d);
        struct task *t = task_of_deed(&d, 0);
        log_do(l, t);
        same = task_is_as(t, &d, why);
        task_free(t);
    }
    model_fini(&scratch);
    return same;
}

static bool is_whole(struct log *l, struct fault *why)
{
    struct task *t = task_check();
    log_do(l, t);
    bool ok = str_eq(buf_str(&t->check.report), STR("ok"));
    if (!ok)
        fail(why, 0, "check: %.*s", (int)(t->check.report.len < 150 ? t->check.report.len : 150),
             t->check.report.p);
    task_free(t);
    return ok;
}

bool log_is(struct log *l, struct model *m, struct fault *why)
{
    if (!log_looks_like(l, m))
        return fail(why, 0, "the figures of the opening are others: head %" PRIu64 ", not %" PRIu64,
                    l->state.head, m->head);
    return events_are(l, m, why) && keys_are(l, m, why) && is_whole(l, why);
}
