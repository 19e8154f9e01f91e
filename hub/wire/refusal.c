#include "wire/refusal.h"

static const struct {
    const char *code;
    int status;
    unsigned retry;
    const char *title;
} refusals[] = {
    [REFUSE_NOT] = {"ok", 200, 0, "OK"},
#define REFUSAL(name, code, http, retry, title) [REFUSE_##name] = {code, http, retry, title},
#include "wire/refusal.def"
#undef REFUSAL
};

static size_t index_of(int code)
{
    return code >= REFUSE_NOT && code < REFUSAL_COUNT ? (size_t)code : REFUSE_INTERNAL;
}

const char *refusal_code(int code)
{
    return refusals[index_of(code)].code;
}

int refusal_status(int code)
{
    return refusals[index_of(code)].status;
}

unsigned refusal_retry(int code)
{
    return refusals[index_of(code)].retry;
}

const char *refusal_title(int code)
{
    return refusals[index_of(code)].title;
}

int refusal_from_code(Str code)
{
    for (int i = REFUSE_NOT; i < REFUSAL_COUNT; i++)
        if (str_eq(code, str_of(refusals[i].code)))
            return i;
    return REFUSE_INTERNAL;
}
