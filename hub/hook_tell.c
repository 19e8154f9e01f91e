/* What the application is told, in order, and again until it has heard it. */
#include "engine.h"

#include "base/json.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    NOTICE_MAX = 1024,
    BATCH = 256,
    BATCH_BYTES = 256 * 1024,
    PAUSE_MS = 1000,
    PAUSE_MOST = 60000
};

struct notice {
    struct list node;
    char json[];
};

static void add(struct hub *h, const char *event, const char *field, Str name, uint64_t count)
{
    struct hooks *k = &h->hooks;
    struct buf json;
    buf_init(&json, NOTICE_MAX);
    buf_printf(&json, "{\"n\":%" PRIu64 ",\"event\":\"%s\",\"time\":%" PRIu64, ++k->told, event,
               h->now.wall);
    if (name.len) {
        buf_printf(&json, ",\"%s\":", field);
        json_put_str(&json, name);
    }
    if (count)
        buf_printf(&json, ",\"count\":%" PRIu64, count);
    buf_putc(&json, '}');
    struct notice *n = must_alloc(sizeof *n + json.len + 1);
    memcpy(n->json, json.p, json.len);
    list_append(&k->notices, &n->node);
    k->notice_count++;
    buf_fini(&json);
}

void hook_start(struct hub *h)
{
    if (hook_is_on(h->o))
        add(h, "start", "", STR_NONE, 0);
}

/* What there is no room for is told of as lost when there is. */
static void say_lost(struct hub *h)
{
    struct hooks *k = &h->hooks;
    if (!k->lost || k->notice_count >= h->o->hook_queue)
        return;
    add(h, "lost", "", STR_NONE, k->lost);
    k->lost = 0;
}

void hook_tell(struct hub *h, enum hook_event event, Str name)
{
    struct hooks *k = &h->hooks;
    bool is_user = event == HOOK_CONNECT || event == HOOK_LEAVE;
    if (!k->wants[event] || h->is_stopping)
        return;
    say_lost(h);
    if (k->lost || k->notice_count >= h->o->hook_queue) {
        if (!k->lost++)
            log_error("hook", kz("lost", "notices"), kn("hook_queue", h->o->hook_queue));
        hub_count(h, COUNT_HOOK_LOST);
        return;
    }
    add(h, hook_event_name(event), is_user ? "user" : "channel", name, 0);
}

static void drop(struct hooks *k)
{
    struct notice *n = CONTAINER_OF(k->notices.next, struct notice, node);
    list_remove(&n->node);
    free(n);
    k->notice_count--;
}

void hook_forget_notices(struct hub *h)
{
    while (!list_is_empty(&h->hooks.notices))
        drop(&h->hooks);
}

void hook_on_told(struct hub *h, const struct fault *why)
{
    struct hooks *k = &h->hooks;
    size_t n = k->under_way;
    k->telling = 0;
    k->under_way = 0;
    if (why) {
        if (!k->pause)
            log_warn("hook", kz("away", why->text), kn("waiting", k->notice_count));
        k->pause = k->pause ? 2 * k->pause : PAUSE_MS;
        k->pause = k->pause < PAUSE_MOST ? k->pause : PAUSE_MOST;
        k->retry = h->now.mono + k->pause;
        return;
    }
    if (k->pause)
        log_info("hook", kn("heard", n));
    k->pause = k->retry = 0;
    for (h->counters[COUNT_HOOK_TOLD] += n; n > 0; n--)
        drop(k);
    say_lost(h);
}

void hook_tell_next(struct hub *h)
{
    struct hooks *k = &h->hooks;
    struct list *node, *safe;
    struct buf json;
    char hub[CURSOR_TEXT];
    if (k->telling || !k->notice_count || h->now.mono < k->retry)
        return;
    buf_init(&json, BATCH_BYTES + NOTICE_MAX);
    Str name = cursor_print(hub_cursor(h, h->through + 1), hub);
    buf_printf(&json, "{\"hub\":\"%.*s\",\"tell\":[", (int)str_find(name, '-'), name.p);
    LIST_EACH(node, safe, &k->notices)
    {
        if (k->under_way == BATCH || json.len >= BATCH_BYTES)
            break;
        buf_putz(&json, k->under_way++ ? "," : "");
        buf_putz(&json, CONTAINER_OF(node, struct notice, node)->json);
    }
    buf_putz(&json, "]}");
    k->telling = ++k->last_id;
    h->out.hook(h->out.ctx, k->telling, buf_str(&json));
    buf_fini(&json);
}
