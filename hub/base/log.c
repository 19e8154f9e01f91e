#include "base/log.h"

#include "base/buf.h"

#include <stdlib.h>
#include <unistd.h>

enum { VALUE_MAX = 1024, LINE_MAX_BYTES = 16 * 1024 };

static const char *speaker = "belfry";
static enum log_level threshold = LOG_LEVEL_INFO;
static bool under_systemd;

void log_init(const char *program, enum log_level level)
{
    speaker = program;
    threshold = level;
    under_systemd = getenv("JOURNAL_STREAM") != NULL;
}

/* What is usual goes without a word for its level. */
static void put_prefix(struct buf *line, enum log_level level)
{
    static const struct {
        const char *word, *mark;
    } levels[] = {
        [LOG_LEVEL_ERROR] = {"error: ", "<3>"},
        [LOG_LEVEL_WARN] = {"warning: ", "<4>"},
        [LOG_LEVEL_INFO] = {"", "<6>"},
        [LOG_LEVEL_DEBUG] = {"debug: ", "<7>"},
    };
    if (under_systemd)
        buf_putz(line, levels[level].mark);
    else
        buf_printf(line, "%s: %s", speaker, levels[level].word);
}

static bool needs_escape(Str rest, size_t *n)
{
    *n = str_char_len(rest);
    bool bad =
        *n == 0 || str_has_control(str_make(rest.p, *n)) || *rest.p == '"' || *rest.p == '\\';
    if (*n == 0)
        *n = 1;
    return bad;
}

/* Quoted where a reader could not tell where it ends. */
static void put_value(struct buf *line, Str s)
{
    bool is_cut = s.len > VALUE_MAX;
    if (is_cut)
        s.len = VALUE_MAX;
    bool quoted = s.len == 0 || str_find(s, ' ') < s.len || str_find(s, '=') < s.len ||
                  str_find(s, '"') < s.len;
    if (quoted)
        buf_putc(line, '"');
    for (size_t n; s.len; s = str_skip(s, n)) {
        if (!needs_escape(s, &n)) {
            buf_put(line, str_make(s.p, n));
            continue;
        }
        if (*s.p == '"' || *s.p == '\\') {
            buf_printf(line, "\\%c", *s.p);
            continue;
        }
        for (size_t i = 0; i < n; i++)
            buf_printf(line, "\\x%02x", (unsigned char)s.p[i]);
    }
    if (is_cut)
        buf_putz(line, "...");
    if (quoted)
        buf_putc(line, '"');
}

void log_write(enum log_level level, const char *what, const struct log_field *fields)
{
    if (level > threshold)
        return;
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    put_prefix(&line, level);
    buf_putz(&line, what);
    for (const struct log_field *f = fields; f->name; f++) {
        buf_printf(&line, " %s=", f->name);
        if (f->is_number)
            buf_put_u64(&line, f->number);
        else
            put_value(&line, f->text);
    }
    if (!buf_putc(&line, '\n'))
        line.p[line.len - 1] = '\n';
    /* One write, so that lines of several processes do not mix; a log that is gone stops nobody. */
    ssize_t written = write(STDERR_FILENO, line.p, line.len);
    (void)written;
    buf_fini(&line);
}
