/* curve -- the keys of CURVE, with which everybody who comes over tcp shows who he is: their text
 * (Z85), their files, and the list of those that a hub lets in. Never knows ZeroMQ. */
#ifndef BELFRY_CURVE_H
#define BELFRY_CURVE_H

#include "base/fault.h"
#include "base/file.h"

#define CURVE_TEXT    41 /* 40 characters and a NUL */
#define CURVE_CLIENTS 1024

typedef struct {
    unsigned char at[32];
} CurveKey;

/* Exactly what curve_print writes, which has 40 characters. */
MUST_USE bool curve_parse(Str text, CurveKey *out);
const char *curve_print(CurveKey key, char out[CURVE_TEXT]);

/* The one line of a key's file. A secret in a file that others than its owner and group may read,
 * or others than its owner write, is refused. */
MUST_USE bool curve_read_secret(const char *path, char out[CURVE_TEXT], struct fault *why);
MUST_USE bool curve_read_public(const char *path, char out[CURVE_TEXT], struct fault *why);

/* What a key is let in for. */
enum curve_role { CURVE_WORKER = 1, CURVE_PUBLISH = 2, CURVE_TAP = 4, CURVE_ADMIN = 8 };

struct curve_clients;

/* Lines `ROLES KEY NAME`, roles between commas, the name for people alone; lines that begin with #
 * and empty ones are passed over. NULL: `why` names the line. */
struct curve_clients *curve_clients_parse(Str text, struct fault *why);
/* From a file that others than its owner and group may not write. */
struct curve_clients *curve_clients_read(const char *path, struct stamp *stamp, struct fault *why);
void curve_clients_free(struct curve_clients *c);
size_t curve_clients_len(const struct curve_clients *c);
/* Of enum curve_role; 0: not in the list. */
unsigned curve_clients_roles(const struct curve_clients *c, CurveKey key);
/* Nobody may anything by `now` less than by `before`. */
bool curve_clients_keep(const struct curve_clients *now, const struct curve_clients *before);

#endif
