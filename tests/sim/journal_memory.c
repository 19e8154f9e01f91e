#include "journal_memory.h"

#include "journal_lane.h"
#include "wire/refusal.h"

#include <assert.h>
#include <stdlib.h>

struct journal_memory {
    struct journal base;
    struct memory_log *log;
    struct memory_keys keys;
    const Msec *wall;
    struct op_list for_writer, for_reader; /* submitted */
    struct op_list writer, reader;         /* flushed */
    struct op_list done;                   /* not yet to be taken */
    struct op_list taken;
    bool is_broken;
};

static struct journal_memory *of(struct journal *j)
{
    return (struct journal_memory *)(void *)j;
}

static void on_submit(struct journal *base, struct op *op)
{
    struct journal_memory *j = of(base);
    bool is_read = op->kind == OP_READ || op->kind == OP_FIND;
    assert(op->kind != OP_BACKUP && op->kind != OP_CHECK);
    op_list_add(is_read ? &j->for_reader : &j->for_writer, op);
}

static void on_flush(struct journal *base)
{
    struct journal_memory *j = of(base);
    op_list_move(&j->writer, &j->for_writer);
    op_list_move(&j->reader, &j->for_reader);
}

static struct op *on_take(struct journal *base)
{
    return op_list_take(&of(base)->taken);
}

static int on_fd(struct journal *base)
{
    (void)base;
    return -1;
}

static bool on_is_broken(struct journal *base)
{
    return of(base)->is_broken;
}

static void on_close(struct journal *base)
{
    struct journal_memory *j = of(base);
    on_flush(base);
    while (journal_memory_transact(j, SIZE_MAX, MEMORY_COMMITS))
        ;
}

static const struct journal_ops ops = {on_submit, on_flush, on_take, on_fd, on_is_broken, on_close};

struct journal_memory *
journal_memory_open(struct memory_log *m, struct memory_keys keys, const Msec *wall,
                    struct journal_state *state,
                    void (*on_channel)(void *ctx, const struct journal_channel *c), void *ctx)
{
    struct journal_memory *j = must_alloc(sizeof *j);
    j->base.ops = &ops;
    j->log = m;
    j->keys = keys;
    j->wall = wall;
    op_list_init(&j->for_writer);
    op_list_init(&j->for_reader);
    op_list_init(&j->writer);
    op_list_init(&j->reader);
    op_list_init(&j->done);
    op_list_init(&j->taken);
    memory_log_start(m, *wall, state, on_channel, ctx);
    return j;
}

struct journal *journal_memory_base(struct journal_memory *j)
{
    return &j->base;
}

static void apply(struct journal_memory *j, struct op *op)
{
    if (op->kind == OP_APPEND)
        memory_log_append(j->log, (struct append *)(void *)op, j->keys);
    else if (op->kind == OP_PRUNE)
        memory_log_prune(j->log, (struct prune *)(void *)op);
    else if (op->kind == OP_FORGET)
        memory_log_forget(j->log, (struct forget *)(void *)op);
    else if (op->kind == OP_ACCOUNT)
        memory_log_account(j->log, (const struct account_op *)(const void *)op);
    /* A note has nothing to say here: figures are counted anew at each start. */
}

static void fail_op(struct op *op, int code)
{
    if (op->kind == OP_APPEND)
        append_undo((struct append *)(void *)op);
    fail(&op->why, code, "%s",
         code == REFUSE_DISK_FULL ? "the disk is full" : "the outcome is not known");
}

bool journal_memory_transact(struct journal_memory *j, size_t most, enum memory_fate fate)
{
    struct op_list batch;
    op_list_init(&batch);
    for (struct op *op; most && (op = op_list_take(&j->writer)); most--) {
        if (op->kind == OP_APPEND)
            append_undo((struct append *)(void *)op);
        op->why.code = 0;
        op_list_add(&batch, op);
    }
    if (!batch.first)
        return false;
    bool is_written = !j->is_broken && (fate == MEMORY_COMMITS || fate == MEMORY_BREAKS_AFTER);
    if (is_written) {
        memory_log_begin(j->log, *j->wall);
        for (struct op *op = batch.first; op; op = op->next)
            apply(j, op);
        memory_log_end(j->log, j->keys);
    }
    j->is_broken |= fate == MEMORY_BREAKS_BEFORE || fate == MEMORY_BREAKS_AFTER;
    int code = j->is_broken ? REFUSE_UNKNOWN_OUTCOME : REFUSE_DISK_FULL;
    for (struct op *op = batch.first; op && (!is_written || j->is_broken); op = op->next)
        fail_op(op, code);
    op_list_move(&j->done, &batch);
    return true;
}

bool journal_memory_read(struct journal_memory *j)
{
    struct op *op = op_list_take(&j->reader);
    if (!op)
        return false;
    op->why.code = 0;
    if (op->kind == OP_READ)
        memory_log_read(j->log, (struct reading *)(void *)op);
    else
        memory_log_find(j->log, (struct finding *)(void *)op);
    op_list_add(&j->done, op);
    return true;
}

void journal_memory_answer(struct journal_memory *j)
{
    op_list_move(&j->taken, &j->done);
}

struct op *journal_memory_abandon(struct journal_memory *j)
{
    struct op_list *all[] = {&j->taken,  &j->done,       &j->writer,
                             &j->reader, &j->for_writer, &j->for_reader};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct op *op = op_list_take(all[i]);
        if (op)
            return op;
    }
    return NULL;
}

void journal_memory_free(struct journal_memory *j)
{
    if (!j)
        return;
    assert(!journal_memory_abandon(j));
    free(j);
}
