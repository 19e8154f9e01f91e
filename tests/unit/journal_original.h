/* journal_original -- a log with all that a log has, as a kill and as a stop left it: whole, to be
 * damaged by tests. */
#ifndef BELFRY_JOURNAL_ORIGINAL_H
#define BELFRY_JOURNAL_ORIGINAL_H

#include "journal_fixture.h"

enum {
    PAGE = 4096,
    EVENTS = 2500,
    ROOMS = 10,
    KEYS = 100,
    DATA = 400,
    REPORT = 65536,
};

/* Of a whole file: nothing of it changes, page by page or byte by byte. */
struct saved {
    char *bytes;
    size_t size;
};

struct original {
    struct saved db, wal, clean; /* as a kill left it, and as a stop did */
    char data[EVENTS + 1][DATA];
    bool is_pruned[EVENTS + 1];
};
extern struct original original;

void saved_load(struct saved *s, const char *path);
void saved_store(const struct saved *s, const char *path);

/* setup and teardown of a test; the fixture is closed. */
int original_make(void **state);
int original_drop(void **state);
void original_empty(struct fixture *f); /* its folder */
/* As the kill left it: its newest part is in the write-ahead log alone. */
void original_put_killed(struct fixture *f);
/* As the stop left it, and what was done to it then. */
void original_put_changed(struct fixture *f, const char *sql);
void original_change(struct fixture *f, const char *sql); /* what lies there */

#endif
