/* journal_copy -- backups: one at a time, made in slices on the writer's own connection, so that
 * what is written meanwhile is in them too. A backup gets its name when it is whole and on disk;
 * it is marked, so that opening it says `restored`. */
#ifndef BELFRY_JOURNAL_COPY_H
#define BELFRY_JOURNAL_COPY_H

#include "journal_db.h"
#include "journal_lane.h"

struct copier {
    struct db *db;
    struct op_list waiting;
    struct backup *current;
    struct db_copy *pages;
    char *part; /* the file until it is whole */
    int fd;
    unsigned slices;
};

void copier_init(struct copier *c, struct db *db);
void copier_add(struct copier *c, struct op *backup);
bool copier_is_busy(const struct copier *c);
/* Does a slice; what is finished by it goes to `done`. */
void copier_slice(struct copier *c, struct op_list *done);
/* The hub stops: all backups are given up. */
void copier_fini(struct copier *c, struct op_list *done);

#endif
