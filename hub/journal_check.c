#include "journal_check.h"

#include "journal_schema.h"
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
    if (!db_is_ok(db))
        buf_printf(report, "%s\n", db->text);
    else if (!report->len)
        buf_put(report, STR("ok"));
    db_rollback(db);
}

bool check_file(const char *path, struct buf *report, struct fault *why)
{
    struct db db;
    bool is_new;
    if (!db_open(&db, path, DB_READS, why))
        return false;
    bool good = schema_recognize(&db, path, &is_new, why);
    if (good && is_new)
        good = fail(why, REFUSE_CONFIG, "%s is empty", path);
    if (good)
        check_db(&db, report);
    else if (why->code == REFUSE_DAMAGED)
        good = buf_printf(report, "%s\n", why->text);
    db_rollback(&db);
    db_close(&db);
    return good;
}
