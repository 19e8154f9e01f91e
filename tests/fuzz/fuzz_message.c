/* The first byte chooses a verb, the rest is its body: what can be read is written as it was. */
#include "wire/bundle.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(Str list)
{
    size_t n = 0;
    Str rest = list, item;
    while (list_next(&rest, &item))
        n++;
    assert(n == list_count(list));
    (void)list_is_whole(list);
    (void)list_has(list, STR("news"));
}

#define walk_u8(x)  (void)(x)
#define walk_u32(x) (void)(x)
#define walk_u64(x) (void)(x)
#define walk_cur(x) (void)(x)
#define walk_str(x) walk(x)

/* What a body lacks comes out as zeros, what it has beyond the last field is gone. */
static void check_again(Str body, struct buf *again, bool packed)
{
    size_t same = body.len < again->len ? body.len : again->len;
    assert(packed && str_eq(str_make(body.p, same), str_make(again->p, same)));
    buf_fini(again);
}

#define F(kind, name) walk_##kind(m.name);
#define VERB(NAME, type, fields)                                                                   \
    static void try_##type(Str body)                                                               \
    {                                                                                              \
        struct msg_##type m;                                                                       \
        struct buf again;                                                                          \
        if (!msg_##type##_unpack(body, &m))                                                        \
            return;                                                                                \
        fields;                                                                                    \
        buf_init(&again, body.len + 1024);                                                         \
        check_again(body, &again, msg_##type##_pack(&again, &m));                                  \
    }
#include "wire/message.def"
#undef VERB
#undef F

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const verbs[])(Str) = {
#define VERB(NAME, type, fields) [VERB_##NAME] = try_##type,
#include "wire/message.def"
#undef VERB
    };
    Str text = str_make((const char *)data, size);
    struct header header;
    Str items = text, head, inner;
    while (bundle_next(&items, &head, &inner))
        assert(head.len == MESSAGE_HEADER && inner.len < text.len);
    if (header_unpack(text, &header)) {
        char again[MESSAGE_HEADER];
        header_pack(again, header);
        assert(str_eq(text, str_make(again, sizeof again)));
    }
    if (!size || data[0] == VERB_NONE || data[0] >= VERB_COUNT)
        return 0;
    verbs[data[0]](str_skip(text, 1));
    return 0;
}
