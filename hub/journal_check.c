#include "journal_check.h"

#include "journal_schema.h"
#include "journal_start.h"
#include "journal_whole.h"
#include "wire/refusal.h"

void check_db(struct db *db, struct buf *report)
{
    static const enum query checks[] = {QUERY_INTEGRITY, QUERY_CONTRADICTIONS};
    db_do(db, QUERY_BEGIN_READ);
    for (size_t i = 0; i < COUNT_OF(checks) && !report->len; i++) {
        Statement *s = db_query(db, checks[i]);
        while (db_row(db, s)) {
            Str line = column_text(s, 0);
            if (!str_eq(line, STR("ok")))
                buf_printf(report, "%.*s\n", FMT(line));
        }
    }
    bool is_whole = !report->len && start_is_possible(db);
    if (is_whole)
        buf_put(report, STR("ok"));
    else if (!db_is_ok(db))
        buf_printf(report, "%s\n", db->text);
    db_rollback(db);
}

static bool check_opened(struct db *db, const char *path, struct buf *report, struct fault *why)
{
    bool is_new;
    if (!schema_recognize(db, path, &is_new, why))
        return false;
    if (is_new)
        return fail(why, REFUSE_CONFIG, "%s is empty", path);
    check_db(db, report);
    return true;
}

bool check_file(const char *path, struct buf *report, struct fault *why)
{
    struct db db;
    bool good = whole_looks_so(path, why);
    if (good) {
        if (!db_open(&db, path, DB_READS, why))
            return false;
        good = check_opened(&db, path, report, why);
        db_rollback(&db);
        db_close(&db);
    }
    if (!good && why->code == REFUSE_DAMAGED)
        good = buf_printf(report, "%s\n", why->text);
    return good;
}
