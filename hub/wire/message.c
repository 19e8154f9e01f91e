#include "wire/message.h"

#include "wire/bytes.h"

/* All fields or nothing. */
#define F(kind, name) &&put_##kind(out, m->name)
#define VERB(NAME, type, fields)                                                                   \
    bool msg_##type##_pack(struct buf *out, const struct msg_##type *m)                            \
    {                                                                                              \
        size_t start = out->len;                                                                   \
        if (true fields)                                                                           \
            return true;                                                                           \
        out->len = start;                                                                          \
        return false;                                                                              \
    }
#include "wire/message.def"
#undef VERB
#undef F

/* What stands after the last field is from a newer sender, and ignored. */
#define F(kind, name) &&take_##kind(&body, &m->name)
#define VERB(NAME, type, fields)                                                                   \
    bool msg_##type##_unpack(Str body, struct msg_##type *m)                                       \
    {                                                                                              \
        *m = (struct msg_##type){0};                                                               \
        return true fields;                                                                        \
    }
#include "wire/message.def"
#undef VERB
#undef F

const char *verb_name(int verb)
{
    static const char *const names[] = {
#define VERB(NAME, type, fields) [VERB_##NAME] = #NAME,
#include "wire/message.def"
#undef VERB
    };
    return verb > VERB_NONE && verb < VERB_COUNT ? names[verb] : "?";
}

const char *gap_reason_name(int reason)
{
    static const char *const names[] = {
        [GAP_NONE] = "none",   [GAP_PRUNED] = "pruned", [GAP_UNKNOWN] = "unknown",
        [GAP_RESET] = "reset", [GAP_LIMIT] = "limit",
    };
    return reason >= 0 && (size_t)reason < COUNT_OF(names) ? names[reason] : "unknown";
}

/* Where the header's zeros and its last field begin. */
enum { HEADER_ZEROS = 2, HEADER_SEQ = 8 };

void header_pack(char out[MESSAGE_HEADER], struct header h)
{
    memset(out, 0, MESSAGE_HEADER);
    out[0] = (char)h.version;
    out[1] = (char)h.verb;
    for (int i = MESSAGE_HEADER - 1; i >= HEADER_SEQ; i--, h.seq >>= 8)
        out[i] = (char)(h.seq & 0xff);
}

bool header_unpack(Str frame, struct header *out)
{
    static const char zeros[HEADER_SEQ - HEADER_ZEROS];
    if (frame.len != MESSAGE_HEADER || memcmp(frame.p + HEADER_ZEROS, zeros, sizeof zeros) != 0)
        return false;
    Str seq = str_skip(frame, HEADER_SEQ);
    out->version = (uint8_t)frame.p[0];
    out->verb = (uint8_t)frame.p[1];
    return take_u64(&seq, &out->seq);
}

bool list_put(struct buf *list, Str item)
{
    size_t start = list->len;
    if (put_str(list, item))
        return true;
    list->len = start;
    return false;
}

bool list_next(Str *rest, Str *item)
{
    if (rest->len && take_str(rest, item))
        return true;
    *rest = STR_NONE;
    return false;
}

size_t list_count(Str list)
{
    size_t n = 0;
    for (Str item; list_next(&list, &item);)
        n++;
    return n;
}

bool list_is_whole(Str list)
{
    Str item;
    while (list.len)
        if (!take_str(&list, &item))
            return false;
    return true;
}

bool list_has(Str list, Str item)
{
    for (Str each; list_next(&list, &each);)
        if (str_eq(each, item))
            return true;
    return false;
}

Position gap_floor(const struct msg_gap *m, Str channel)
{
    Str names = m->channels, floors = m->floors, name, floor;
    uint64_t at;
    while (list_next(&names, &name)) {
        bool has_own = list_next(&floors, &floor) && str_to_u64(floor, &at);
        if (str_eq(name, channel))
            return has_own ? at : m->oldest.at;
    }
    return 0;
}
