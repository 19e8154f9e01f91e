#include "tokens.h"

#include "base/file.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "wire/keyring.h"
#include "wire/refusal.h"

#include <stdlib.h>

enum { KNOWN_MAX = 65536, KNOWN_BYTES = 32 * 1024 * 1024, LOOK_MS = 1000 };

/* One that was found good. */
struct known {
    struct list node; /* the oldest first */
    char digest[JWT_DIGEST];
    struct token *token;
    Msec until; /* of its key; 0: for ever */
    size_t size;
};

struct tokens {
    const struct options *options;
    struct token_wants wants;
    struct keyring *keys; /* NULL: the option names no file */
    struct stamp stamp;
    Msec looked;
    struct map known;
    struct list order;
    size_t count, bytes;
    uint64_t checked, refused;
};

static void forget(struct tokens *t, struct known *k)
{
    map_del(&t->known, str_make(k->digest, sizeof k->digest));
    list_remove(&k->node);
    t->count--;
    t->bytes -= k->size;
    token_unref(k->token);
    free(k);
}

static void forget_all(struct tokens *t)
{
    while (!list_is_empty(&t->order))
        forget(t, CONTAINER_OF(t->order.next, struct known, node));
}

static void warn_of_readers(const char *path, const struct keyring *keys, mode_t mode)
{
    if (keyring_is_secret(keys) && mode & (S_IROTH | S_IWOTH))
        log_warn("token keys", kz("file", path), kz("reason", "everybody may read this secret"));
}

/* A file that changes while it is read has another stamp at the next look. */
static struct keyring *read_keys(const char *path, struct stamp *stamp, struct fault *why)
{
    struct stat about;
    struct fault own = {0};
    struct buf text;
    struct keyring *keys = NULL;
    buf_init(&text, KEYRING_BYTES);
    if (!file_read(path, &text, &about, why))
        keys = NULL;
    else if (!(keys = keyring_read(buf_str(&text), &own)))
        fail(why, REFUSE_CONFIG, "%.100s: %.130s", path, own.text);
    if (keys) {
        *stamp = stamp_of(&about);
        warn_of_readers(path, keys, about.st_mode);
    }
    if (text.p)
        explicit_bzero(text.p, text.len);
    buf_fini(&text);
    return keys;
}

struct tokens *tokens_open(const struct options *o, struct fault *why)
{
    struct tokens *t = must_alloc(sizeof *t);
    t->options = o;
    t->wants =
        (struct token_wants){str_of(o->token_issuer), str_of(o->token_audience), o->token_life};
    map_init(&t->known);
    list_init(&t->order);
    if (!str_of(o->token_keys).len)
        return t;
    struct fault own;
    t->keys = read_keys(o->token_keys, &t->stamp, &own);
    if (t->keys)
        return t;
    fail(why, REFUSE_CONFIG, "token_keys: %.200s", own.text);
    tokens_close(t);
    return NULL;
}

void tokens_close(struct tokens *t)
{
    if (!t)
        return;
    forget_all(t);
    map_fini(&t->known);
    keyring_free(t->keys);
    free(t);
}

/* The stamp of what was refused is kept, so that it is said once. */
static void read_again(struct tokens *t, struct stamp stamp)
{
    struct fault why;
    t->stamp = stamp;
    struct keyring *keys = read_keys(t->options->token_keys, &t->stamp, &why);
    if (!keys) {
        log_error("token keys", kz("reason", why.text), kz("kept", "those of before"));
        return;
    }
    keyring_free(t->keys);
    t->keys = keys;
    forget_all(t);
    log_info("token keys", kz("file", t->options->token_keys), kn("keys", keyring_len(keys)));
}

void tokens_tick(struct tokens *t, Msec now)
{
    struct stat s;
    if (!t->keys || now - t->looked < LOOK_MS)
        return;
    t->looked = now;
    if (stat(t->options->token_keys, &s) == 0 && !stamp_is_same(stamp_of(&s), t->stamp))
        read_again(t, stamp_of(&s));
}

static void remember(struct tokens *t, const char digest[JWT_DIGEST], struct token *token,
                     Msec until)
{
    struct known *k = must_alloc(sizeof *k);
    memcpy(k->digest, digest, sizeof k->digest);
    k->token = token_ref(token);
    k->until = until;
    k->size = sizeof *k + sizeof *token + token->user.len + token->id.len + token->public.len +
              token->grants.subscribe.len + token->grants.publish.len + token->grants.presence.len;
    map_put(&t->known, str_make(k->digest, sizeof k->digest), k);
    list_append(&t->order, &k->node);
    t->count++;
    t->bytes += k->size;
    while (t->count > KNOWN_MAX || t->bytes > KNOWN_BYTES)
        forget(t, CONTAINER_OF(t->order.next, struct known, node));
}

/* NULL: not remembered, or no longer good. */
static struct token *recall(struct tokens *t, const char digest[JWT_DIGEST], Msec wall)
{
    struct known *k = map_get(&t->known, str_make(digest, JWT_DIGEST));
    if (!k)
        return NULL;
    if (token_is_fresh(k->token, wall) && (!k->until || wall < k->until))
        return token_ref(k->token);
    forget(t, k);
    return NULL;
}

static struct token *judge(struct tokens *t, Str text, const char digest[JWT_DIGEST], Msec wall,
                           struct fault *why)
{
    struct token_parts parts;
    struct token *token = NULL;
    Msec until;
    bool is_open = token_open(&parts, text, why);
    t->checked += is_open;
    if (is_open && keyring_verify(t->keys, text, parts.alg, buf_str(&parts.kid), wall, &until, why))
        token = token_read(buf_str(&parts.payload), &t->wants, wall, why);
    token_close(&parts);
    if (token)
        remember(t, digest, token, until);
    return token;
}

struct token *tokens_admit(struct tokens *t, Str text, Msec wall, struct fault *why)
{
    char digest[JWT_DIGEST];
    struct token *token = NULL;
    jwt_digest(text, digest);
    if (!t->keys)
        fail(why, REFUSE_INVALID_TOKEN, "token_keys is not set");
    else if (!(token = recall(t, digest, wall)))
        token = judge(t, text, digest, wall, why);
    t->refused += !token;
    return token;
}

struct token *tokens_recall(struct tokens *t, Str text, Msec wall)
{
    char digest[JWT_DIGEST];
    jwt_digest(text, digest);
    return recall(t, digest, wall);
}

struct tokens_counts tokens_counts(const struct tokens *t)
{
    return (struct tokens_counts){t->checked, t->refused, t->count};
}
