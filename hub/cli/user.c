/* belfry user -- users of our own, and their tokens. */
#include "base/random.h"
#include "cli/changes.h"
#include "cli/command.h"
#include "cli/outcome.h"
#include "wire/accounts.h"

struct user {
    bool json;
    Msec lasts;
};

static const struct flag flags[] = {
    {"for", FLAG_DURATION, offsetof(struct user, lasts), "TIME",
     "token: how long it is good (for ever)"},
    {"json", FLAG_SWITCH, offsetof(struct user, json), NULL, "the hub's answer as JSON"},
};

enum { SECRET = 32, TOKEN = sizeof "belfry_" + 2 * SECRET };

/* The secret never leaves this process but to be printed. */
static void make_token(char out[TOKEN])
{
    unsigned char secret[SECRET];
    random_bytes(secret, sizeof secret);
    char *p = stpcpy(out, "belfry_");
    for (size_t i = 0; i < sizeof secret; i++, p += 2)
        snprintf(p, 3, "%02x", secret[i]);
    explicit_bzero(secret, sizeof secret);
}

static int give_token(const struct options *o, const struct user *f, const char *name)
{
    char token[TOKEN], digest[ACCOUNT_DIGEST];
    make_token(token);
    account_digest(str_of(token), digest);
    const char *words[] = {"user", name, "digest", digest, NULL};
    int code =
        changes_ask(o, false, "token", words, f->lasts ? "expires" : NULL, clock_wall() + f->lasts);
    if (code == EX_OK && f->json)
        printf("{\"token\":\"%s\"}\n", token);
    else if (code == EX_OK)
        printf("%s\n", token);
    explicit_bzero(token, sizeof token);
    return code ? code : outcome_of_stdout();
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct user *f = given;
    const char *words[] = {"action", operand[0], "user", operand[1], NULL};
    (void)operands;
    if (strcmp(operand[0], "token") == 0)
        return give_token(o, f, operand[1]);
    if (f->lasts) {
        outcome_note("--for: only with token");
        return EX_USAGE;
    }
    return changes_ask(o, f->json, "user", words, NULL, 0);
}

const struct command user_command = {
    .name = "user",
    .operands = "add|del|disable|enable|token USER",
    .brief = "adds a user, or gives one a token of Belfry's own",
    .about =
        "Users of Belfry's own need no tokens of an application: `add` makes one, `token` prints\n"
        "a token for it, once: a random text, shown to a mount as `Authorization: Bearer TOKEN`\n"
        "or as the cookie belfry_token, and kept as its SHA-256 alone. It grants nothing; `belfry\n"
        "grant` does. `disable` refuses all that comes as this user, whatever the token, and ends\n"
        "its streams; `del` also takes away its tokens and grants. `belfry users` lists them.",
    .examples = "  belfry user add alice\n  belfry user token alice --for 30d\n"
                "  belfry user disable alice\n",
    .least = 2,
    .most = 2,
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct user),
    .run = run,
};
