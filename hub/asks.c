#include "asks.h"

#include "base/log.h"
#include "engine.h"
#include "retention.h"

#include <stdlib.h>

enum {
    STREAMS_MS = 1000,
    PRUNE_MS = 60000,
    STREAMS_MAX = 100000,
    STREAMS_BYTES = 64 * 1024 * 1024,
    ASKS_MAX = 64
};

struct ask {
    uint64_t ref;
    struct asker asker;
    bool is_prune;
    uint64_t *links; /* those that have not told all */
    size_t link_count;
    Msec until;
    uint64_t limit, n;
    struct buf streams;
    uint64_t pruned, pruned_bytes; /* before */
};

void asks_init(struct asks *a)
{
    map_init(&a->by_ref);
}

static Str key_of(const uint64_t *ref)
{
    return str_make((const char *)ref, sizeof *ref);
}

static void ask_free(struct ask *a)
{
    asker_fini(&a->asker);
    buf_fini(&a->streams);
    free(a->links);
    free(a);
}

void asks_fini(struct hub *h)
{
    struct ask *a;
    for (size_t at = 0; (a = map_next(&h->asks.by_ref, &at));)
        ask_free(a);
    map_fini(&h->asks.by_ref);
}

static struct ask *ask_new(struct hub *h, struct asker *asker, struct fault *why)
{
    if (h->asks.by_ref.len >= ASKS_MAX) {
        fail(why, REFUSE_LIMIT, "%d questions wait already", ASKS_MAX);
        return NULL;
    }
    struct ask *a = must_alloc(sizeof *a);
    a->ref = ++h->next_ref;
    a->asker = *asker;
    asker->peer = NULL;
    buf_init(&a->streams, STREAMS_BYTES);
    map_put(&h->asks.by_ref, key_of(&a->ref), a);
    return a;
}

static void answer_streams(struct hub *h, const struct ask *a)
{
    struct buf out;
    buf_init(&out, BODY_MAX);
    buf_putz(&out, "\"streams\":[");
    buf_put(&out, buf_str(&a->streams));
    buf_putc(&out, ']');
    admin_answer(h, &a->asker, buf_str(&out));
    buf_fini(&out);
}

static void answer_prune(struct hub *h, const struct ask *a)
{
    char text[80];
    snprintf(text, sizeof text, "\"events\":%llu,\"bytes\":%llu",
             (unsigned long long)(h->counters[COUNT_PRUNED] - a->pruned),
             (unsigned long long)(h->counters[COUNT_PRUNED_BYTES] - a->pruned_bytes));
    admin_answer(h, &a->asker, str_of(text));
}

static void finish(struct hub *h, struct ask *a)
{
    map_del(&h->asks.by_ref, key_of(&a->ref));
    if (a->is_prune)
        answer_prune(h, a);
    else
        answer_streams(h, a);
    ask_free(a);
}

static void ask_workers(struct hub *h, struct ask *a)
{
    struct peer *p;
    a->links = must_alloc(h->peers.by_id.len * sizeof *a->links);
    for (size_t at = 0; (p = map_next(&h->peers.by_id, &at));) {
        if (!p->is_welcome)
            continue;
        struct buf body;
        buf_init(&body, BODY_MAX);
        msg_ask_pack(&body, &(struct msg_ask){a->ref, STR("streams")});
        a->links[a->link_count++] = p->link;
        peer_send(h, p, VERB_ASK, &body);
    }
}

bool asks_streams(struct hub *h, struct asker *asker, const Json *question, struct fault *why)
{
    uint64_t limit;
    if (!admin_number(question, "limit", STREAMS_MAX, 1000, &limit, why))
        return false;
    struct ask *a = ask_new(h, asker, why);
    if (!a)
        return false;
    a->limit = limit;
    a->until = h->now.mono + STREAMS_MS;
    ask_workers(h, a);
    if (a->link_count == 0)
        finish(h, a);
    return true;
}

bool asks_prune(struct hub *h, struct asker *asker, const Json *question, struct fault *why)
{
    (void)question;
    struct ask *a = ask_new(h, asker, why);
    if (!a)
        return false;
    a->is_prune = true;
    a->until = h->now.mono + PRUNE_MS;
    a->pruned = h->counters[COUNT_PRUNED];
    a->pruned_bytes = h->counters[COUNT_PRUNED_BYTES];
    retention_hurry(h);
    return true;
}

/* Each element of a worker's array, with the worker's name in front. */
static void take_streams(struct ask *a, const struct peer *p, Str json)
{
    Str element;
    for (size_t at = 0; a->n < a->limit && json_each_text(json, &at, &element);) {
        if (element.len < 2 || element.p[0] != '{')
            continue;
        size_t before = a->streams.len;
        buf_putz(&a->streams, before ? ",{\"worker\":" : "{\"worker\":");
        json_put_str(&a->streams, str_of(p->name));
        if (element.len > 2)
            buf_putc(&a->streams, ',');
        buf_put(&a->streams, str_skip(element, 1));
        if (a->streams.full) {
            a->streams.len = before;
            a->limit = a->n;
            return;
        }
        a->n++;
    }
}

static bool take_link_off(struct ask *a, uint64_t link)
{
    for (size_t i = 0; i < a->link_count; i++) {
        if (a->links[i] != link)
            continue;
        a->links[i] = a->links[--a->link_count];
        return true;
    }
    return false;
}

static bool is_asked(const struct ask *a, uint64_t link)
{
    for (size_t i = 0; i < a->link_count; i++)
        if (a->links[i] == link)
            return true;
    return false;
}

bool asks_on_told(struct hub *h, struct peer *p, Str body)
{
    struct msg_told m;
    struct fault why;
    if (!msg_told_unpack(body, &m))
        return false;
    struct ask *a = map_get(&h->asks.by_ref, key_of(&m.ref));
    if (!a || !is_asked(a, p->link))
        return true;
    Json *array = json_parse(m.json, &why);
    bool is_array = array && json_is_array(array);
    json_free(array);
    if (!is_array)
        return false;
    take_streams(a, p, m.json);
    if (!m.more && take_link_off(a, p->link) && a->link_count == 0)
        finish(h, a);
    return true;
}

void asks_leave(struct hub *h, uint64_t link)
{
    struct ask *a;
    for (size_t at = 0; (a = map_next(&h->asks.by_ref, &at));)
        if (!a->is_prune && take_link_off(a, link) && a->link_count == 0)
            finish(h, a);
}

void asks_expire(struct hub *h)
{
    struct ask *a;
    for (size_t at = 0; (a = map_next(&h->asks.by_ref, &at));)
        if (a->until <= h->now.mono || (a->is_prune && retention_is_idle(h)))
            finish(h, a);
}
