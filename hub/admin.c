#include "admin.h"

#include "engine.h"
#include "inspect.h"
#include "users.h"

#include <math.h>
#include <stdlib.h>

enum { PAGE_MAX = 1000, WAITING_MAX = 4096 };

/* A change that waits for the one before it. */
struct waiting {
    struct list node;
    struct asker asker;
    Json *question;
};

void asker_fini(struct asker *a)
{
    free(a->peer);
    a->peer = NULL;
}

static void say(struct hub *h, const struct asker *a, Str json)
{
    Str parts[2];
    size_t n = 0;
    if (a->has_delimiter)
        parts[n++] = STR_NONE;
    parts[n++] = json;
    h->out.answer(h->out.ctx, TOOL_ADMIN, str_make(a->peer, a->peer_len), parts, n);
}

void admin_answer(struct hub *h, const struct asker *a, Str text)
{
    struct buf out;
    buf_init(&out, BODY_MAX);
    buf_putz(&out, text.len ? "{\"ok\":true," : "{\"ok\":true");
    buf_put(&out, text);
    buf_putc(&out, '}');
    say(h, a, buf_str(&out));
    buf_fini(&out);
}

void admin_refuse(struct hub *h, const struct asker *a, int code, const char *detail)
{
    struct buf out;
    buf_init(&out, BODY_MAX);
    buf_printf(&out, "{\"ok\":false,\"code\":\"%s\",\"detail\":", refusal_code(code));
    json_put_str(&out, str_of(detail));
    buf_putc(&out, '}');
    say(h, a, buf_str(&out));
    buf_fini(&out);
}

bool admin_number(const Json *question, const char *name, uint64_t most, uint64_t otherwise,
                  uint64_t *out, struct fault *why)
{
    const Json *v = json_get(question, name);
    double n = v && json_is_number(v) ? json_num(v) : 0;
    *out = otherwise;
    if (!v)
        return true;
    if (n < 1 || n > (double)most || n != floor(n))
        return fail(why, REFUSE_WRONG_FIELD, "%s: not a whole number, 1..%llu", name,
                    (unsigned long long)most);
    *out = (uint64_t)n;
    return true;
}

bool admin_word(const Json *question, const char *name, Str *out, struct fault *why)
{
    const Json *v = json_get(question, name);
    *out = STR_NONE;
    if (!v || json_is_null(v))
        return true;
    if (!json_is_string(v))
        return fail(why, REFUSE_WRONG_FIELD, "%s: not a string", name);
    *out = json_str(v);
    return true;
}

void admin_put_cursor(const struct hub *h, struct buf *out, uint64_t at)
{
    char text[CURSOR_TEXT];
    json_put_str(out, cursor_print(hub_cursor(h, at), text));
}

static uint64_t count_streams(const struct hub *h)
{
    uint64_t n = 0;
    const struct client *c;
    for (size_t at = 0; (c = map_next(&h->clients.by_name, &at));) {
        struct list *node, *safe;
        LIST_EACH(node, safe, &c->claims)
        {
            const struct claim *claim = CONTAINER_OF(node, struct claim, of_client);
            n += claim->streams + claim->polls;
        }
    }
    return n;
}

static bool put_stats(const struct hub *h, const Json *question, struct buf *out, struct fault *why)
{
    (void)question, (void)why;
    char text[CURSOR_TEXT];
    Str head = cursor_print(hub_cursor(h, h->through), text);
    Cursor newest = {h->epochs.v[h->epochs.n - 1].name, 0};
    buf_printf(out, "\"version\":\"%s\",\"head\":\"%.*s\"", BELFRY_VERSION, FMT(head));
    head = cursor_print(newest, text);
    buf_printf(out, ",\"epoch\":\"%.*s\"", (int)str_find(head, '-'), head.p);
    const struct {
        const char *name;
        uint64_t value;
    } figures[] = {
        {"uptime", h->now.mono - h->started},  {"links", h->peers.by_id.len},
        {"clients", h->clients.by_name.len},   {"streams", count_streams(h)},
        {"channels", h->channels.by_name.len}, {"events", h->channels.events},
        {"bytes", h->channels.bytes},
    };
    for (size_t i = 0; i < COUNT_OF(figures); i++)
        buf_printf(out, ",\"%s\":%llu", figures[i].name, (unsigned long long)figures[i].value);
    buf_printf(out, ",\"writable\":%s,\"counters\":", h->is_writable ? "true" : "false");
    return metrics_put_json(h, out);
}

static void put_channel(const struct hub *h, const struct channel *ch, struct buf *out)
{
    buf_putz(out, "{\"channel\":");
    json_put_str(out, ch->order.name);
    buf_printf(out, ",\"events\":%llu,\"bytes\":%llu,\"oldest\":%llu,\"last\":",
               (unsigned long long)ch->count, (unsigned long long)ch->bytes,
               (unsigned long long)ch->oldest);
    admin_put_cursor(h, out, ch->last);
    buf_putz(out, ",\"floor\":");
    admin_put_cursor(h, out, ch->order.floor);
    buf_putc(out, '}');
}

static bool put_channels(const struct hub *h, const Json *question, struct buf *out,
                         struct fault *why)
{
    Str prefix, after, last = STR_NONE;
    uint64_t limit, n = 0;
    if (!admin_word(question, "prefix", &prefix, why) ||
        !admin_word(question, "after", &after, why) ||
        !admin_number(question, "limit", PAGE_MAX, PAGE_MAX, &limit, why))
        return false;
    bool is_after = after.len && str_cmp(after, prefix) >= 0;
    struct order_node *node = order_first(&h->channels.order, is_after ? after : prefix, is_after);
    buf_putz(out, "\"channels\":[");
    for (; node && str_starts(node->name, prefix) && n < limit; node = order_next(node)) {
        const struct channel *ch = CONTAINER_OF(node, struct channel, order);
        if (!ch->stored)
            continue;
        if (n++)
            buf_putc(out, ',');
        put_channel(h, ch, out);
        last = ch->order.name;
    }
    buf_putz(out, "],\"next\":");
    if (node && str_starts(node->name, prefix))
        return json_put_str(out, last);
    return buf_putz(out, "null");
}

static size_t count_claims(const struct peer *p)
{
    size_t n = 0;
    const struct list *node;
    for (node = p->claims.next; node != &p->claims; node = node->next)
        n++;
    return n;
}

static bool put_links(const struct hub *h, const Json *question, struct buf *out, struct fault *why)
{
    (void)question, (void)why;
    bool is_first = true;
    const struct peer *p;
    buf_putz(out, "\"links\":[");
    for (size_t at = 0; (p = map_next(&h->peers.by_id, &at));) {
        uint64_t used = p->sent_bytes - p->done_bytes;
        buf_putz(out, is_first ? "{\"name\":" : ",{\"name\":");
        is_first = false;
        json_put_str(out, str_of(p->name));
        buf_printf(out,
                   ",\"since\":%llu,\"channels\":%zu,\"clients\":%zu,\"lag\":%llu,\"credit\":%llu}",
                   (unsigned long long)(h->now.wall - (h->now.mono - p->since)), p->subs.len,
                   count_claims(p), (unsigned long long)(h->through - peer_through(h, p)),
                   (unsigned long long)(used < CREDIT_BYTES ? CREDIT_BYTES - used : 0));
    }
    return buf_putc(out, ']');
}

static bool put_who(const struct hub *h, const Json *question, struct buf *out, struct fault *why)
{
    Str channel;
    if (!admin_word(question, "channel", &channel, why) ||
        !channel_is_valid(channel, "channel", why))
        return false;
    if (!presence_is_known(h))
        return fail(why, REFUSE_HUB_AWAY, "the hub has just started: the workers are asked");
    struct buf whole;
    buf_init(&whole, BODY_MAX);
    presence_put(h, channel, PAGE_MAX, &whole);
    Str members = str_skip(buf_str(&whole), 1);
    buf_put(out, str_make(members.p, members.len - 1));
    buf_fini(&whole);
    return true;
}

static const struct {
    const char *name;
    bool (*put)(const struct hub *h, const Json *question, struct buf *out, struct fault *why);
    bool (*later)(struct hub *h, struct asker *a, const Json *question, struct fault *why);
    bool is_change; /* of what is kept of users */
} table[] = {
    {"stats", put_stats, NULL, false},       {"channels", put_channels, NULL, false},
    {"links", put_links, NULL, false},       {"log", NULL, inspect_log, false},
    {"backup", NULL, inspect_backup, false}, {"check", NULL, inspect_check, false},
    {"streams", NULL, asks_streams, false},  {"prune", NULL, asks_prune, false},
    {"users", users_list, NULL, false},      {"user", NULL, users_change, true},
    {"token", NULL, users_token, true},      {"grant", NULL, users_grant, true},
    {"revoke", NULL, users_revoke, true},    {"kick", NULL, users_kick, false},
    {"who", put_who, NULL, false},
};

static bool answer_now(struct hub *h, struct asker *a, const Json *question, size_t i,
                       struct fault *why)
{
    struct buf out;
    buf_init(&out, BODY_MAX);
    bool ok = table[i].put(h, question, &out, why);
    if (ok)
        admin_answer(h, a, buf_str(&out));
    buf_fini(&out);
    return ok;
}

static bool wait(struct hub *h, struct asker *a, Json **question, struct fault *why)
{
    if (h->waiting_count == WAITING_MAX)
        return fail(why, REFUSE_OVERLOAD, "%d changes wait already", WAITING_MAX);
    struct waiting *w = must_alloc(sizeof *w);
    w->asker = *a;
    w->question = *question;
    a->peer = NULL;
    *question = NULL;
    list_append(&h->waiting, &w->node);
    h->waiting_count++;
    return true;
}

/* Takes the question where it waits. */
static bool dispatch(struct hub *h, struct asker *a, Json **asked, struct fault *why)
{
    Str what;
    const Json *question = *asked;
    if (!json_is_object(question))
        return fail(why, REFUSE_MALFORMED, "not an object");
    if (!admin_word(question, "do", &what, why))
        return false;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (!str_eq(what, str_of(table[i].name)))
            continue;
        if (table[i].is_change && h->is_changing)
            return wait(h, a, asked, why);
        return table[i].put ? answer_now(h, a, question, i, why)
                            : table[i].later(h, a, question, why);
    }
    return fail(why, REFUSE_WRONG_FIELD, "do: \"%.*s\" is not known", FMT(what));
}

/* Takes both. */
static void judge(struct hub *h, struct asker *a, Json *question)
{
    struct fault why = {0};
    if (!dispatch(h, a, &question, &why))
        admin_refuse(h, a, why.code, why.text);
    json_free(question);
    asker_fini(a);
}

static struct waiting *take_first(struct hub *h)
{
    if (list_is_empty(&h->waiting))
        return NULL;
    struct waiting *w = CONTAINER_OF(h->waiting.next, struct waiting, node);
    list_remove(&w->node);
    h->waiting_count--;
    return w;
}

void admin_go_on(struct hub *h)
{
    struct waiting *w;
    while (!h->is_changing && (w = take_first(h))) {
        judge(h, &w->asker, w->question);
        free(w);
    }
}

void admin_fini(struct hub *h)
{
    for (struct waiting *w; (w = take_first(h)); free(w)) {
        json_free(w->question);
        asker_fini(&w->asker);
    }
}

void admin_on_message(struct hub *h, Str peer, const Str *frames, size_t n)
{
    struct fault why = {0};
    bool has_delimiter = n > 1 && frames[0].len == 0;
    struct asker a = {str_dup(peer), peer.len, has_delimiter};
    Json *question = NULL;
    if (n != (has_delimiter ? 2u : 1u))
        fail(&why, REFUSE_MALFORMED, "%zu frames, not one", n);
    else
        question = json_parse(frames[n - 1], &why);
    if (question) {
        judge(h, &a, question);
        return;
    }
    admin_refuse(h, &a, why.code, why.text);
    asker_fini(&a);
}
