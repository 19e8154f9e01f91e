/* message -- the language of hub, worker and command line: what may be said, and its bytes.
 * Pure; bytes are written by shifting, big end first. The tables are in message.def, the meaning
 * in PROTOCOL.md.
 *
 * On the wire a message is two frames: a header of 16 bytes (version, verb, six of zero, seq), and
 * a body: the fields in their order, a cur as two u64. A str is its length (u32) and its bytes. A
 * list is its items one after the other, each with its length (u32). */
#ifndef BELFRY_MESSAGE_H
#define BELFRY_MESSAGE_H

#include "base/buf.h"
#include "base/fault.h"
#include "wire/cursor.h"

#define PROTOCOL_VERSION 1
#define MESSAGE_HEADER   16
#define LIST_PIECE       (256 * 1024) /* lists on the link go in pieces of at most so many bytes */
#define SLICE_ROWS       512
#define SLICE_BYTES      (256 * 1024)
#define CREDIT_BYTES     (8 * 1024 * 1024)
#define CREDIT_MESSAGES  16384

enum verb {
    VERB_NONE,
#define VERB(NAME, type, fields) VERB_##NAME,
#include "wire/message.def"
#undef VERB
    VERB_COUNT
};

/* Where a stream begins. DEFAULT: at the present; for ADD, where the stream's worker says. */
enum start { START_DEFAULT, START_CURSOR, START_SINCE, START_LAST, START_EARLIEST };

enum gap_reason { GAP_NONE, GAP_PRUNED, GAP_UNKNOWN, GAP_RESET, GAP_LIMIT };
const char *gap_reason_name(int reason); /* "pruned" */

typedef uint8_t msg_u8;
typedef uint32_t msg_u32;
typedef uint64_t msg_u64;
typedef Cursor msg_cur;
typedef Str msg_str;

/* struct msg_hello { uint64_t boot; Str name; ... }; */
#define F(kind, name) msg_##kind name;
#define VERB(NAME, type, fields)                                                                   \
    struct msg_##type {                                                                            \
        fields                                                                                     \
    };
#include "wire/message.def"
#undef VERB
#undef F

/* Appends the body. */
#define VERB(NAME, type, fields)                                                                   \
    bool msg_##type##_pack(struct buf *out, const struct msg_##type *m);
#include "wire/message.def"
#undef VERB

/* The slices point into `body`. False: not such a body. */
#define VERB(NAME, type, fields) MUST_USE bool msg_##type##_unpack(Str body, struct msg_##type *m);
#include "wire/message.def"
#undef VERB

struct header {
    uint8_t version;
    uint8_t verb; /* enum verb, not yet checked to be one that is known */
    uint64_t seq; /* hub -> worker: dense, from 1 at WELCOME; worker -> hub:
                   dense over all its HELLOs, or 0: not numbered */
};

void header_pack(char out[MESSAGE_HEADER], struct header h);
MUST_USE bool header_unpack(Str frame, struct header *out);
const char *verb_name(int verb); /* "HELLO"; "?" */

bool list_put(struct buf *list, Str item);
/* Takes the next item off; false at the end. A list that is cut short ends there. */
bool list_next(Str *rest, Str *item);
size_t list_count(Str list);
/* Every item is whole. */
bool list_is_whole(Str list);
bool list_has(Str list, Str item);

/* Up to where the channel has lost something; 0: it has not. An older hub says one floor for all.
 */
Position gap_floor(const struct msg_gap *m, Str channel);

#endif
