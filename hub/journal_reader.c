#include "journal_reader.h"
#include "base/log.h"
#include "journal_check.h"
#include "wire/refusal.h"

void reader_init(struct reader *r, struct outbox *outbox, const struct lineage *lineage)
{
    lane_init(&r->lane);
    r->outbox = outbox;
    r->lineage = lineage;
}

bool reader_open(struct reader *r, const char *path, struct fault *why)
{
    return db_open(&r->db, path, DB_READS, why);
}

void reader_fini(struct reader *r)
{
    db_close(&r->db);
    lane_fini(&r->lane);
}

static void apply(struct reader *r, struct op *op)
{
    switch (op->kind) {
    case OP_READ:
        reader_read(r, (struct reading *)(void *)op);
        break;
    case OP_FIND:
        reader_find(r, (struct finding *)(void *)op);
        break;
    case OP_APPEND:
    case OP_PRUNE:
    case OP_NOTE:
    case OP_FORGET:
    case OP_ACCOUNT:
    case OP_BACKUP:
    case OP_CHECK:
        break; /* the writer's; done already */
    }
}

static void work(struct reader *r, struct op *op)
{
    op->why.code = 0;
    op->why.text[0] = '\0';
    if (op->kind == OP_CHECK) {
        check_db(&r->db, &((struct check *)(void *)op)->report);
        return;
    }
    db_do(&r->db, QUERY_BEGIN_READ);
    apply(r, op);
    db_do(&r->db, QUERY_COMMIT);
    if (!db_is_ok(&r->db)) {
        db_fault(&r->db, &op->why);
        log_error("journal_read", kz("detail", op->why.text));
        if (op->why.code == REFUSE_DAMAGED)
            outbox_break(r->outbox, &op->why);
        if (op->kind == OP_READ)
            reading_fini((struct reading *)(void *)op);
    }
    db_rollback(&r->db);
}

void *reader_run(void *reader)
{
    struct reader *r = reader;
    struct op_list ops;
    op_list_init(&ops);
    while (lane_take(&r->lane, &ops, 1, SIZE_MAX, UINT64_MAX)) {
        struct op *op = ops.first;
        if (!op)
            continue;
        work(r, op);
        outbox_put(r->outbox, &ops);
    }
    return NULL;
}
