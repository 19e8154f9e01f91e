/* journal_fixture -- a real journal in a folder of its own, for tests: short words for long
 * operations, each waited for. */
#ifndef BELFRY_JOURNAL_FIXTURE_H
#define BELFRY_JOURNAL_FIXTURE_H

#include "journal_sqlite.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture_channel {
    char name[129];
    struct journal_channel is; /* as it was told at the last opening; row also for new ones */
};

struct fixture {
    char folder[64], path[96];
    struct journal_sqlite_options options;
    struct journal *j;
    struct journal_state state;
    struct fixture_channel *channels;
    size_t channel_count, channel_cap;
    struct fault why; /* of the last opening */
};

/* setup and teardown of a test; *state is the fixture, with an open journal. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

bool fixture_open(struct fixture *f);
void fixture_close(struct fixture *f);
void fixture_reopen(struct fixture *f);
/* Copies what is on disk now, as a crash would leave it, and opens the copy. */
void fixture_crash(struct fixture *f);
struct fixture_channel *fixture_channel(struct fixture *f, const char *name); /* made if need be */
const struct epoch *fixture_epoch(const struct fixture *f);                   /* the newest */

bool fixture_is_log(int fd); /* of the write-ahead log */

void fixture_submit(struct fixture *f, struct op *op); /* without flush */
struct op *fixture_wait(struct fixture *f);            /* the next that is done */
void fixture_do(struct fixture *f, struct op *op);     /* submit, flush, wait for it alone */

/* An append is made send by send, and freed with all its events. */
struct append *append_new(const char *user, const char *key, uint64_t print);
struct append_send *append_send(struct append *a, const char *key, uint64_t print);
void append_event(struct fixture *f, struct append *a, const char *channel, const char *data);
void append_model(struct fixture *f, struct append *a, const struct event *model);
void append_free(struct append *a);

Position fixture_put(struct fixture *f, const char *channel, const char *data);
/* Channels between commas; what is not said is as wide as can be. */
struct reading reading_of(const char *channels);
void fixture_read(struct fixture *f, struct reading *r);
/* "1:news=a 3:chat=b": everything that is read, in order. */
const char *reading_text(const struct reading *r);
struct prune fixture_prune(struct fixture *f, const char *channel, uint64_t excess);
Position fixture_find(struct fixture *f, const char *channels, uint64_t last, Msec since);
char *packed_list(const char *names, size_t *len); /* free() it */

#endif
