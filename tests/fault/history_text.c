#include "history.h"

#include "wire/refusal.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

static const char *const kinds[FACTS] = {
    [FACT_INVOKE] = "invoke",     [FACT_OK] = "ok",           [FACT_FAIL] = "fail",
    [FACT_UNKNOWN] = "unknown",   [FACT_CONNECT] = "connect", [FACT_OPEN] = "open",
    [FACT_JOINED] = "joined",     [FACT_LEFT] = "left",       [FACT_RECEIVE] = "receive",
    [FACT_BEAT] = "beat",         [FACT_GAP] = "gap",         [FACT_BYE] = "bye",
    [FACT_CLOSE] = "close",       [FACT_REFUSED] = "refused", [FACT_DRAINED] = "drained",
    [FACT_PRUNED] = "pruned",     [FACT_FORK] = "fork",       [FACT_CRASH] = "crash",
    [FACT_RESTART] = "restart",   [FACT_PRESENT] = "present", [FACT_ONLINE] = "online",
    [FACT_GRANT] = "grant",       [FACT_REVOKE] = "revoke",   [FACT_GRANTED] = "granted",
    [FACT_REVOKING] = "revoking", [FACT_ASKS] = "asks"};
static const char *const starts[] = {"now", "earliest", "last", "since"};

/* How a value is written. POSITION: the place alone; EPOCH: the other half of the same cursor. */
enum form { WORD, NUMBER, CURSOR, POSITION, EPOCH, START, FLAG };
/* One name=value. `only` is the kind that calls it so, FACTS: all others do. */
struct field {
    const char *name;
    enum form form;
    size_t offset;
    unsigned only;
};
#define AT(member) offsetof(struct fact, member)
/* Of two that share a member the first that fits a kind is meant. */
static const struct field fields[] = {
    {"op", NUMBER, AT(op), FACTS},
    {"conn", NUMBER, AT(op), FACTS},
    {"channel", WORD, AT(channel), FACTS},
    {"body", WORD, AT(body), FACTS},
    {"key", WORD, AT(key), FACTS},
    {"exclude", WORD, AT(exclude), FACTS},
    {"channels", WORD, AT(channels), FACTS},
    {"client", WORD, AT(client), FACTS},
    {"user", WORD, AT(user), FACTS},
    {"users", WORD, AT(users), FACTS},
    {"who", WORD, AT(reason), FACT_CRASH},
    {"who", WORD, AT(reason), FACT_RESTART},
    {"code", WORD, AT(reason), FACT_FAIL},
    {"code", WORD, AT(reason), FACT_UNKNOWN},
    {"code", WORD, AT(reason), FACT_REFUSED},
    {"by", WORD, AT(reason), FACT_CLOSE},
    {"reason", WORD, AT(reason), FACTS},
    {"cursor", CURSOR, AT(id), FACT_CONNECT},
    {"oldest", CURSOR, AT(id), FACT_GAP},
    {"upto", POSITION, AT(id), FACT_PRUNED},
    {"at", POSITION, AT(id), FACT_FORK},
    {"epoch", EPOCH, AT(id), FACT_FORK},
    {"id", CURSOR, AT(id), FACTS},
    {"start", START, AT(start), FACTS},
    {"mortal", FLAG, AT(mortal), FACTS},
    {"ephemeral", FLAG, AT(ephemeral), FACTS},
    {"resumed", FLAG, AT(resumed), FACTS},
    {"late", FLAG, AT(late), FACTS},
};

static bool is_publish(enum what what)
{
    return what <= FACT_UNKNOWN;
}

/* Whether this kind of fact calls a member by this name. */
static bool is_field_of(const struct field *f, enum what what)
{
    if (f->offset == AT(op))
        return what < FACT_PRUNED && is_publish(what) == (f->name[0] == 'o');
    if (f->only != FACTS)
        return f->only == what;
    for (const struct field *g = fields; g < f; g++)
        if (g->offset == f->offset && g->only == what)
            return false;
    return true;
}

static void print_escaped(Str s, FILE *to)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c == '%' || c == '=' || c == 0x7f)
            fprintf(to, "%%%02X", c);
        else
            putc(c, to);
    }
}

static void print_cursor(Cursor c, FILE *to)
{
    char text[CURSOR_TEXT];
    if (c.epoch == EPOCH_UNREADABLE)
        fputs("unreadable", to);
    else
        fputs(c.epoch ? cursor_print(c, text).p : "-", to);
}

static void print_field(const struct field *f, const void *value, FILE *to)
{
    Cursor c;
    char text[CURSOR_TEXT];
    switch (f->form) {
    case WORD:
        print_escaped(*(const Str *)value, to);
        break;
    case NUMBER:
        fprintf(to, "%" PRIu32, *(const uint32_t *)value);
        break;
    case CURSOR:
        print_cursor(*(const Cursor *)value, to);
        break;
    case POSITION:
        fprintf(to, "%" PRIu64, ((const Cursor *)value)->at);
        break;
    case EPOCH:
        c = *(const Cursor *)value;
        fprintf(to, "%.8s", cursor_print(c, text).p);
        break;
    case START:
        fputs(starts[*(const enum start_at *)value], to);
        break;
    case FLAG:
        putc('1', to);
        break;
    }
}

/* A fact without it reads the same. */
static bool is_set(const struct field *f, const void *value)
{
    switch (f->form) {
    case WORD:
        return ((const Str *)value)->len > 0;
    case NUMBER:
        return *(const uint32_t *)value > 0;
    case CURSOR:
        return ((const Cursor *)value)->epoch != 0;
    case POSITION:
        return true;
    case EPOCH:
        return ((const Cursor *)value)->epoch != 0;
    case START:
        return *(const enum start_at *)value != BEGIN_NOW;
    case FLAG:
        return *(const bool *)value;
    }
    return false;
}

void fact_print(const struct fact *f, FILE *to)
{
    fprintf(to, "%" PRIu64 " ", f->ns);
    print_escaped(f->actor, to);
    fprintf(to, " %s", kinds[f->what]);
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        const void *value = (const char *)f + fields[i].offset;
        if (is_field_of(&fields[i], f->what) && is_set(&fields[i], value)) {
            fprintf(to, " %s=", fields[i].name);
            print_field(&fields[i], value, to);
        }
    }
    putc('\n', to);
}

void history_write(const struct history *h, FILE *to)
{
    struct fact f;
    for (size_t i = 0; i < history_len(h); i++) {
        history_get(h, i, &f);
        fact_print(&f, to);
    }
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place. */
static bool unescape(char *p, size_t len, Str *out)
{
    size_t to = 0;
    for (size_t i = 0; i < len; i++) {
        if (p[i] != '%') {
            p[to++] = p[i];
            continue;
        }
        if (i + 2 >= len || hex(p[i + 1]) < 0 || hex(p[i + 2]) < 0)
            return false;
        p[to++] = (char)((unsigned)hex(p[i + 1]) << 4 | (unsigned)hex(p[i + 2]));
        i += 2;
    }
    *out = str_make(p, to);
    return true;
}

static bool read_start(Str text, enum start_at *out)
{
    for (size_t i = 0; i < COUNT_OF(starts); i++)
        if (str_eq(text, str_of(starts[i]))) {
            *out = (enum start_at)i;
            return true;
        }
    return false;
}

/* Only connect's may be unreadable: it is what the reader presented, whatever that was. */
static bool read_cursor(Str text, bool anything, Cursor *out)
{
    if (text.len == 0 || str_eq(text, STR("-"))) {
        *out = CURSOR_NONE;
        return true;
    }
    if (cursor_parse(text, out))
        return true;
    *out = (Cursor){EPOCH_UNREADABLE, 0};
    return anything;
}

static bool read_number(Str text, uint32_t *out)
{
    uint64_t n;
    if (!str_to_u64(text, &n) || n > UINT32_MAX)
        return false;
    *out = (uint32_t)n;
    return true;
}

static bool read_epoch(Str text, Cursor *out)
{
    char whole[CURSOR_TEXT];
    Cursor c;
    snprintf(whole, sizeof whole, "%.*s-0", FMT(text));
    if (text.len != 8 || !cursor_parse(str_of(whole), &c))
        return false;
    out->epoch = c.epoch;
    return true;
}

static bool read_value(const struct field *f, Str text, void *value)
{
    switch (f->form) {
    case WORD:
        *(Str *)value = text;
        return true;
    case NUMBER:
        return read_number(text, value);
    case CURSOR:
        return read_cursor(text, f->only == FACT_CONNECT, value);
    case POSITION:
        return str_to_u64(text, &((Cursor *)value)->at);
    case EPOCH:
        return read_epoch(text, value);
    case START:
        return read_start(text, value);
    case FLAG:
        *(bool *)value = str_eq(text, STR("1"));
        return true;
    }
    return false;
}

static bool read_field(char *item, size_t len, struct fact *out, struct fault *why)
{
    size_t equals = str_find(str_make(item, len), '=');
    Str name = str_make(item, equals), text;
    if (equals == len || !unescape(item + equals + 1, len - equals - 1, &text))
        return fail(why, REFUSE_MALFORMED, "`%.*s`: name=value is wanted", (int)len, item);
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (!str_eq(name, str_of(fields[i].name)) || !is_field_of(&fields[i], out->what))
            continue;
        if (read_value(&fields[i], text, (char *)out + fields[i].offset))
            return true;
        return fail(why, REFUSE_MALFORMED, "%.*s: `%.*s` is no value for it", FMT(name), FMT(text));
    }
    return fail(why, REFUSE_MALFORMED, "%.*s: is unknown of %s", FMT(name), kinds[out->what]);
}

/* The next word of a line, to be changed in place. */
static bool next_item(char **rest, char **item, size_t *len)
{
    *item = *rest + strspn(*rest, " \n");
    *len = strcspn(*item, " \n");
    *rest = *item + *len;
    return *len > 0;
}

static bool read_kind(Str name, enum what *out)
{
    for (unsigned i = 0; i < FACTS; i++)
        if (str_eq(name, str_of(kinds[i]))) {
            *out = (enum what)i;
            return true;
        }
    return false;
}

bool fact_parse(char *line, struct fact *out, struct fault *why)
{
    char *item;
    size_t len;
    *out = (struct fact){0};
    if (!next_item(&line, &item, &len) || !str_to_u64(str_make(item, len), &out->ns))
        return fail(why, REFUSE_MALFORMED, "nanoseconds: are missing");
    if (!next_item(&line, &item, &len) || !unescape(item, len, &out->actor))
        return fail(why, REFUSE_MALFORMED, "actor: is missing");
    if (!next_item(&line, &item, &len) || !read_kind(str_make(item, len), &out->what))
        return fail(why, REFUSE_MALFORMED, "`%.*s`: is no kind of fact", (int)len, item);
    while (next_item(&line, &item, &len))
        if (!read_field(item, len, out, why))
            return false;
    return true;
}

static bool read_lines(struct history *h, const char *path, FILE *from, struct fault *why)
{
    char *line = NULL;
    size_t cap = 0, number = 0;
    ssize_t len;
    bool is_good = true;
    while (is_good && (len = getline(&line, &cap, from)) > 0) {
        struct fact f;
        struct fault detail;
        number++;
        if (line[len - 1] != '\n')
            break;
        if (line[0] == '#' || len == 1)
            continue;
        is_good = fact_parse(line, &f, &detail) ||
                  fail(why, REFUSE_MALFORMED, "%s:%zu: %s", path, number, detail.text);
        if (is_good)
            history_add(h, &f);
    }
    free(line);
    return is_good;
}

bool history_read(struct history *h, const char *path, struct fault *why)
{
    FILE *from = fopen(path, "r");
    if (!from)
        return fail(why, REFUSE_NOT_FOUND, "%s: %s", path, strerror(errno));
    bool is_good = read_lines(h, path, from, why);
    fclose(from);
    return is_good;
}
