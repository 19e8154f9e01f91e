/* history -- what publishers, readers and the world around them did and saw: facts, in the order
 * of their time. Kept small, so that tens of millions fit in memory. Knows nothing of right and
 * wrong: that is check.h's.
 *
 * As text a fact is one line, `<ns> <actor> <what> name=value ...`, values percent-escaped (blanks,
 * `%`, `=`, controls). A fact's kind says which of the members below it has (history_text.c has
 * the table); the others are ignored.
 *
 * Publishers. `body` is unique for each event meant, on its channel; a retry is a new op with the
 * same key and body. An op without an outcome is of unknown outcome.
 *   invoke   op channel body [key] [exclude: the client that does not get it] [mortal: has a ttl]
 *            [ephemeral]
 *   ok       op [id]
 *   fail     op [code]       surely not in the log
 *   unknown  op [code]
 * Readers. An actor is one browser that goes on over its connections, one after the other.
 *   connect  conn channels [client] [user] [cursor] [start: earliest, last, since, now]
 *   open     conn [id: everything after it is to come] [resumed] [client]
 *   asks     conn channel [id: not from before it]     written before it is asked for by a POST
 *   joined   conn channel id: everything after it is to come [late: id lies below the stream's own
 *            position, so that what lies between comes without ids; owed only to the drained]
 *   left     conn channel
 *   receive  conn channel body [id: none for ephemeral and late ones]
 *   beat     conn id: everything up to it was sent
 *   gap      conn reason [oldest: what is gone is not above it] channels
 *   bye      conn reason      close  conn [by: `client` where the reader itself ended it]
 *   refused  conn code        drained  conn: still open when all had ceased, and read to the end
 * The world.
 *   pruned   channel (or pattern) upto: lower than before where a log was put back that has more
 *   fork     at epoch: a log that was restored or replaced; positions from `at` on of epochs before
 *            this one no longer hold
 *   crash    who
 *   restart  who [id: its epoch, and where the log ended then]
 *   present  channel users    what the hub says in the end
 *   online   channel user     the truth
 *   grant    channel user     written before it is asked for; a channel that has any grant is
 *            closed for everybody else
 *   revoke   channel user     written when it is done
 *   granted  channel user     written when a grant is done: from here on it is owed
 *   revoking channel user     written before it is asked for: from here on it is not */
#ifndef BELFRY_HISTORY_H
#define BELFRY_HISTORY_H

#include "base/fault.h"
#include "wire/cursor.h"

#include <stdio.h>

enum what {
    FACT_INVOKE,
    FACT_OK,
    FACT_FAIL,
    FACT_UNKNOWN,
    FACT_CONNECT,
    FACT_OPEN,
    FACT_ASKS,
    FACT_JOINED,
    FACT_LEFT,
    FACT_RECEIVE,
    FACT_BEAT,
    FACT_GAP,
    FACT_BYE,
    FACT_CLOSE,
    FACT_REFUSED,
    FACT_DRAINED,
    FACT_PRUNED,
    FACT_FORK,
    FACT_CRASH,
    FACT_RESTART,
    FACT_PRESENT,
    FACT_ONLINE,
    FACT_GRANT,
    FACT_REVOKE,
    FACT_GRANTED,
    FACT_REVOKING,
    FACTS
};

/* How a connection begins that has no cursor. */
enum start_at { BEGIN_NOW, BEGIN_EARLIEST, BEGIN_LAST, BEGIN_SINCE };

/* A cursor that nobody can read has this epoch. */
#define EPOCH_UNREADABLE UINT64_MAX

struct fact {
    uint64_t ns;
    Str actor;
    enum what what;
    uint32_t op; /* of a publish, or the number of a connection; rising for each actor, from 1 */
    Str channel, body, key, exclude;
    Str channels; /* between commas; patterns end with `*` */
    Str client, user, users;
    Str reason; /* also: code, by, who */
    Cursor id;  /* also: cursor, oldest, upto (at alone), at and epoch of a fork */
    enum start_at start;
    bool mortal, ephemeral, resumed, late;
};

struct history;

struct history *history_new(void);
void history_free(struct history *h); /* NULL is fine */
/* Forgets all, keeps the memory. */
void history_clear(struct history *h);
/* What is needed is copied. */
void history_add(struct history *h, const struct fact *f);
size_t history_len(const struct history *h);
/* Its slices are good until the next add; `id.epoch` is as it was added. */
void history_get(const struct history *h, size_t i, struct fact *out);
/* Into the order of time; facts of one instant stay as they were added. */
void history_sort(struct history *h);

void fact_print(const struct fact *f, FILE *to);
/* The slices of `out` lie in `line`, which is changed. */
MUST_USE bool fact_parse(char *line, struct fact *out, struct fault *why);
void history_write(const struct history *h, FILE *to);
/* Adds a file's facts; history_sort() when all files are in. A last line that was cut short by a
 * kill is left out. */
MUST_USE bool history_read(struct history *h, const char *path, struct fault *why);

#endif
