#include "wire/curve.h"

#include "wire/refusal.h"

#include <stdint.h>
#include <stdlib.h>

enum { KEY_BYTES = 256, LIST_BYTES = 256 * CURVE_CLIENTS, LETTERS = 85 };

static const char letters[] =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

static const struct {
    const char *name;
    enum curve_role role;
} roles[] = {{"worker", CURVE_WORKER},
             {"publish", CURVE_PUBLISH},
             {"tap", CURVE_TAP},
             {"admin", CURVE_ADMIN}};

struct client {
    CurveKey key;
    unsigned roles;
};

struct curve_clients {
    size_t n;
    struct client v[CURVE_CLIENTS];
};

/* Five letters are four bytes, big end first. */
static bool parse_group(const char *text, unsigned char out[4])
{
    uint64_t n = 0;
    for (int i = 0; i < 5; i++) {
        const char *letter = text[i] ? strchr(letters, text[i]) : NULL;
        if (!letter)
            return false;
        n = n * LETTERS + (uint64_t)(letter - letters);
    }
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(n >> (24 - 8 * i));
    return n <= UINT32_MAX;
}

bool curve_parse(Str text, CurveKey *out)
{
    bool ok = text.len == CURVE_TEXT - 1;
    for (size_t i = 0; ok && i < sizeof out->at / 4; i++)
        ok = parse_group(text.p + 5 * i, out->at + 4 * i);
    return ok;
}

const char *curve_print(CurveKey key, char out[CURVE_TEXT])
{
    for (size_t i = 0; i < sizeof key.at / 4; i++) {
        const unsigned char *b = key.at + 4 * i;
        uint32_t n = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        for (size_t k = 5; k--; n /= LETTERS)
            out[5 * i + k] = letters[n % LETTERS];
    }
    out[CURVE_TEXT - 1] = '\0';
    return out;
}

static bool take_key(const char *path, Str text, char out[CURVE_TEXT], struct fault *why)
{
    CurveKey key;
    if (text.len && text.p[text.len - 1] == '\n')
        text.len--;
    if (!curve_parse(text, &key))
        return fail(why, REFUSE_CONFIG, "%.100s: is no CURVE key, a line of 40 characters", path);
    curve_print(key, out);
    explicit_bzero(&key, sizeof key);
    return true;
}

static bool read_key(const char *path, char out[CURVE_TEXT], mode_t barred, struct fault *why)
{
    struct stat about;
    struct buf text;
    buf_init(&text, KEY_BYTES);
    bool ok = file_read(path, &text, &about, why);
    if (ok && about.st_mode & barred)
        ok = fail(why, REFUSE_CONFIG,
                  "%.100s: has mode %04o, and holds a secret: 0600 or 0640 is needed", path,
                  (unsigned)(about.st_mode & 07777));
    ok = ok && take_key(path, buf_str(&text), out, why);
    if (text.p)
        explicit_bzero(text.p, text.len);
    buf_fini(&text);
    return ok;
}

bool curve_read_secret(const char *path, char out[CURVE_TEXT], struct fault *why)
{
    return read_key(path, out, S_IWGRP | S_IXGRP | S_IRWXO, why);
}

bool curve_read_public(const char *path, char out[CURVE_TEXT], struct fault *why)
{
    return read_key(path, out, 0, why);
}

static unsigned role_of(Str name)
{
    for (size_t i = 0; i < COUNT_OF(roles); i++)
        if (str_eq(name, str_of(roles[i].name)))
            return roles[i].role;
    return 0;
}

static bool parse_roles(Str list, unsigned *out, struct fault *why)
{
    *out = 0;
    for (bool more = true; more;) {
        size_t end = str_find(list, ',');
        Str name = str_make(list.p, end);
        if (!role_of(name))
            return fail(why, REFUSE_CONFIG,
                        "\"%.*s\" is no role (worker, publish, tap, admin; the key stands behind)",
                        (int)(name.len < 40 ? name.len : 40), name.p);
        *out |= role_of(name);
        more = end < list.len;
        list = str_skip(list, more ? end + 1 : end);
    }
    return true;
}

/* Up to the next blank; takes it and those behind it off the line. */
static Str take_word(Str *line)
{
    size_t n = 0, end;
    while (n < line->len && line->p[n] != ' ' && line->p[n] != '\t')
        n++;
    for (end = n; end < line->len && (line->p[end] == ' ' || line->p[end] == '\t'); end++)
        ;
    Str word = str_make(line->p, n);
    *line = str_skip(*line, end);
    return word;
}

static bool take_line(struct curve_clients *c, Str line, struct fault *why)
{
    struct client found;
    if (!line.len || line.p[0] == '#')
        return true;
    if (!parse_roles(take_word(&line), &found.roles, why))
        return false;
    if (!curve_parse(take_word(&line), &found.key))
        return fail(why, REFUSE_CONFIG, "behind the roles must stand a key of 40 characters");
    if (curve_clients_roles(c, found.key))
        return fail(why, REFUSE_CONFIG, "this key is in an earlier line");
    if (c->n == CURVE_CLIENTS)
        return fail(why, REFUSE_CONFIG, "more than %d keys", CURVE_CLIENTS);
    c->v[c->n++] = found;
    return true;
}

struct curve_clients *curve_clients_parse(Str text, struct fault *why)
{
    struct curve_clients *c = must_alloc(sizeof *c);
    for (size_t number = 1; text.len; number++) {
        struct fault own;
        size_t end = str_find(text, '\n');
        if (!take_line(c, str_make(text.p, end), &own)) {
            fail(why, REFUSE_CONFIG, "line %zu: %s", number, own.text);
            curve_clients_free(c);
            return NULL;
        }
        text = str_skip(text, end < text.len ? end + 1 : end);
    }
    return c;
}

struct curve_clients *curve_clients_read(const char *path, struct stamp *stamp, struct fault *why)
{
    struct stat about;
    struct fault own;
    struct buf text;
    struct curve_clients *c = NULL;
    buf_init(&text, LIST_BYTES);
    if (!file_read(path, &text, &about, why))
        c = NULL;
    else if (about.st_mode & S_IWOTH)
        fail(why, REFUSE_CONFIG, "%.100s: everybody may write it, and so let himself in", path);
    else if (!(c = curve_clients_parse(buf_str(&text), &own)))
        fail(why, REFUSE_CONFIG, "%.100s: %.140s", path, own.text);
    if (c)
        *stamp = stamp_of(&about);
    buf_fini(&text);
    return c;
}

void curve_clients_free(struct curve_clients *c)
{
    free(c);
}

size_t curve_clients_len(const struct curve_clients *c)
{
    return c->n;
}

unsigned curve_clients_roles(const struct curve_clients *c, CurveKey key)
{
    for (size_t i = 0; i < c->n; i++)
        if (memcmp(c->v[i].key.at, key.at, sizeof key.at) == 0)
            return c->v[i].roles;
    return 0;
}

bool curve_clients_keep(const struct curve_clients *now, const struct curve_clients *before)
{
    for (size_t i = 0; i < before->n; i++)
        if (before->v[i].roles & ~curve_clients_roles(now, before->v[i].key))
            return false;
    return true;
}
