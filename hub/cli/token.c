/* belfry token -- a signed token for a user, to be shown to a worker. */
#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/outcome.h"
#include "wire/keyring.h"
#include "wire/names.h"
#include "wire/people.h"
#include "wire/refusal.h"

enum { TOKEN_MAX = 8192, HOUR = 3600 * 1000 };

struct token {
    const char *subscribe, *publish, *presence, *public;
    Msec ttl;
};

static const struct flag flags[] = {
    {"subscribe", FLAG_TEXT, offsetof(struct token, subscribe), "NAMES",
     "channels and patterns between commas that may be followed and read back"},
    {"publish", FLAG_TEXT, offsetof(struct token, publish), "NAMES", "… that may be published to"},
    {"presence", FLAG_TEXT, offsetof(struct token, presence), "NAMES", "… whose users may be seen"},
    {"public", FLAG_TEXT, offsetof(struct token, public), "JSON",
     "shown of USER to whoever sees presence; 1 KiB at most"},
    {"ttl", FLAG_DURATION, offsetof(struct token, ttl), "TIME", "how long it holds (1h)"},
};

static bool put_names(struct buf *out, const char *right, const char *names, struct fault *why)
{
    Str rest = str_of(names);
    bool is_first = true;
    if (!names)
        return true;
    if (out->p[out->len - 1] != '{')
        buf_putc(out, ',');
    buf_printf(out, "\"%s\":[", right);
    for (Str name; str_cut(&rest, ',', &name); is_first = false) {
        name = str_trim(name);
        if (!pattern_is_valid(name, right, why))
            return false;
        buf_putz(out, is_first ? "" : ",");
        json_put_str(out, name);
    }
    return buf_putc(out, ']');
}

static bool put_public(struct buf *out, const char *public, struct fault *why)
{
    struct fault reason;
    struct buf compact;
    if (!public)
        return true;
    if (!json_check(str_of(public), &reason))
        return fail(why, REFUSE_WRONG_FIELD, "public: %.200s", reason.text);
    buf_init(&compact, PUBLIC_MAX);
    bool ok = json_put_compact(&compact, str_of(public)) ||
              fail(why, REFUSE_TOO_LARGE, "public: at most %d bytes are taken", PUBLIC_MAX);
    if (out->p[out->len - 1] != '{')
        buf_putc(out, ',');
    buf_putz(out, "\"public\":");
    buf_put(out, buf_str(&compact));
    buf_fini(&compact);
    return ok;
}

static void put_text(struct buf *out, const char *claim, const char *text)
{
    if (!*text)
        return;
    buf_printf(out, "\"%s\":", claim);
    json_put_str(out, str_of(text));
    buf_putc(out, ',');
}

static bool put_claims(struct buf *out, const struct options *o, const struct token *f,
                       const char *user, Msec now, struct fault *why)
{
    Msec ttl = f->ttl ? f->ttl : HOUR;
    if (!user_is_valid(str_of(user), "user", why))
        return false;
    if (ttl > o->token_life)
        return fail(why, REFUSE_WRONG_FIELD, "ttl: token_life is %llu seconds",
                    (unsigned long long)o->token_life / 1000);
    buf_putc(out, '{');
    put_text(out, "iss", o->token_issuer);
    put_text(out, "aud", o->token_audience);
    put_text(out, "sub", user);
    buf_printf(out, "\"iat\":%llu,\"exp\":%llu,\"belfry\":{", (unsigned long long)now / 1000,
               (unsigned long long)(now + ttl) / 1000);
    return put_names(out, "subscribe", f->subscribe, why) &&
           put_names(out, "publish", f->publish, why) &&
           put_names(out, "presence", f->presence, why) && put_public(out, f->public, why) &&
           buf_putz(out, "}}");
}

static struct keyring *read_keys(const char *path, struct fault *why)
{
    struct buf text;
    struct keyring *keys = NULL;
    if (!*path) {
        fail(why, REFUSE_CONFIG, "token_keys names no file; see belfry keygen --help");
        return NULL;
    }
    buf_init(&text, KEYRING_BYTES);
    if (file_read(path, &text, NULL, why))
        keys = keyring_read(buf_str(&text), why);
    buf_fini(&text);
    return keys;
}

static bool make(struct buf *out, const struct options *o, const struct token *f, const char *user,
                 struct fault *why)
{
    Msec now = clock_wall();
    struct buf claims;
    struct keyring *keys = read_keys(o->token_keys, why);
    buf_init(&claims, TOKEN_MAX);
    bool ok = keys && put_claims(&claims, o, f, user, now, why) &&
              keyring_sign(keys, buf_str(&claims), now, out, why);
    keyring_free(keys);
    buf_fini(&claims);
    return ok && (out->len <= TOKEN_MAX ||
                  fail(why, REFUSE_TOO_LARGE, "the token has %zu bytes, a worker reads %d",
                       out->len, TOKEN_MAX));
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    struct fault why = {0};
    struct buf token;
    (void)operands;
    buf_init(&token, (size_t)2 * TOKEN_MAX);
    bool ok = make(&token, o, given, operand[0], &why);
    if (ok)
        printf("%.*s\n", FMT(buf_str(&token)));
    buf_fini(&token);
    return ok ? outcome_of_stdout() : outcome_say(&why);
}

const struct command token_command = {
    .name = "token",
    .operands = "USER",
    .brief = "signs a token for USER",
    .about =
        "Prints a JSON Web Token for USER, signed with the first key of token_keys that can: a\n"
        "secret, or a private key. It is shown to a mount as `Authorization: Bearer TOKEN`, or as\n"
        "the cookie belfry_token. token_issuer and token_audience go into it.",
    .examples = "  belfry token alice --subscribe 'room:*,news' --publish room:1 --ttl 10m\n"
                "  curl -N -H \"Authorization: Bearer $(belfry token alice --subscribe news)\" \\\n"
                "      'http://localhost/events?channel=news'\n",
    .least = 1,
    .most = 1,
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct token),
    .run = run,
};
