#include "cli/table.h"

#include <assert.h>
#include <stdlib.h>

#define CELL_MAX 4096

struct cell {
    char *text;
    size_t width;
};

struct table {
    size_t columns, cells, cap;
    bool *is_right;
    struct cell *cell; /* the heads are the first row */
};

/* What a terminal shows of UTF-8: about one column for each character. */
static size_t width(Str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

bool table_escape(struct buf *out, Str s)
{
    while (s.len) {
        size_t n = str_char_len(s);
        Str piece = str_make(s.p, n ? n : 1);
        unsigned char c = (unsigned char)s.p[0];
        if (n && !str_has_control(piece))
            buf_put(out, piece);
        else if (c == '\n' || c == '\t')
            buf_putz(out, c == '\n' ? "\\n" : "\\t");
        else
            for (size_t i = 0; i < piece.len; i++)
                buf_printf(out, "\\x%02x", (unsigned char)piece.p[i]);
        s = str_skip(s, piece.len);
    }
    return !out->full;
}

struct table *table_new(const char *heads)
{
    struct table *t = must_alloc(sizeof *t);
    Str rest = str_of(heads), head;
    while (str_cut(&rest, ' ', &head))
        t->columns++;
    assert(t->columns);
    t->is_right = must_alloc(t->columns * sizeof *t->is_right);
    rest = str_of(heads);
    for (size_t i = 0; str_cut(&rest, ' ', &head); i++) {
        t->is_right[i] = str_starts(head, STR(">"));
        table_put(t, str_skip(head, t->is_right[i]));
    }
    return t;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->cells; i++)
        free(t->cell[i].text);
    free(t->cell);
    free(t->is_right);
    free(t);
}

void table_put(struct table *t, Str text)
{
    struct buf b;
    buf_init(&b, CELL_MAX);
    if (text.len == 0)
        text = STR("-");
    table_escape(&b, text);
    if (t->cells == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 64;
        t->cell = must_realloc(t->cell, t->cap * sizeof *t->cell);
    }
    t->cell[t->cells++] = (struct cell){str_dup(buf_str(&b)), width(buf_str(&b))};
    buf_fini(&b);
}

void table_put_u64(struct table *t, uint64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    table_put(t, str_of(text));
}

static size_t column_width(const struct table *t, size_t column)
{
    size_t widest = 0;
    for (size_t i = column; i < t->cells; i += t->columns)
        if (t->cell[i].width > widest)
            widest = t->cell[i].width;
    return widest;
}

void table_print(const struct table *t, FILE *out)
{
    assert(t->columns > 0);
    size_t *widths = must_alloc(t->columns * sizeof *widths);
    for (size_t i = 0; i < t->columns; i++)
        widths[i] = column_width(t, i);
    for (size_t i = 0; i < t->cells; i++) {
        size_t column = i % t->columns;
        bool is_last = column + 1 == t->columns;
        int pad = (int)(widths[column] - t->cell[i].width);
        if (t->is_right[column])
            fprintf(out, "%*s%s", pad, "", t->cell[i].text);
        else
            fprintf(out, "%s%*s", t->cell[i].text, is_last ? 0 : pad, "");
        fputs(is_last ? "\n" : "  ", out);
    }
    free(widths);
}

const char *figure_bytes(double bytes, char out[FIGURE])
{
    static const char units[] = {'K', 'M', 'G', 'T', 'P'};
    size_t unit = 0;
    if (bytes < 1024) {
        snprintf(out, FIGURE, "%.0f", bytes);
        return out;
    }
    for (bytes /= 1024; bytes >= 1024 && unit + 1 < COUNT_OF(units); unit++)
        bytes /= 1024;
    snprintf(out, FIGURE, bytes < 10 ? "%.1f%c" : "%.0f%c", bytes, units[unit]);
    return out;
}

const char *figure_age(Msec ms, char out[FIGURE])
{
    static const struct {
        Msec ms;
        char unit;
    } units[] = {{86400000, 'd'}, {3600000, 'h'}, {60000, 'm'}, {0, 's'}};
    size_t i = 0;
    while (ms < 2 * units[i].ms)
        i++;
    snprintf(out, FIGURE, "%llu%c", (unsigned long long)(ms / (units[i].ms ? units[i].ms : 1000)),
             units[i].unit);
    return out;
}
