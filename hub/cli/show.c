#include "cli/show.h"

#include "base/json.h"
#include "cli/table.h"

static bool put_or_null(struct buf *out, Str s)
{
    return s.len ? json_put_str(out, s) : buf_putz(out, "null");
}

bool show_json(struct buf *out, const struct shown *e)
{
    buf_putz(out, "{\"id\":");
    put_or_null(out, e->id);
    buf_putz(out, ",\"channel\":");
    json_put_str(out, e->channel);
    buf_putz(out, ",\"event\":");
    put_or_null(out, e->event);
    buf_putz(out, ",\"data\":");
    if (e->is_json)
        buf_put(out, e->data);
    else
        json_put_str(out, e->data);
    buf_putz(out, ",\"user\":");
    put_or_null(out, e->user);
    buf_printf(out, ",\"time\":%llu}\n", (unsigned long long)e->time);
    return !out->full;
}

static void put_word(struct buf *out, Str s)
{
    table_escape(out, s.len ? s : STR("-"));
    buf_putc(out, ' ');
}

bool show_words(struct buf *out, const struct shown *e)
{
    put_word(out, e->id);
    put_word(out, e->channel);
    put_word(out, e->event);
    table_escape(out, e->data);
    buf_putc(out, '\n');
    return !out->full;
}
