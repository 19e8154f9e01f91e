/* Tokens: whatever they say, they are read within the limits, or refused with a reason that fits
 * into the log. The first byte says whether the rest is a token, or the claims of a signed one. */
#include "token.h"
#include "wire/message.h"
#include "wire/names.h"
#include "wire/refusal.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WALL = 1800000000 };

static void check_grants(Str names)
{
    assert(list_is_whole(names) && list_count(names) <= TOKEN_GRANTS);
    for (Str name; list_next(&names, &name);)
        assert(pattern_is_valid(name, "grant", NULL));
}

static void check_claims(Str payload, const struct token_wants *wants)
{
    struct fault why = {0};
    struct token *t = token_read(payload, wants, (Msec)WALL * 1000, &why);
    assert(t || (why.code == REFUSE_INVALID_TOKEN && why.text[0]));
    assert(!t || (user_is_valid(t->user, "sub", NULL) && token_is_fresh(t, (Msec)WALL * 1000)));
    if (t) {
        check_grants(t->grants.subscribe);
        check_grants(t->grants.publish);
        check_grants(t->grants.presence);
    }
    token_unref(t);
}

static void check_token(Str text)
{
    struct token_parts p;
    struct fault why = {0};
    if (token_open(&p, text, &why)) {
        assert(p.alg != JWT_NONE && p.kid.len <= 256);
        check_claims(buf_str(&p.payload), &(struct token_wants){STR_NONE, STR_NONE, 0});
    } else {
        assert(why.code == REFUSE_INVALID_TOKEN && why.text[0]);
    }
    token_close(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str text = str_make((const char *)data, size);
    if (!size || size > 16384)
        return 0;
    text = str_skip(text, 1);
    if (data[0] == 't')
        check_token(text);
    else if (data[0] == 'w')
        check_claims(text, &(struct token_wants){STR("me"), STR("push"), 0});
    else
        check_claims(text, &(struct token_wants){STR_NONE, STR_NONE, 0});
    return 0;
}
