/* belfry kick -- ends streams. */
#include "cli/changes.h"
#include "cli/command.h"

struct kick {
    bool json;
};

static const struct flag flags[] = {
    {"json", FLAG_SWITCH, offsetof(struct kick, json), NULL, "the hub's answer as JSON"},
};

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct kick *f = given;
    const char *words[] = {"name", operand[0], NULL};
    (void)operands;
    return changes_ask(o, f->json, "kick", words, NULL, 0);
}

const struct command kick_command = {
    .name = "kick",
    .operands = "USER|CLIENT",
    .brief = "ends the streams of a user, or of one client",
    .about = "Ends all streams and long-polls of USER, or those of one client (by its clientId): "
             "they are\n"
             "told `bye`, reason kicked. Nothing keeps them from coming back; `belfry revoke` and\n"
             "`belfry user disable` do, and end their streams too.",
    .examples = "  belfry kick alice\n",
    .least = 1,
    .most = 1,
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct kick),
    .run = run,
};
