/* belfry revoke -- what was granted, or tokens that were issued. */
#include "cli/changes.h"
#include "cli/command.h"
#include "cli/outcome.h"
#include "cli/when.h"

struct revoke {
    bool json;
    const char *user, *before, *jti;
};

static const struct flag flags[] = {
    {"user", FLAG_TEXT, offsetof(struct revoke, user), "USER",
     "all tokens of this user, issued up to now; `*`: of every user"},
    {"before", FLAG_TEXT, offsetof(struct revoke, before), "TIME",
     "with --user: those issued before: " WHEN_HELP},
    {"jti", FLAG_TEXT, offsetof(struct revoke, jti), "ID", "the token with this id"},
    {"json", FLAG_SWITCH, offsetof(struct revoke, json), NULL, "the hub's answer as JSON"},
};

static int revoke_tokens(const struct options *o, const struct revoke *f)
{
    const char *words[] = {"id", f->jti, "user", f->user, NULL};
    struct fault why = {0};
    uint64_t before = 0;
    if (f->before && !when_parse(f->before, clock_wall(), &before, &why))
        return outcome_say(&why);
    return changes_ask(o, f->json, "revoke", words, before ? "before" : NULL, before);
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct revoke *f = given;
    bool is_grant = operands == 3 && !f->user && !f->jti && !f->before;
    bool is_token = operands == 0 && !f->user != !f->jti && !(f->jti && f->before);
    if (is_token)
        return revoke_tokens(o, f);
    if (!is_grant) {
        outcome_note("say USER RIGHT CHANNEL, or --user USER, or --jti ID; see belfry revoke "
                     "--help");
        return EX_USAGE;
    }
    const char *words[] = {"user", operand[0], "right", operand[1], "channel", operand[2], NULL};
    return changes_ask(o, f->json, "revoke", words, NULL, 0);
}

const struct command revoke_command = {
    .name = "revoke",
    .operands = "[USER RIGHT CHANNEL]",
    .brief = "takes back what was granted, or tokens",
    .about =
        "Takes back what `belfry grant` gave, with the same words; or makes tokens worthless: all\n"
        "that a user was issued before a time, or the one with an id (jti). It holds at once, in\n"
        "every worker, also while the hub is away, and for ever (an id: for token_life, when any\n"
        "token with it is over): streams that are no longer allowed end within a second, with\n"
        "`bye`, reason kicked. A token without `iat` counts as issued before any time.",
    .examples = "  belfry revoke alice subscribe 'room:*'\n  belfry revoke --user alice\n"
                "  belfry revoke --user '*' --before 2026-11-21T06:00:00Z\n"
                "  belfry revoke --jti 7b1c\n",
    .least = 0,
    .most = 3,
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct revoke),
    .run = run,
};
