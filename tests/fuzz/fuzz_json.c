/* JSON: the scanner holds on anything; what jansson takes is compacted into the same value. */
#include "base/json.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Parts of what may be no JSON: any answer will do. */
static void scan(Str text)
{
    Str raw;
    struct buf b;
    size_t at = 0;
    buf_init(&b, text.len * 6 + 2);
    (void)json_member_text(text, "data", &raw);
    while (json_each_text(text, &at, &raw))
        assert(raw.p >= text.p && raw.p + raw.len <= text.p + text.len);
    bool ok = json_put_compact(&b, text);
    assert(ok);
    buf_clear(&b);
    ok = json_put_str(&b, text) && json_check(buf_str(&b), NULL);
    assert(ok);
    buf_fini(&b);
}

static void check_members(const Json *v, Str text)
{
    void *at = NULL;
    Str name, raw;
    const Json *value;
    while (json_each(v, &at, &name, &value)) {
        if (str_find(name, '\0') < name.len)
            continue;
        char *z = str_dup(name);
        bool ok = json_member_text(text, z, &raw) && json_check(raw, NULL);
        assert(ok);
        free(z);
    }
    for (size_t i = 0; i < json_len(v) && i < 16; i++) {
        bool ok = json_element_text(text, i, &raw) && json_check(raw, NULL);
        assert(ok);
    }
    assert(!json_is_array(v) || !json_element_text(text, json_len(v), &raw));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str text = str_make((const char *)data, size);
    struct fault why;
    scan(text);
    Json *v = json_parse(text, &why);
    if (!v)
        return 0;
    struct buf compact;
    buf_init(&compact, size);
    bool ok = json_put_compact(&compact, text) && json_check(buf_str(&compact), NULL);
    assert(ok);
    check_members(v, text);
    buf_fini(&compact);
    json_free(v);
    return 0;
}
