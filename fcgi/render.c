#include "render.h"

#include "base/json.h"

static bool is_break(char c)
{
    return c == '\r' || c == '\n';
}

void render_data(struct buf *out, Str text)
{
    for (;;) {
        size_t end = 0;
        while (end < text.len && !is_break(text.p[end]))
            end++;
        buf_put(out, STR("data: "));
        buf_put(out, str_make(text.p, end));
        buf_putc(out, '\n');
        if (end == text.len)
            return;
        bool is_pair = text.p[end] == '\r' && end + 1 < text.len && text.p[end + 1] == '\n';
        text = str_skip(text, end + (is_pair ? 2 : 1));
    }
}

void render_id(struct buf *out, Cursor id)
{
    char text[CURSOR_TEXT];
    if (cursor_is_none(id))
        return;
    buf_put(out, STR("id: "));
    buf_put(out, cursor_print(id, text));
    buf_putc(out, '\n');
}

/* Names were checked when they came in; a line that could become two is never written all the
 * same. */
static bool fits_in_a_line(Str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (is_break(s.p[i]) || s.p[i] == '\0')
            return false;
    return true;
}

void render_text(struct buf *out, const char *name, Str s)
{
    buf_putz(out, name);
    if (s.len)
        json_put_str(out, s);
    else
        buf_put(out, STR("null"));
}

void render_cursor(struct buf *out, const char *name, Cursor c)
{
    char text[CURSOR_TEXT];
    render_text(out, name, cursor_print(c, text));
}

void render_names(struct buf *out, const char *name, Str list)
{
    buf_putz(out, name);
    buf_putc(out, '[');
    bool is_first = true;
    for (Str each; list_next(&list, &each); is_first = false) {
        if (!is_first)
            buf_putc(out, ',');
        json_put_str(out, each);
    }
    buf_putc(out, ']');
}

void render_gap(struct buf *out, const struct gap *g)
{
    render_text(out, "{\"requested\":", g->requested);
    render_cursor(out, ",\"oldest\":", g->oldest);
    buf_printf(out, ",\"reason\":\"%s\"", gap_reason_name((int)g->reason));
    render_names(out, ",\"channels\":", g->channels);
    buf_putc(out, '}');
}

void render_object(struct buf *out, const struct event *e)
{
    render_cursor(out, "{\"id\":", event_is_ephemeral(e) ? CURSOR_NONE : e->id);
    render_text(out, ",\"channel\":", e->channel);
    render_text(out, ",\"event\":", e->name);
    buf_put(out, STR(",\"data\":"));
    if ((e->flags & EVENT_JSON) && e->data.len)
        buf_put(out, e->data);
    else
        json_put_str(out, e->data);
    render_text(out, ",\"user\":", e->user);
    buf_put(out, STR(",\"time\":"));
    buf_put_u64(out, e->time);
    buf_putc(out, '}');
}

void render_plain(struct buf *out, const struct event *e, bool without_id)
{
    if (!without_id && !event_is_ephemeral(e))
        render_id(out, e->id);
    if (e->name.len && fits_in_a_line(e->name)) {
        buf_put(out, STR("event: "));
        buf_put(out, e->name);
        buf_putc(out, '\n');
    }
    render_data(out, e->data);
    buf_putc(out, '\n');
}

void render_envelope(struct buf *out, const struct event *e, bool without_id)
{
    struct buf object;
    buf_init(&object, SIZE_MAX / 2);
    render_object(&object, e);
    if (!without_id && !event_is_ephemeral(e))
        render_id(out, e->id);
    render_data(out, buf_str(&object));
    buf_putc(out, '\n');
    buf_fini(&object);
}
