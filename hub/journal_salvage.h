/* journal_salvage -- copies the rows of one table from a file that is damaged to one that is not:
 * from below as far as it can be read, from above as far as it can be read, and what is between
 * again in two parts, until all that is left are holes. An index tells which keys there were: what
 * lies between two pages that cannot be read is found by them, wherever in the range it lies. */
#ifndef BELFRY_JOURNAL_SALVAGE_H
#define BELFRY_JOURNAL_SALVAGE_H

#include "journal_db.h"

struct salvage {
    struct db *from, *to;
    enum query rising, falling; /* rows between ?1 and ?2, their key in the first column */
    enum query known;           /* keys, by an index alone */
    enum query add;
    int columns;
    /* answers */
    uint64_t saved;
    uint64_t hole; /* the highest key that could not be read; 0: there is no hole */
    uint64_t tries;
    bool is_hopeless;
};

/* Keys from 1 to `most`. False: the new file could not be written. */
MUST_USE bool salvage_table(struct salvage *s, uint64_t most);

#endif
