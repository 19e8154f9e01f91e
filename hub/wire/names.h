/* names -- what channels, users, events and clients may be called. Pure.
 * Every check says in `why` (code WRONG_FIELD) which rule was broken; `field` is named in it. */
#ifndef BELFRY_NAMES_H
#define BELFRY_NAMES_H

#include "base/fault.h"
#include "base/str.h"

#define CHANNEL_MAX    128 /* bytes of UTF-8 */
#define USER_MAX       64
#define LABEL_MAX      64
#define EVENT_NAME_MAX 64
#define CLIENT_MIN     16
#define CLIENT_MAX     64
#define KEY_MAX        128 /* idempotency key: printable ASCII */

/* 1..128 bytes of UTF-8 without control characters, blanks at the ends, `*`, `,`, a leading `$`. */
bool channel_is_valid(Str name, const char *field, struct fault *why);
/* A channel name, or one whose last byte is its only `*`: `room:*`, `*`, `$presence:*`. */
bool pattern_is_valid(Str name, const char *field, struct fault *why);
/* As channels, 1..64 bytes, no `:`. */
bool user_is_valid(Str name, const char *field, struct fault *why);
/* What an anonymous client calls itself: 1..64 bytes of UTF-8 without control characters. */
bool label_is_valid(Str name, const char *field, struct fault *why);
/* 1..64 bytes of UTF-8 without control characters; the hub's own names (connected, gap, bye,
 * token, presence) and EventSource's (error, open) are refused; `typing` only when ephemeral.
 * Empty is fine: an event without a name. */
bool event_name_is_valid(Str name, bool ephemeral, const char *field, struct fault *why);
/* 16..64 of A-Za-z0-9_- */
bool client_is_valid(Str name, const char *field, struct fault *why);
/* 1..128 of printable ASCII (0x21..0x7e). */
bool key_is_valid(Str key, const char *field, struct fault *why);

static inline bool is_pattern(Str name)
{
    return name.len > 0 && name.p[name.len - 1] == '*';
}

/* Whether `name` (exact or a pattern) takes in `channel`. A pattern takes in channels that begin
 * with `user:` or `$` only where it begins with that prefix itself. */
bool pattern_matches(Str name, Str channel);

/* What a pattern takes in, as ranges of names in the order of their bytes: from `from` on, below
 * `to` (empty: to the end). */
enum { PATTERN_RANGES = 3 };
struct name_range {
    char from[CHANNEL_MAX + 1], to[CHANNEL_MAX + 1];
};
size_t pattern_ranges(Str pattern, struct name_range ranges[PATTERN_RANGES]);

#endif
