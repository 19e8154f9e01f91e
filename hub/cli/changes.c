#include "cli/changes.h"

#include "cli/outcome.h"

#define QUESTION_MAX 65536

static int print_nothing(const Json *answer)
{
    (void)answer;
    return EX_OK;
}

int changes_ask(const struct options *o, bool json, const char *what, const char *const *words,
                const char *number, uint64_t value)
{
    struct buf question;
    buf_init(&question, QUESTION_MAX);
    buf_printf(&question, "{\"do\":\"%s\"", what);
    for (; *words; words += 2) {
        if (!words[1])
            continue;
        buf_printf(&question, ",\"%s\":", words[0]);
        json_put_str(&question, str_of(words[1]));
    }
    if (number)
        buf_printf(&question, ",\"%s\":%llu", number, (unsigned long long)value);
    buf_putc(&question, '}');
    int code = EX_USAGE;
    if (question.full)
        outcome_note("a name is too long");
    else
        code = admin_command(o, buf_str(&question), ADMIN_MS, json, print_nothing);
    buf_fini(&question);
    return code;
}
