#include "base/config.h"

#include "base/file.h"
#include "wire/refusal.h"

#include <assert.h>
#include <ini.h>

struct reading {
    Str rest;
    const char *file;
    unsigned line;
    Str section; /* inih itself would cut it at 49 bytes */
    bool has_entry, is_indented;
    config_take *take;
    void *into;
    struct fault *why;
    bool is_refused;
};

static bool refuse(struct reading *r, const char *what)
{
    r->is_refused = true;
    return fail(r->why, REFUSE_CONFIG, "%.100s, line %u: %s", r->file, r->line, what);
}

static bool pass_on(struct reading *r, Str name, Str value)
{
    struct config_entry entry = {
        .file = r->file,
        .line = r->line,
        .section = r->section,
        .name = name,
        .value = value,
        .is_more = r->is_indented && r->has_entry,
    };
    r->is_refused = !r->take(r->into, &entry, r->why);
    return !r->is_refused;
}

static bool is_comment(Str line)
{
    return !line.len || line.p[0] == ';' || line.p[0] == '#';
}

static bool has_remark(Str line)
{
    for (size_t i = 1; i < line.len; i++)
        if (line.p[i] == '#' && (line.p[i - 1] == ' ' || line.p[i - 1] == '\t'))
            return true;
    return false;
}

/* What inih would read in another way than it looks. */
static bool check_line(struct reading *r, Str line)
{
    Str text = str_trim(line);
    if (line.len > CONFIG_LINE)
        return refuse(r, "longer than 198 bytes; a list may go on in an indented line");
    if (str_find(line, '\0') < line.len)
        return refuse(r, "has a NUL byte");
    r->is_indented = line.len && text.p != line.p;
    if (is_comment(text))
        return true;
    if (str_find(text, ';') < text.len)
        return refuse(r, "`;` cannot be part of a value; a comment has a line of its own");
    if (has_remark(text))
        return refuse(r, "a comment has a line of its own");
    if (text.p[0] == '[') {
        if (r->is_indented || text.p[text.len - 1] != ']')
            return refuse(r, "a section is a line [NAME] that begins at the margin");
        r->section = str_trim(str_make(text.p + 1, text.len - 2));
        r->has_entry = false;
        return pass_on(r, STR_NONE, STR_NONE);
    }
    return true;
}

/* fgets() for inih: the next line with its newline, or NULL. */
static char *next_line(char *out, int size, void *stream)
{
    struct reading *r = stream;
    Str line;
    if (r->is_refused || !str_cut(&r->rest, '\n', &line))
        return NULL;
    r->line++;
    if (!check_line(r, line))
        return NULL;
    assert((size_t)size > line.len + 1);
    memcpy(out, line.p, line.len);
    memcpy(out + line.len, "\n", 2);
    return out;
}

static int on_entry(void *user, const char *section, const char *name, const char *value)
{
    struct reading *r = user;
    (void)section;
    bool ok = !r->is_refused && pass_on(r, str_of(name), str_of(value));
    r->has_entry = true;
    return ok;
}

bool config_parse(Str text, const char *file, config_take *take, void *into, struct fault *why)
{
    struct reading r = {.rest = text, .file = file, .take = take, .into = into, .why = why};
    if (str_starts(text, STR("\xef\xbb\xbf")))
        r.rest = str_skip(text, 3);
    int line = ini_parse_stream(next_line, &r, on_entry, &r);
    if (r.is_refused)
        return false;
    r.line = (unsigned)line;
    return line == 0 || refuse(&r, "is neither [section] nor name = value");
}

bool config_read(const char *file, config_take *take, void *into, struct fault *why)
{
    struct buf text;
    buf_init(&text, CONFIG_BYTES);
    bool ok =
        file_read(file, &text, NULL, why) && config_parse(buf_str(&text), file, take, into, why);
    buf_fini(&text);
    return ok;
}
