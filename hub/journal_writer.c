#include "journal_writer.h"
#include "base/log.h"
#include "journal_accounts.h"
#include "journal_start.h"
#include "wire/refusal.h"

enum {
    BATCH_OPS = 2048,
    BATCH_BYTES = 4 * 1024 * 1024, /* in memory: a small event counts for more than a kilobyte */
    LOOK_EACH = 10000,             /* ms */
    EXPIRE_KEYS = 64,              /* in a batch; twice as many as an append may add on average */
    WAL_IDLE = 4 * 1024 * 1024,
    WAL_FORCED = 32 * 1024 * 1024,
};

void writer_init(struct writer *w, struct outbox *outbox, const struct lineage *lineage,
                 Msec key_age, uint64_t key_limit)
{
    lane_init(&w->lane);
    w->outbox = outbox;
    w->lineage = lineage;
    w->keys = (struct keys){.db = &w->db, .ledger = &w->ledger, .age = key_age, .limit = key_limit};
    w->retained = (struct retained){.db = &w->db, .ledger = &w->ledger};
    copier_init(&w->copier, &w->db);
}

void writer_fini(struct writer *w)
{
    retained_fini(&w->retained);
    db_close(&w->db);
    lane_fini(&w->lane);
}

static void apply(struct writer *w, struct op *op)
{
    switch (op->kind) {
    case OP_APPEND:
        writer_append(w, (struct append *)(void *)op);
        break;
    case OP_PRUNE:
        retained_prune(&w->retained, (struct prune *)(void *)op);
        break;
    case OP_NOTE:
        retained_note(&w->retained, (const struct note *)(const void *)op);
        break;
    case OP_FORGET:
        retained_forget(&w->retained, (struct forget *)(void *)op);
        break;
    case OP_ACCOUNT:
        stored_accounts_write(&w->db, (const struct account_op *)(const void *)op);
        break;
    case OP_READ:
    case OP_FIND:
    case OP_CHECK:
    case OP_BACKUP:
        break; /* never in a batch */
    }
}

/* Another program that writes can destroy the file (SQLite before 3.51.3), and nothing of ours can
 * go on while it holds the lock: say so, and try again. */
static bool begin(struct writer *w)
{
    while (!db_do(&w->db, QUERY_BEGIN_WRITE)) {
        if (!db_is_busy(&w->db) || lane_is_closing(&w->lane))
            return false;
        log_error("foreign_writer", kz("file", "journal.db"), kz("detail", w->db.text));
        db_forget_error(&w->db);
    }
    return true;
}

/* Up to the commit nothing is lost: what fails is undone as a whole. */
static bool fill(struct writer *w, struct op_list *batch)
{
    if (!db_make_room(&w->db) || !begin(w))
        return false;
    Msec now = clock_wall();
    if (w->ledger.time < now)
        w->ledger.time = now;
    uint64_t keys = w->ledger.keys;
    if (!w->is_started && db_write_log_again(&w->db))
        start_write(&w->db, w->lineage);
    w->is_started = true;
    for (struct op *op = batch->first; op && db_is_ok(&w->db); op = op->next)
        apply(w, op);
    uint64_t added = w->ledger.keys > keys ? w->ledger.keys - keys : 0;
    keys_expire(&w->keys, EXPIRE_KEYS + 2 * added);
    return ledger_write(&w->db, &w->ledger);
}

/* What was written contradicts itself; or a failed fsync may have reached the disk or not, and the
 * kernel will not say so twice: nothing more is done on this connection. */
static void judge(struct writer *w, bool committing, struct fault *why)
{
    db_fault(&w->db, why);
    bool is_written = committing && db_is_unindexed(&w->db);
    if ((db_is_full(&w->db) && !is_written) || db_is_busy(&w->db))
        return;
    struct fault end = *why;
    if (end.code == REFUSE_INTERNAL || is_written)
        end.code = REFUSE_UNKNOWN_OUTCOME;
    outbox_break(w->outbox, &end);
    if (committing)
        *why = end;
}

static void answer_all(struct op_list *batch, const struct fault *why)
{
    for (struct op *op = batch->first; op; op = op->next) {
        if (op->kind == OP_APPEND)
            append_undo((struct append *)(void *)op);
        op->why = *why;
    }
}

static size_t count_prunes(const struct op_list *batch)
{
    size_t n = 0;
    for (const struct op *op = batch->first; op; op = op->next)
        n += op->kind == OP_PRUNE;
    return n;
}

/* An error of the disk here is as bad as one at a commit; a full disk only delays it. */
static void checkpoint(struct writer *w, enum db_checkpoint how)
{
    if (!db_checkpoint(&w->db, how)) {
        struct fault why;
        judge(w, false, &why);
        db_forget_error(&w->db);
    }
    w->wal_tried = w->db.wal_bytes;
}

static void transact(struct writer *w, struct op_list *batch)
{
    struct ledger before = w->ledger;
    bool was_started = w->is_started;
    uint64_t first_prune = retained_next(&w->retained);
    retained_known(&w->retained, atomic_load(&w->prunes_known));
    bool filled = fill(w, batch);
    if (filled && db_do(&w->db, QUERY_COMMIT)) {
        for (struct op *op = batch->first; op; op = op->next)
            op->why.code = 0;
        return;
    }
    struct fault why;
    judge(w, filled, &why);
    db_rollback(&w->db);
    w->ledger = before;
    w->is_started = was_started;
    retained_undo(&w->retained, first_prune, count_prunes(batch));
    answer_all(batch, &why);
    if (why.code == REFUSE_DISK_FULL)
        checkpoint(w, DB_PASSIVE); /* the write-ahead log can then be used again */
}

static void refuse_all(struct op_list *batch)
{
    struct fault why;
    fail(&why, REFUSE_UNKNOWN_OUTCOME, "the log is to be opened again");
    answer_all(batch, &why);
}

/* Takes the backups out of the batch. */
static void sort_out(struct writer *w, struct op_list *all, struct op_list *batch)
{
    op_list_init(batch);
    for (struct op *op; (op = op_list_take(all));)
        if (op->kind == OP_BACKUP)
            copier_add(&w->copier, op);
        else
            op_list_add(batch, op);
}

static void work(struct writer *w, struct op_list *all)
{
    struct op_list batch;
    sort_out(w, all, &batch);
    if (!batch.first)
        return;
    if (outbox_is_broken(w->outbox))
        refuse_all(&batch);
    else
        transact(w, &batch);
    outbox_put(w->outbox, &batch);
}

static void back_up(struct writer *w)
{
    struct op_list done;
    op_list_init(&done);
    if (copier_is_busy(&w->copier))
        copier_slice(&w->copier, &done);
    outbox_put(w->outbox, &done);
}

/* What was acknowledged is in a file that nobody finds again, and in the log beside it. */
static bool is_moved(struct writer *w)
{
    struct fault why;
    if (outbox_is_broken(w->outbox) || !db_is_moved(&w->db))
        return false;
    log_error("foreign_writer", kz("file", "journal.db"), kz("detail", "was moved or replaced"));
    fail(&why, REFUSE_UNKNOWN_OUTCOME, "journal.db was moved or replaced while the hub ran");
    outbox_break(w->outbox, &why);
    return true;
}

static void checkpoint_if_due(struct writer *w)
{
    uint64_t size = w->db.wal_bytes;
    if (size < w->wal_tried)
        w->wal_tried = 0;
    bool is_due = size >= w->wal_tried + WAL_IDLE && lane_is_empty(&w->lane);
    bool is_forced = size >= w->wal_tried + WAL_FORCED;
    if ((is_due || is_forced) && !is_moved(w))
        checkpoint(w, is_forced ? DB_RESTART : DB_PASSIVE);
}

static void look_for_others(struct writer *w)
{
    Msec now = clock_mono();
    if (now < w->next_look)
        return;
    w->next_look = now + LOOK_EACH;
    if (is_moved(w))
        return;
    uint64_t version = db_number(&w->db, QUERY_DATA_VERSION);
    db_forget_error(&w->db);
    if (version != w->data_version)
        log_error("foreign_writer", kz("file", "journal.db"),
                  kz("detail", "another program has written to it"));
    w->data_version = version;
}

static void stop(struct writer *w)
{
    struct op_list done;
    op_list_init(&done);
    copier_fini(&w->copier, &done);
    outbox_put(w->outbox, &done);
    if (!outbox_is_broken(w->outbox) && !is_moved(w))
        checkpoint(w, DB_TRUNCATE);
    if (outbox_is_broken(w->outbox) || !w->db.is_log_sure)
        db_keep_log(&w->db);
}

static Msec next_turn(const struct writer *w)
{
    bool has_more = copier_is_busy(&w->copier) && !outbox_is_broken(w->outbox);
    return has_more ? 0 : w->next_look;
}

void *writer_run(void *writer)
{
    struct writer *w = writer;
    struct op_list batch;
    op_list_init(&batch);
    w->data_version = db_number(&w->db, QUERY_DATA_VERSION);
    w->next_look = clock_mono() + LOOK_EACH;
    keys_start(&w->keys);
    while (lane_take(&w->lane, &batch, BATCH_OPS, BATCH_BYTES, next_turn(w))) {
        work(w, &batch);
        if (!outbox_is_broken(w->outbox)) {
            back_up(w);
            checkpoint_if_due(w);
        }
        look_for_others(w);
    }
    stop(w);
    return NULL;
}
