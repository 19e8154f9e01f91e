#include "journal_sqlite.h"
#include "base/log.h"
#include "journal_reader.h"
#include "journal_start.h"
#include "journal_writer.h"

#include <stdlib.h>

enum { INTERRUPT_EACH = 20 /* ms */ };

struct sqlite_journal {
    struct journal base;
    struct lineage lineage; /* not changed while the threads run */
    struct outbox outbox;
    struct writer writer;
    struct reader reader, checker;
    struct op_list for_writer, for_reader, for_checker; /* submitted, not flushed */
    struct op_list taken;
    uint64_t prunes_taken, notes_out;
};

static struct sqlite_journal *of(struct journal *j)
{
    return (struct sqlite_journal *)(void *)j;
}

static void on_submit(struct journal *base, struct op *op)
{
    struct sqlite_journal *j = of(base);
    switch (op->kind) {
    case OP_NOTE:
        ((struct note *)(void *)op)->known = j->prunes_taken;
        j->notes_out++;
        op_list_add(&j->for_writer, op);
        break;
    case OP_APPEND:
    case OP_PRUNE:
    case OP_FORGET:
    case OP_ACCOUNT:
    case OP_BACKUP:
        op_list_add(&j->for_writer, op);
        break;
    case OP_READ:
    case OP_FIND:
        op_list_add(&j->for_reader, op);
        break;
    case OP_CHECK:
        op_list_add(&j->for_checker, op);
        break;
    }
}

static void on_flush(struct journal *base)
{
    struct sqlite_journal *j = of(base);
    lane_put(&j->writer.lane, &j->for_writer);
    lane_put(&j->reader.lane, &j->for_reader);
    lane_put(&j->checker.lane, &j->for_checker);
}

static struct op *on_take(struct journal *base)
{
    struct sqlite_journal *j = of(base);
    if (!j->taken.first)
        outbox_take(&j->outbox, &j->taken);
    struct op *op = op_list_take(&j->taken);
    if (!op)
        return NULL;
    j->prunes_taken += op->kind == OP_PRUNE;
    j->notes_out -= op->kind == OP_NOTE;
    if (!j->notes_out)
        atomic_store(&j->writer.prunes_known, j->prunes_taken);
    return op;
}

static int on_fd(struct journal *j)
{
    return of(j)->outbox.fd;
}

static bool on_is_broken(struct journal *j)
{
    return outbox_is_broken(&of(j)->outbox);
}

/* Readers first: the last connection to be closed, the writer's, then finds nobody in its way. */
bool journal_sqlite_close(struct journal *base, struct fault *why)
{
    struct sqlite_journal *j = of(base);
    on_flush(base);
    lane_close(&j->writer.lane);
    lane_close(&j->reader.lane);
    lane_close(&j->checker.lane);
    lane_join(&j->reader.lane);
    while (!lane_join_within(&j->checker.lane, INTERRUPT_EACH))
        db_interrupt(&j->checker.db); /* each check that waits begins anew */
    reader_fini(&j->reader);
    reader_fini(&j->checker);
    lane_join(&j->writer.lane);
    bool is_broken = outbox_is_broken(&j->outbox);
    if (is_broken)
        outbox_why(&j->outbox, why);
    writer_fini(&j->writer);
    outbox_fini(&j->outbox);
    lineage_fini(&j->lineage);
    free(j);
    return !is_broken;
}

static void on_close(struct journal *base)
{
    struct fault why;
    journal_sqlite_close(base, &why);
}

static const struct journal_ops ops = {
    .submit = on_submit,
    .flush = on_flush,
    .take = on_take,
    .fd = on_fd,
    .is_broken = on_is_broken,
    .close = on_close,
};

static void fill_state(struct journal_state *state, const struct sqlite_journal *j)
{
    const struct ledger *l = &j->writer.ledger;
    *state = (struct journal_state){
        .head = l->head,
        .oldest = l->floor,
        .forgotten = l->forgotten,
        .time = l->time,
        .epochs = must_copy(j->lineage.v, j->lineage.n * sizeof *j->lineage.v),
        .epoch_count = j->lineage.n,
        .is_full = !j->writer.is_started,
    };
}

static bool start_threads(struct sqlite_journal *j, struct fault *why)
{
    return lane_start(&j->writer.lane, writer_run, &j->writer, why) &&
           lane_start(&j->reader.lane, reader_run, &j->reader, why) &&
           lane_start(&j->checker.lane, reader_run, &j->checker, why);
}

static struct sqlite_journal *make(const struct journal_sqlite_options *options)
{
    struct sqlite_journal *j = must_alloc(sizeof *j);
    j->base.ops = &ops;
    op_list_init(&j->for_writer);
    op_list_init(&j->for_reader);
    op_list_init(&j->for_checker);
    op_list_init(&j->taken);
    writer_init(&j->writer, &j->outbox, &j->lineage, options->idempotency_age,
                options->idempotency_keys);
    reader_init(&j->reader, &j->outbox, &j->lineage);
    reader_init(&j->checker, &j->outbox, &j->lineage);
    return j;
}

static void log_open(const char *path, const struct journal_state *state)
{
    const struct epoch *now = &state->epochs[state->epoch_count - 1];
    log_info("journal_open", kz("path", path), kn("head", state->head), kn("bytes", state->bytes),
             kz("reason", now->reason), kz("sqlite", db_library_version()));
}

/* SQLite seldom says of which file it speaks. */
static void name_file(const char *path, struct fault *why)
{
    struct fault was = *why;
    if (!strstr(was.text, path))
        fail(why, was.code, "%.100s: %.130s", path, was.text);
}

struct journal *journal_sqlite_open(const struct journal_sqlite_options *options,
                                    struct journal_state *state,
                                    void (*on_channel)(void *ctx, const struct journal_channel *c),
                                    void *ctx, struct fault *why)
{
    struct sqlite_journal *j = make(options);
    struct writer *w = &j->writer;
    struct start start = {&w->db, on_channel, ctx, &w->ledger, &j->lineage, 0, {0}, false};
    buf_init(&start.accounts, SIZE_MAX / 2);
    *state = (struct journal_state){0};
    if (outbox_init(&j->outbox, why) && schema_open(&w->db, options->path, why) &&
        start_run(&start, why) && reader_open(&j->reader, options->path, why) &&
        reader_open(&j->checker, options->path, why)) {
        w->is_started = start.is_written;
        fill_state(state, j);
        state->bytes = start.bytes;
        state->accounts = buf_take(&start.accounts, &state->accounts_len);
        log_open(options->path, state);
        if (start_threads(j, why))
            return &j->base;
        journal_state_fini(state);
    }
    buf_fini(&start.accounts);
    name_file(options->path, why);
    if (w->db.handle)
        db_keep_log(&w->db); /* what could not be opened stays as it is */
    on_close(&j->base);
    return NULL;
}

void journal_state_fini(struct journal_state *state)
{
    free(state->epochs);
    free(state->accounts);
    state->accounts = NULL;
    state->accounts_len = 0;
    state->epochs = NULL;
    state->epoch_count = 0;
}
