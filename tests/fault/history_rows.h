/* history_rows -- how a history lies in memory: for history*.c and the checker alone. */
#ifndef BELFRY_HISTORY_ROWS_H
#define BELFRY_HISTORY_ROWS_H

#include "base/memory.h"
#include "history.h"

enum { ROW_FLAG = 1, ROW_START_SHIFT = 1 };

/* One fact. What a, b and c are follows from its kind (history.c: layout). */
struct row {
    uint64_t ns;
    Position at;
    uint32_t actor, op, a, b, c;
    uint16_t epoch; /* index of its id's */
    uint8_t what, flags;
};

/* One event meant: a body on a channel. */
struct meant {
    uint32_t channel, body; /* words */
    uint32_t exclude;       /* word, 0: nobody */
    bool mortal, ephemeral;
};

/* Which numbers were given out by hash; the things themselves lie in an array. */
struct slots {
    uint32_t *number; /* + 1; 0: free */
    size_t cap, used;
};

struct word {
    size_t at;
    uint32_t len;
};

struct history {
    struct row *rows;
    size_t len, rows_cap;
    struct word *words; /* 0 is the empty one */
    uint32_t word_count, words_cap;
    char *text;
    size_t text_len, text_cap;
    struct meant *events;
    uint32_t event_count, events_cap;
    uint64_t *epochs; /* 0 is "none", 1 "unreadable" */
    uint32_t epoch_count, epochs_cap;
    struct slots word_slots, event_slots, epoch_slots;
};

enum { EPOCH_INDEX_NONE, EPOCH_INDEX_UNREADABLE };

Str history_word(const struct history *h, uint32_t word);
/* 0: it is none. */
uint32_t history_find_word(const struct history *h, Str s);

/* Room for one more of what `array` holds. */
#define MAKE_ROOM(array, count, cap)                                                               \
    do {                                                                                           \
        if ((count) == (cap)) {                                                                    \
            (cap) = (cap) ? (cap)*2 : 64;                                                          \
            (array) = must_realloc((array), (size_t)(cap) * sizeof *(array));                      \
        }                                                                                          \
    } while (0)

#endif
