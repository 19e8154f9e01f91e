#include "cli/admin.h"

#include "cli/outcome.h"
#include "wire/refusal.h"

bool admin_open(struct admin *a, const struct options *o, struct fault *why)
{
    struct socket_limits limits = {.high_water = 0, .max_message = -1, .linger_ms = 0};
    *a = (struct admin){0};
    return local_open(&a->local, o, PLACE_ADMIN, SOCKET_DEALER, limits, why);
}

static void forget(struct admin *a)
{
    json_free(a->whole);
    a->whole = NULL;
    parcel_fini(&a->answer);
    a->answer = (struct parcel){0};
}

void admin_close(struct admin *a)
{
    forget(a);
    local_close(&a->local);
}

/* Nothing was changed that asking again would change twice: no outcome is "unknown" here. */
static const Json *try_again(struct fault *why)
{
    if (why->code == REFUSE_UNKNOWN_OUTCOME)
        why->code = REFUSE_HUB_AWAY;
    return NULL;
}

const Json *admin_ask(struct admin *a, Str question, Msec ms, struct fault *why)
{
    forget(a);
    local_forget(&a->local);
    if (!local_send(&a->local, &question, 1, ms < CONNECT_MS ? ms : CONNECT_MS, why))
        return NULL;
    if (!local_receive(&a->local, &a->answer, ms, why))
        return try_again(why);
    a->whole = json_parse(admin_text(a), why);
    if (!a->whole)
        return NULL;
    if (json_is_true(json_get(a->whole, "ok")))
        return a->whole;
    Str code = admin_str(a->whole, "code"), detail = admin_str(a->whole, "detail");
    fail(why, refusal_from_code(code), "%.*s", FMT(detail.len ? detail : STR("refused")));
    return NULL;
}

Str admin_text(const struct admin *a)
{
    return a->answer.n == 1 ? frame_str(a->answer.part[0]) : STR_NONE;
}

int admin_command(const struct options *o, Str question, Msec ms, bool json,
                  int (*print)(const Json *answer))
{
    struct fault why = {0};
    struct admin a;
    int code = EX_OK;
    const Json *answer = admin_open(&a, o, &why) ? admin_ask(&a, question, ms, &why) : NULL;
    if (!answer)
        code = outcome_say(&why);
    else if (json)
        printf("%.*s\n", FMT(admin_text(&a)));
    else
        code = print(answer);
    admin_close(&a);
    return code ? code : outcome_of_stdout();
}

uint64_t admin_u64(const Json *object, const char *name)
{
    const Json *v = json_get(object, name);
    double n = v && json_is_number(v) ? json_num(v) : 0;
    return n > 0 && n < 9e15 ? (uint64_t)n : 0;
}

Str admin_str(const Json *object, const char *name)
{
    const Json *v = json_get(object, name);
    return v && json_is_string(v) ? json_str(v) : STR("");
}
