/* belfry keygen -- keys for tokens, and the change from one to the next; and keys for CURVE. */
#include "base/file.h"
#include "base/random.h"
#include "cli/command.h"
#include "cli/outcome.h"
#include "wire/keyring.h"
#include "wire/refusal.h"
#include "wire/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

enum { DAY = 24 * 3600 * 1000 };

struct keygen {
    bool jwt, curve;
    const char *alg;
    Msec keep;
};

static const struct flag flags[] = {
    {"jwt", FLAG_SWITCH, offsetof(struct keygen, jwt), NULL, "a key for tokens"},
    {"alg", FLAG_TEXT, offsetof(struct keygen, alg), "ALG", "one of " JWT_ALGS " (HS256)"},
    {"keep", FLAG_DURATION, offsetof(struct keygen, keep), "TIME",
     "how long the keys that were there stay valid (1d)"},
    {"curve", FLAG_SWITCH, offsetof(struct keygen, curve), NULL, "a key for tcp://"},
};

static bool fail_at(struct fault *why, const char *path)
{
    return fail(why, REFUSE_CONFIG, "%.150s: %s", path, strerror(errno));
}

/* Those that are there already, or none. */
static struct keyring *read_keys(const char *path, struct stat *about, struct fault *why)
{
    struct buf text;
    struct keyring *keys = NULL;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return keyring_new();
    buf_init(&text, KEYRING_BYTES);
    if (file_read(path, &text, about, why))
        keys = keyring_read(buf_str(&text), why);
    buf_fini(&text);
    return keys;
}

static bool write_all(int fd, Str text)
{
    while (text.len) {
        ssize_t n = write(fd, text.p, text.len);
        if (n < 0)
            return false;
        text = str_skip(text, (size_t)n);
    }
    return fsync(fd) == 0;
}

/* Whole or not at all; owner and mode as they were, as far as we may. */
static bool replace(const char *path, Str text, mode_t mode, const struct stat *was,
                    struct fault *why)
{
    char fresh[PATH_MAX];
    if ((size_t)snprintf(fresh, sizeof fresh, "%s.new", path) >= sizeof fresh)
        return fail(why, REFUSE_CONFIG, "%.100s...: too long", path);
    unlink(fresh);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return fail_at(why, fresh);
    bool ok = !was->st_nlink || fchown(fd, was->st_uid, was->st_gid) != 0 ||
              fchmod(fd, was->st_mode & 0777) == 0;
    ok = ok && write_all(fd, text);
    close(fd);
    return (ok && rename(fresh, path) == 0) || fail_at(why, fresh);
}

static bool write_keys(const char *path, const struct keyring *keys, const struct stat *was,
                       struct fault *why)
{
    char public[PATH_MAX];
    struct buf text;
    const struct stat nothing = {0};
    buf_init(&text, (size_t)2 * KEYRING_BYTES);
    keyring_put(&text, keys, true);
    bool ok = replace(path, buf_str(&text), 0600, was, why);
    buf_clear(&text);
    if (ok && keyring_put(&text, keys, false)) {
        snprintf(public, sizeof public, "%s.pub", path);
        ok = replace(public, buf_str(&text), 0644, &nothing, why);
    }
    buf_fini(&text);
    return ok;
}

static bool make(const struct keygen *f, const char *path, struct fault *why)
{
    struct stat was = {0};
    char kid[RANDOM_NAME];
    Msec now = clock_wall(), keep = f->keep ? f->keep : DAY;
    enum jwt_alg alg = f->alg ? jwt_alg_of(str_of(f->alg)) : JWT_HS256;
    if (alg == JWT_NONE)
        return fail(why, REFUSE_MALFORMED, "--alg: \"%.40s\" is none of " JWT_ALGS, f->alg);
    struct keyring *keys = read_keys(path, &was, why);
    if (!keys)
        return false;
    random_name(kid);
    keyring_retire(keys, now + keep, now);
    bool ok = keyring_add(keys, alg, str_of(kid), why) && write_keys(path, keys, &was, why);
    keyring_free(keys);
    return ok;
}

static bool write_line(const char *path, const char *key, mode_t mode, struct fault *why)
{
    char line[CURVE_TEXT + 1];
    const struct stat nothing = {0};
    snprintf(line, sizeof line, "%s\n", key);
    bool ok = replace(path, str_of(line), mode, &nothing, why);
    explicit_bzero(line, sizeof line);
    return ok;
}

/* A secret is never written over: whoever knows it would be shut out. */
static bool make_curve(const char *path, struct fault *why)
{
    char public[CURVE_TEXT], secret[CURVE_TEXT], beside[PATH_MAX];
    if (access(path, F_OK) == 0)
        return fail(why, REFUSE_CONFIG, "%.150s: is there already; take it away first", path);
    if ((size_t)snprintf(beside, sizeof beside, "%s.pub", path) >= sizeof beside)
        return fail(why, REFUSE_CONFIG, "%.100s...: too long", path);
    socket_make_keys(public, secret);
    bool ok = write_line(path, secret, 0600, why) && write_line(beside, public, 0644, why);
    explicit_bzero(secret, sizeof secret);
    if (ok)
        puts(public);
    return ok;
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct keygen *f = given;
    struct fault why = {0};
    (void)o, (void)operands;
    if (f->jwt == f->curve) {
        outcome_note("say what for: --jwt or --curve; see belfry keygen --help");
        return EX_USAGE;
    }
    bool ok = f->jwt ? make(f, operand[0], &why) : make_curve(operand[0], &why);
    return ok ? outcome_of_stdout() : outcome_say(&why);
}

const struct command keygen_command = {
    .name = "keygen",
    .operands = "FILE",
    .brief = "makes a key for tokens, or for tcp://, in FILE",
    .about =
        "With --jwt: makes a key for JSON Web Tokens and puts it first into FILE, a JWKS that "
        "nobody else may\n"
        "read. Keys that are there stay valid for --keep, so that tokens signed with them hold "
        "on:\n"
        "do it again whenever the key shall change. Of a pair, what everybody may know goes into\n"
        "FILE.pub. Workers read what token_keys names: FILE for a secret, FILE.pub for a pair; "
        "they\n"
        "notice a change within a second.\n"
        "With --curve: makes a pair of keys for tcp://, one each for the hub, every worker and\n"
        "every tool. FILE, which nobody else may read, is for the own curve_key; FILE.pub, which "
        "is\n"
        "printed too, is the hub's for everybody's curve_server, and all others' for a line in "
        "the\n"
        "hub's curve_clients.",
    .examples = "  belfry keygen --jwt /etc/belfry/tokens.jwks\n"
                "  belfry keygen --jwt --alg ES256 --keep 7d tokens.jwks\n"
                "  belfry keygen --curve /etc/belfry/hub.key\n"
                "  echo \"worker $(belfry keygen --curve web1.key) web1\" "
                ">>/etc/belfry/clients\n",
    .least = 1,
    .most = 1,
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct keygen),
    .run = run,
};
