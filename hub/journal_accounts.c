#include "journal_accounts.h"

#include "wire/accounts.h"

static bool read_row(Statement *q, struct msg_account *row)
{
    *row = (struct msg_account){
        .kind = (uint8_t)account_kind_of(column_text(q, 0)),
        .user = column_text(q, 1),
        .name = column_text(q, 2),
        .value = column_number(q, 3),
        .time = column_number(q, 4),
    };
    return account_is_valid(row, NULL);
}

bool stored_accounts_read(struct db *db, struct buf *rows)
{
    Statement *q = db_query(db, QUERY_ACCOUNTS);
    struct msg_account row;
    while (db_row(db, q)) {
        if (!read_row(q, &row)) {
            db_end(q);
            return db_damaged(db, "a row of account cannot be");
        }
        account_put(rows, &row);
    }
    return db_is_ok(db);
}

bool stored_accounts_drop_impossible(struct db *db)
{
    bool any = false;
    Statement *q = db_query(db, QUERY_ACCOUNTS);
    struct msg_account row;
    while (db_row(db, q)) {
        if (read_row(q, &row))
            continue;
        Statement *s = db_query(db, QUERY_DROP_ACCOUNT);
        for (int i = 0; i < 3; i++)
            bind_column(s, i + 1, q, i);
        db_run(db, s);
        any = true;
    }
    return any;
}

void stored_accounts_write(struct db *db, const struct account_op *o)
{
    Str rows = buf_str(&o->rows);
    for (Str item; list_next(&rows, &item);) {
        struct msg_account m;
        if (!msg_account_unpack(item, &m))
            continue;
        Statement *s = db_query(db, m.gone ? QUERY_DROP_ACCOUNT : QUERY_PUT_ACCOUNT);
        bind_text(s, 1, str_of(account_kind_name(m.kind)));
        bind_text(s, 2, m.user);
        bind_text(s, 3, m.name);
        if (!m.gone) {
            bind_number(s, 4, m.value);
            bind_number(s, 5, m.time);
        }
        db_run(db, s);
    }
}
