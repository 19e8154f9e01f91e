#include "inspect.h"

#include "begin.h"
#include "engine.h"

#include <stdlib.h>

enum { LOG_ROWS = 1000, LOG_BYTES = 8 * 1024 * 1024, REPORT_BYTES = 1024 * 1024 };

/* One operation and who waits for it. */
struct inspection {
    union {
        struct op op; /* first */
        struct reading reading;
        struct backup backup;
        struct check check;
    };
    struct list node;   /* of a backup, a check */
    struct asker asker; /* peer NULL: was told that the hub stops */
    struct begin begin;
    struct buf names;
};

static void on_log(struct hub *h, struct op *op);
static void on_backup(struct hub *h, struct op *op);
static void on_check(struct hub *h, struct op *op);
static struct op_owner log_owner = {on_log}, backup_owner = {on_backup}, check_owner = {on_check};

static struct inspection *inspection_new(struct asker *a, enum op_kind kind)
{
    struct inspection *i = must_alloc(sizeof *i);
    i->op.kind = kind;
    list_init(&i->node);
    i->asker = *a;
    a->peer = NULL;
    buf_init(&i->names, BODY_MAX);
    return i;
}

static void inspection_free(struct inspection *i)
{
    list_remove(&i->node);
    if (i->op.kind == OP_READ)
        reading_fini(&i->reading);
    if (i->op.kind == OP_BACKUP)
        free(i->backup.path);
    if (i->op.kind == OP_CHECK)
        buf_fini(&i->check.report);
    asker_fini(&i->asker);
    begin_fini(&i->begin);
    buf_fini(&i->names);
    free(i);
}

static void answer(struct hub *h, const struct inspection *i, Str text)
{
    if (!i->asker.peer)
        return;
    if (i->op.why.code)
        admin_refuse(h, &i->asker, i->op.why.code, i->op.why.text);
    else
        admin_answer(h, &i->asker, text);
}

/* An empty list means all, the users' own and the hub's too. */
static bool put_names(const Json *question, struct buf *names, struct fault *why)
{
    const Json *v = json_get(question, "channels");
    if (v && !json_is_array(v))
        return fail(why, REFUSE_WRONG_FIELD, "channels: not an array");
    for (size_t i = 0; i < json_len(v); i++) {
        const Json *name = json_at(v, i);
        if (!json_is_string(name))
            return fail(why, REFUSE_WRONG_FIELD, "channels: not strings");
        if (!pattern_is_valid(json_str(name), "channels", why))
            return false;
        list_put(names, json_str(name));
    }
    if (!names->len) {
        list_put(names, STR("*"));
        list_put(names, STR("user:*"));
        list_put(names, STR("$*"));
    }
    return true;
}

static bool take_cursor(const Json *question, const char *name, Cursor *out, struct fault *why)
{
    Str text;
    *out = CURSOR_NONE;
    if (!admin_word(question, name, &text, why))
        return false;
    return !text.len || cursor_parse(text, out) ||
           fail(why, REFUSE_WRONG_FIELD, "%s: not an id", name);
}

struct range {
    Cursor after, before;
    uint64_t since, limit;
    Str order;
};

static bool take_range(const Json *question, struct range *r, struct fault *why)
{
    if (!take_cursor(question, "after", &r->after, why) ||
        !take_cursor(question, "before", &r->before, why) ||
        !admin_number(question, "since", (uint64_t)1 << 52, 0, &r->since, why) ||
        !admin_number(question, "limit", LOG_ROWS, LOG_ROWS, &r->limit, why) ||
        !admin_word(question, "order", &r->order, why))
        return false;
    return !r->order.len || str_eq(r->order, STR("asc")) || str_eq(r->order, STR("desc")) ||
           fail(why, REFUSE_WRONG_FIELD, "order: asc or desc");
}

static Position before_of(const struct hub *h, Cursor before)
{
    Position fork = h->through;
    if (cursor_is_none(before) || epochs_judge(&h->epochs, before, h->through, &fork) != GAP_NONE)
        return fork;
    return before.at > 0 ? before.at - 1 : 0;
}

bool inspect_log(struct hub *h, struct asker *a, const Json *question, struct fault *why)
{
    struct range range = {0};
    struct buf names;
    buf_init(&names, BODY_MAX);
    if (!put_names(question, &names, why) || !take_range(question, &range, why)) {
        buf_fini(&names);
        return false;
    }
    struct inspection *i = inspection_new(a, OP_READ);
    i->names = names;
    i->begin = (struct begin){.start = cursor_is_none(range.after) ? START_EARLIEST : START_CURSOR,
                              .at = range.after,
                              .names = buf_str(&i->names)};
    begin_judge(h, &i->begin, h->through, NULL);
    struct reading *r = &i->reading;
    r->channels = i->names.p;
    r->channels_len = i->names.len;
    r->after = i->begin.from.at;
    r->upto = before_of(h, range.before);
    r->since = range.since;
    r->now = h->now.wall;
    r->limit = (uint32_t)range.limit;
    r->bytes = LOG_BYTES;
    r->descending = str_eq(range.order, STR("desc"));
    list_append(&h->inspections, &i->node);
    hub_submit(h, &i->op, &log_owner);
    return true;
}

static void put_event(const struct hub *h, const struct event *e, struct buf *out)
{
    buf_putz(out, "{\"id\":");
    admin_put_cursor(h, out, e->id.at);
    buf_putz(out, ",\"channel\":");
    json_put_str(out, e->channel);
    buf_putz(out, ",\"event\":");
    json_put_str(out, e->name);
    buf_putz(out, ",\"data\":");
    if (e->flags & EVENT_JSON)
        buf_put(out, e->data);
    else
        json_put_str(out, e->data);
    buf_putz(out, ",\"user\":");
    if (e->user.len)
        json_put_str(out, e->user);
    else
        buf_putz(out, "null");
    buf_printf(out, ",\"time\":%llu,\"json\":%s}", (unsigned long long)e->time,
               e->flags & EVENT_JSON ? "true" : "false");
}

static void put_gap(const struct begin *b, struct buf *out)
{
    char text[CURSOR_TEXT];
    if (b->reason == GAP_NONE) {
        buf_putz(out, "null");
        return;
    }
    buf_printf(out, "{\"reason\":\"%s\",\"oldest\":", gap_reason_name(b->reason));
    json_put_str(out, cursor_print(b->oldest, text));
    buf_putz(out, ",\"channels\":[");
    Str rest = buf_str(&b->missing), name;
    for (bool is_first = true; list_next(&rest, &name); is_first = false) {
        if (!is_first)
            buf_putc(out, ',');
        json_put_str(out, name);
    }
    buf_putz(out, "]}");
}

static void on_log(struct hub *h, struct op *op)
{
    struct inspection *i = (struct inspection *)(void *)op;
    const struct reading *r = &i->reading;
    struct buf out;
    buf_init(&out, BODY_MAX);
    buf_putz(&out, "\"events\":[");
    for (size_t k = 0; k < r->n; k++) {
        if (k)
            buf_putc(&out, ',');
        put_event(h, r->events[k], &out);
    }
    buf_putz(&out, "],\"cursor\":");
    admin_put_cursor(h, &out, r->next);
    buf_printf(&out, ",\"more\":%s,\"gap\":", r->more ? "true" : "false");
    if (i->begin.start == START_CURSOR)
        begin_take_missing(h, &i->begin, r);
    put_gap(&i->begin, &out);
    answer(h, i, buf_str(&out));
    buf_fini(&out);
    inspection_free(i);
}

bool inspect_backup(struct hub *h, struct asker *a, const Json *question, struct fault *why)
{
    Str path;
    if (!admin_word(question, "path", &path, why))
        return false;
    if (!path.len || path.p[0] != '/' || memchr(path.p, 0, path.len))
        return fail(why, REFUSE_WRONG_FIELD, "path: not an absolute path");
    struct inspection *i = inspection_new(a, OP_BACKUP);
    i->backup.path = str_dup(path);
    list_append(&h->inspections, &i->node);
    hub_submit(h, &i->op, &backup_owner);
    return true;
}

static void on_backup(struct hub *h, struct op *op)
{
    struct inspection *i = (struct inspection *)(void *)op;
    char text[64];
    snprintf(text, sizeof text, "\"pages\":%llu", (unsigned long long)i->backup.pages_total);
    answer(h, i, str_of(text));
    inspection_free(i);
}

bool inspect_check(struct hub *h, struct asker *a, const Json *question, struct fault *why)
{
    (void)question, (void)why;
    struct inspection *i = inspection_new(a, OP_CHECK);
    buf_init(&i->check.report, REPORT_BYTES);
    list_append(&h->inspections, &i->node);
    hub_submit(h, &i->op, &check_owner);
    return true;
}

static void on_check(struct hub *h, struct op *op)
{
    struct inspection *i = (struct inspection *)(void *)op;
    struct buf out;
    buf_init(&out, BODY_MAX);
    buf_putz(&out, "\"report\":[");
    Str rest = buf_str(&i->check.report), line;
    for (bool is_first = true; str_cut(&rest, '\n', &line);) {
        if (!line.len)
            continue;
        if (!is_first)
            buf_putc(&out, ',');
        json_put_str(&out, line);
        is_first = false;
    }
    buf_putc(&out, ']');
    answer(h, i, buf_str(&out));
    buf_fini(&out);
    inspection_free(i);
}

void inspect_stop(struct hub *h)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &h->inspections)
    {
        struct inspection *i = CONTAINER_OF(node, struct inspection, node);
        if (i->op.kind == OP_READ) /* takes no time, and is answered */
            continue;
        admin_refuse(h, &i->asker, REFUSE_STOPPING, "the hub stops");
        asker_fini(&i->asker);
    }
}

void inspect_fini(struct hub *h)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &h->inspections)
    {
        inspection_free(CONTAINER_OF(node, struct inspection, node));
    }
}
