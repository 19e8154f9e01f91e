/* belfry backup -- a copy of the live journal. */
#include "cli/admin.h"
#include "cli/command.h"
#include "cli/outcome.h"
#include "wire/refusal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

struct backup {
    bool json;
};

static const struct flag flags[] = {
    {"json", FLAG_SWITCH, offsetof(struct backup, json), NULL, "the hub's answer as JSON"},
};

/* The hub has another working directory. */
static bool put_absolute(struct buf *out, const char *file, struct fault *why)
{
    char here[PATH_MAX];
    if (file[0] == '/')
        return buf_putz(out, file);
    if (!getcwd(here, sizeof here))
        return fail(why, REFUSE_MALFORMED, "the current directory: %s", strerror(errno));
    return buf_printf(out, "%s/%s", here, file);
}

static int print(const Json *answer)
{
    printf("%llu pages copied\n", (unsigned long long)admin_u64(answer, "pages"));
    return EX_OK;
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct backup *f = given;
    struct fault why = {.code = REFUSE_MALFORMED, .text = "the path of the copy is too long"};
    struct buf path, question;
    int code;
    (void)operands;
    buf_init(&path, 2 * PATH_MAX);
    buf_init(&question, 16 * PATH_MAX);
    if (put_absolute(&path, operand[0], &why) &&
        buf_putz(&question, "{\"do\":\"backup\",\"path\":") &&
        json_put_str(&question, buf_str(&path)) && buf_putc(&question, '}'))
        code = admin_command(o, buf_str(&question), ADMIN_SLOW, f->json, print);
    else
        code = outcome_say(&why);
    buf_fini(&path);
    buf_fini(&question);
    return code;
}

const struct command backup_command = {
    .name = "backup",
    .operands = "FILE",
    .brief = "copies the live journal to FILE",
    .about = "Has the hub copy its journal to FILE, a slice after each commit, without stopping\n"
             "anybody. The hub writes FILE: it must be allowed to. A copy that is put back in the\n"
             "journal's place while the hub is stopped is a good journal: readers that had more\n"
             "are told of the gap.",
    .examples = "  belfry backup /var/backups/belfry-$(date +%F).db\n",
    .least = 1,
    .most = 1,
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct backup),
    .run = run,
};
