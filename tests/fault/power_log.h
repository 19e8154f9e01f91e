/* power_log -- the real journal on a file, opened and judged against a model of what it must hold.
 */
#ifndef BELFRY_POWER_LOG_H
#define BELFRY_POWER_LOG_H

#include "journal_sqlite.h"
#include "power_model.h"

struct log {
    char path[300];
    struct journal *j;
    struct journal_state state;
    struct journal_channel told[CHANNELS]; /* row 0: it was not */
    bool is_odd;                           /* it told of a channel that never was */
};

/* What was found wrong is said in `why` here; the code is of no matter. */
bool log_begin(struct log *l, const char *folder, const char *file, struct fault *why);
void log_end(struct log *l);

/* One operation on its way, with what it is made of. */
struct task {
    union {
        struct op op; /* first */
        struct append append;
        struct prune prune;
        struct note note;
        struct forget forget;
        struct reading reading;
        struct backup backup;
        struct check check;
    };
    struct task *next;
    size_t deed; /* its number */
    char words[SENDS + 1][24];
    uint64_t rows[CHANNELS];
    struct note_channel figures[CHANNELS];
    char path[300];
    char list[64];
};

struct task *task_of_deed(const struct deed *d, size_t number);
/* `taken`: the log as far as the engine was told. */
struct task *task_note(const struct model *taken, size_t number);
struct task *task_read(Position after, Position upto, bool descending);
struct task *task_backup(const char *folder, size_t number);
struct task *task_check(void);
void task_free(struct task *t);

/* The answer is the one foretold. */
bool task_is_as(const struct task *t, const struct deed *d, struct fault *why);

void log_submit(struct log *l, struct task *t);
struct op *log_wait(struct log *l);            /* the next that is done */
void log_do(struct log *l, struct task *task); /* and waits; nothing else may be under way */

/* What was told at the opening is of this state. */
bool log_looks_like(const struct log *l, const struct model *m);
/* Every event, every figure, the keys and SQLite's own opinion. Times are learned. */
bool log_is(struct log *l, struct model *m, struct fault *why);

#endif
