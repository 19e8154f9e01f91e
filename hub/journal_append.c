/* Events and the answers to publishes that come again. */
#include "journal_writer.h"
#include "wire/refusal.h"

#include <assert.h>
#include <inttypes.h>

enum { ANSWERS_MAX = 64 * 1024 * 1024 };

static void write_event(struct writer *w, struct event *e, uint64_t row, bool fresh)
{
    if (fresh) {
        Statement *s = db_query(&w->db, QUERY_ADD_CHANNEL);
        bind_number(s, 1, row);
        bind_text(s, 2, e->channel);
        bind_number(s, 3, w->ledger.forgotten); /* it may have been there before */
        bind_number(s, 4, w->ledger.forgotten_time);
        db_run(&w->db, s);
    }
    e->id.at = ++w->ledger.head;
    e->id.epoch = lineage_epoch(w->lineage, e->id.at);
    e->time = w->ledger.time;
    Statement *s = db_query(&w->db, QUERY_APPEND_EVENT);
    bind_number(s, 1, e->id.at);
    bind_number(s, 2, row);
    bind_number(s, 3, e->time);
    bind_number(s, 4, event_size(e));
    bind_number(s, 5, e->flags & EVENT_JSON);
    if (e->expires)
        bind_number(s, 6, e->expires);
    else
        bind_optional(s, 6, STR_NONE);
    bind_optional(s, 7, e->name);
    bind_optional(s, 8, e->user);
    bind_optional(s, 9, e->exclude);
    bind_optional(s, 10, e->to);
    bind_text(s, 11, e->data);
    db_run(&w->db, s);
}

static void write_send(struct writer *w, struct append *a, struct append_send *s)
{
    s->at = w->ledger.head + 1;
    s->time = w->ledger.time;
    s->epoch = lineage_epoch(w->lineage, s->at);
    for (size_t i = s->first; i < s->first + s->n; i++)
        write_event(w, a->events[i], a->rows[i], a->fresh[i]);
}

static void answer_again(struct writer *w, struct append_send *s, Position at, Msec time)
{
    s->again = true;
    s->at = at;
    s->time = time;
    s->epoch = lineage_epoch(w->lineage, at);
}

static void append_keyed_send(struct writer *w, struct append *a, struct append_send *s)
{
    struct kept kept;
    switch (keys_find(&w->keys, a->user, s->key, s->print, &kept)) {
    case KEY_KNOWN:
        answer_again(w, s, kept.first, kept.time);
        kept_fini(&kept);
        return;
    case KEY_OTHER:
        s->code = REFUSE_CONFLICT;
        return;
    case KEY_NEW:
        break;
    }
    if (!keys_have_room(&w->keys, 1)) {
        s->code = REFUSE_KEYS_FULL;
        return;
    }
    write_send(w, a, s);
    kept = (struct kept){{s->print[0], s->print[1]}, s->at, s->n, s->time, {0}};
    keys_add(&w->keys, a->user, s->key, &kept);
}

static void append_send(struct writer *w, struct append *a, struct append_send *s)
{
    assert(s->first + s->n <= a->event_count);
    if (!s->n)
        return;
    if (s->key.len)
        append_keyed_send(w, a, s);
    else
        write_send(w, a, s);
}

/* One send that was written needs no list: the key's own first position and time say it all. */
static bool is_plain(const struct append *a)
{
    return a->send_count == 1 && a->sends[0].n && !a->sends[0].code && !a->sends[0].again;
}

static void keep_whole(struct writer *w, const struct append *a, Position before)
{
    struct kept kept = {
        {a->print[0], a->print[1]}, before + 1, w->ledger.head - before, w->ledger.time, {0}};
    buf_init(&kept.answers, ANSWERS_MAX);
    for (size_t i = 0; i < a->send_count && !is_plain(a); i++) {
        const struct append_send *s = &a->sends[i];
        buf_printf(&kept.answers, "%d %" PRIu64 " %" PRIu64 "\n", s->code, s->at, s->time);
    }
    keys_add(&w->keys, a->user, a->key, &kept);
    kept_fini(&kept);
}

static bool take_number(Str *rest, uint64_t *out)
{
    Str word;
    return str_cut(rest, ' ', &word) && str_to_u64(word, out);
}

/* Every send is answered as it was the first time, whatever the engine thinks of it now. */
static void answer_whole_again(struct writer *w, struct append *a, const struct kept *kept)
{
    Str rest = buf_str(&kept->answers), line = STR_NONE;
    for (size_t i = 0; i < a->send_count; i++) {
        uint64_t code = 0;
        Position at = kept->first;
        Msec time = kept->time;
        if (kept->answers.len && !(str_cut(&rest, '\n', &line) && take_number(&line, &code) &&
                                   take_number(&line, &at) && take_number(&line, &time)))
            code = REFUSE_INTERNAL;
        a->sends[i].code = (int)code;
        if (!code)
            answer_again(w, &a->sends[i], at, time);
    }
}

static void refuse(struct append *a, int code)
{
    a->code = code;
    for (size_t i = 0; i < a->send_count; i++)
        a->sends[i].code = code;
}

static uint64_t keys_wanted(const struct append *a)
{
    uint64_t n = 1;
    for (size_t i = 0; i < a->send_count; i++)
        n += a->sends[i].key.len > 0;
    return n;
}

/* True: the whole is answered, as known or as refused. */
static bool answer_by_key(struct writer *w, struct append *a)
{
    struct kept kept;
    switch (keys_find(&w->keys, a->user, a->key, a->print, &kept)) {
    case KEY_KNOWN:
        answer_whole_again(w, a, &kept);
        kept_fini(&kept);
        return true;
    case KEY_OTHER:
        refuse(a, REFUSE_CONFLICT);
        return true;
    case KEY_NEW:
        break;
    }
    if (keys_have_room(&w->keys, keys_wanted(a)))
        return false;
    refuse(a, REFUSE_KEYS_FULL);
    return true;
}

void writer_append(struct writer *w, struct append *a)
{
    append_undo(a);
    if (a->key.len && answer_by_key(w, a))
        return;
    Position before = w->ledger.head;
    for (size_t i = 0; i < a->send_count; i++)
        append_send(w, a, &a->sends[i]);
    if (a->key.len)
        keep_whole(w, a, before);
}
