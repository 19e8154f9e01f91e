/* log -- one line a fact, on stderr: `publish channel=news position=4711 peer=w2`.
 * Values are escaped (controls as \xNN, quoted where they hold blanks), cut at 1 KiB.
 * A line begins with the program's name and, where it is not info, its level: `belfryd: warning: `.
 * Under systemd (JOURNAL_STREAM) it begins with its <level> alone. */
#ifndef BELFRY_LOG_H
#define BELFRY_LOG_H

#include "str.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log_field {
    const char *name; /* NULL ends the list */
    Str text;
    uint64_t number;
    bool is_number;
};

static inline struct log_field kv(const char *name, Str text)
{
    return (struct log_field){name, text, 0, false};
}

static inline struct log_field kz(const char *name, const char *text)
{
    return (struct log_field){name, str_of(text), 0, false};
}

static inline struct log_field kn(const char *name, uint64_t number)
{
    return (struct log_field){name, STR_NONE, number, true};
}

/* Once at start: who speaks, and from which level on. */
void log_init(const char *program, enum log_level level);
void log_write(enum log_level level, const char *what, const struct log_field *fields);

/* log_info("publish", kv("channel", name), kn("position", at)); at least one field. */
#define log_error(what, ...)                                                                       \
    log_write(LOG_LEVEL_ERROR, what, (struct log_field[]){__VA_ARGS__, {NULL, {NULL, 0}, 0, false}})
#define log_warn(what, ...)                                                                        \
    log_write(LOG_LEVEL_WARN, what, (struct log_field[]){__VA_ARGS__, {NULL, {NULL, 0}, 0, false}})
#define log_info(what, ...)                                                                        \
    log_write(LOG_LEVEL_INFO, what, (struct log_field[]){__VA_ARGS__, {NULL, {NULL, 0}, 0, false}})
#define log_debug(what, ...)                                                                       \
    log_write(LOG_LEVEL_DEBUG, what, (struct log_field[]){__VA_ARGS__, {NULL, {NULL, 0}, 0, false}})

#endif
