/* belfry log -- pages through the journal. */
#include "cli/admin.h"
#include "cli/command.h"
#include "cli/outcome.h"
#include "cli/show.h"
#include "cli/when.h"
#include "wire/cursor.h"
#include "wire/names.h"
#include "wire/refusal.h"

#define PAGE 1000

struct log_flags {
    const char *after, *before, *since;
    uint64_t limit;
    bool json, reverse;
};

static const struct flag flags[] = {
    {"after", FLAG_TEXT, offsetof(struct log_flags, after), "ID", "only after this event"},
    {"before", FLAG_TEXT, offsetof(struct log_flags, before), "ID", "only before this event"},
    {"since", FLAG_TEXT, offsetof(struct log_flags, since), "WHEN", WHEN_HELP},
    {"limit", FLAG_COUNT, offsetof(struct log_flags, limit), "N", "at most so many (all)"},
    {"reverse", FLAG_SWITCH, offsetof(struct log_flags, reverse), NULL, "the newest first"},
    {"json", FLAG_SWITCH, offsetof(struct log_flags, json), NULL,
     "a JSON object for each line: id, channel, event, data, user, time"},
};

struct pager {
    const struct log_flags *flags;
    struct admin admin;
    struct buf channels, line;
    char cursor[CURSOR_TEXT]; /* the page before ended there */
    Position told;            /* so far events were said to be missing */
    Msec since;
    uint64_t left;
};

static bool put_id(struct buf *out, const char *name, const char *id)
{
    if (!id || !id[0])
        return true;
    return buf_printf(out, ",\"%s\":", name) && json_put_str(out, str_of(id));
}

static bool put_question(const struct pager *p, struct buf *out)
{
    const char *after = p->flags->after, *before = p->flags->before;
    if (p->cursor[0] && p->flags->reverse)
        before = p->cursor;
    else if (p->cursor[0])
        after = p->cursor;
    buf_putz(out, "{\"do\":\"log\",\"channels\":[");
    buf_put(out, buf_str(&p->channels));
    buf_putc(out, ']');
    put_id(out, "after", after);
    put_id(out, "before", before);
    if (p->since)
        buf_printf(out, ",\"since\":%llu", (unsigned long long)p->since);
    buf_printf(out, ",\"limit\":%llu", (unsigned long long)(p->left < PAGE ? p->left : PAGE));
    return buf_printf(out, ",\"order\":\"%s\"}", p->flags->reverse ? "desc" : "asc");
}

/* `text` is what the hub wrote of the event: JSON data is shown as its author wrote it. */
static bool show(struct pager *p, const Json *e, Str text)
{
    const Json *data = json_get(e, "data"), *is_json = json_get(e, "json");
    Str raw = STR_NONE;
    struct shown s = {
        .id = admin_str(e, "id"),
        .channel = admin_str(e, "channel"),
        .event = admin_str(e, "event"),
        .user = admin_str(e, "user"),
        .time = admin_u64(e, "time"),
        .is_json = is_json && json_is_true(is_json),
    };
    if (data && s.is_json && json_member_text(text, "data", &raw))
        s.data = raw;
    else if (data && json_is_string(data))
        s.data = json_str(data);
    buf_clear(&p->line);
    return (p->flags->json ? show_json(&p->line, &s) : show_words(&p->line, &s)) &&
           fwrite(p->line.p, 1, p->line.len, stdout) == p->line.len;
}

static const Json *ask(struct pager *p, struct fault *why)
{
    struct buf question;
    buf_init(&question, 1024 * 1024);
    const Json *answer = NULL;
    if (put_question(p, &question))
        answer = admin_ask(&p->admin, buf_str(&question), ADMIN_MS, why);
    else
        fail(why, REFUSE_MALFORMED, "too many channels");
    buf_fini(&question);
    return answer;
}

/* The next page may find the same floors again, or higher ones. */
static void note_gap(struct pager *p, const Json *gap)
{
    Cursor oldest = CURSOR_NONE;
    Str text = admin_str(gap, "oldest");
    if (cursor_parse(text, &oldest) && p->cursor[0] && oldest.at <= p->told)
        return;
    outcome_note("gap: events are missing, the oldest kept come after %.*s", FMT(text));
    p->told = oldest.at;
}

/* One page. *more: there is another. */
static bool page(struct pager *p, bool *more, struct fault *why)
{
    const Json *answer = ask(p, why);
    if (!answer)
        return false;
    const Json *events = json_get(answer, "events"), *gap = json_get(answer, "gap");
    Str array = STR_NONE, element;
    size_t n = json_len(events);
    if (gap && !json_is_null(gap))
        note_gap(p, gap);
    json_member_text(admin_text(&p->admin), "events", &array);
    for (size_t i = 0; i < n; i++)
        if (!json_element_text(array, i, &element) || !show(p, json_at(events, i), element))
            return fail(why, REFUSE_INTERNAL, "an event could not be written");
    snprintf(p->cursor, sizeof p->cursor, "%.*s", FMT(admin_str(answer, "cursor")));
    p->left -= n < p->left ? n : p->left;
    const Json *is_more = json_get(answer, "more");
    *more = is_more && json_is_true(is_more) && p->left && p->cursor[0];
    return true;
}

static bool begin(struct pager *p, int n, char **operand, struct fault *why)
{
    Cursor c;
    const char *ids[] = {p->flags->after, p->flags->before};
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        if (ids[i] && !cursor_parse(str_of(ids[i]), &c))
            return fail(why, REFUSE_MALFORMED, "\"%.60s\" is no id", ids[i]);
    if (p->flags->since && !when_parse(p->flags->since, clock_wall(), &p->since, why))
        return false;
    for (int i = 0; i < n; i++) {
        if (!pattern_is_valid(str_of(operand[i]), "channel", why))
            return false;
        if (i)
            buf_putc(&p->channels, ',');
        json_put_str(&p->channels, str_of(operand[i]));
    }
    return true;
}

static int print(const struct options *o, struct pager *p)
{
    struct fault why = {0};
    bool more = true, ok = admin_open(&p->admin, o, &why);
    while (ok && more)
        ok = page(p, &more, &why);
    admin_close(&p->admin);
    int code = outcome_of_stdout();
    return ok ? code : outcome_say(&why);
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct log_flags *f = given;
    struct pager p = {.flags = f, .left = f->limit ? f->limit : UINT64_MAX};
    struct fault why = {0};
    int code = EX_USAGE;
    buf_init(&p.channels, 512 * 1024);
    buf_init(&p.line, SHOW_MAX);
    if (begin(&p, operands, operand, &why))
        code = print(o, &p);
    else
        outcome_note("%s; see belfry log --help", why.text);
    buf_fini(&p.channels);
    buf_fini(&p.line);
    return code;
}

const struct command log_command = {
    .name = "log",
    .operands = "[CHANNEL...]",
    .brief = "pages through the journal",
    .about =
        "Prints events that the journal holds, of some channels or patterns or of all, the oldest\n"
        "first, as `belfry sub` does: `id channel event data`, or with --json an object.",
    .examples = "  belfry log room:1 --limit 20 --reverse\n"
                "  belfry log --since 10m\n"
                "  belfry log 'order:*' --json | jq .data\n",
    .most = -1,
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct log_flags),
    .run = run,
};
