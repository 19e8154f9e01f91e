/* journal_accounts -- the table of rows about users: read as a whole, written row by row. */
#ifndef BELFRY_JOURNAL_ACCOUNTS_H
#define BELFRY_JOURNAL_ACCOUNTS_H

#include "journal.h"
#include "journal_db.h"

/* Appends all rows, packed. */
bool stored_accounts_read(struct db *db, struct buf *rows);
/* Takes away what a start would refuse; whether there was any. */
bool stored_accounts_drop_impossible(struct db *db);
/* Within the writer's transaction. */
void stored_accounts_write(struct db *db, const struct account_op *o);

#endif
