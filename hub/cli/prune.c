/* belfry prune -- retention now, not at the next turn. */
#include "cli/admin.h"
#include "cli/command.h"
#include "cli/outcome.h"
#include "cli/table.h"

struct prune {
    bool json;
};

static const struct flag flags[] = {
    {"json", FLAG_SWITCH, offsetof(struct prune, json), NULL, "the hub's answer as JSON"},
};

static int print(const Json *answer)
{
    char bytes[FIGURE];
    printf("%llu events taken away, %s bytes\n", (unsigned long long)admin_u64(answer, "events"),
           figure_bytes((double)admin_u64(answer, "bytes"), bytes));
    return EX_OK;
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct prune *f = given;
    (void)operands, (void)operand;
    return admin_command(o, STR("{\"do\":\"prune\"}"), ADMIN_SLOW, f->json, print);
}

const struct command prune_command = {
    .name = "prune",
    .operands = "",
    .brief = "takes away now what retention no longer keeps",
    .about =
        "Takes away what keep, age, bytes and max_log no longer keep, without waiting for the\n"
        "hub to come round to it. Readers who were owed such an event are told of the gap.",
    .examples = "  belfry prune\n",
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct prune),
    .run = run,
};
