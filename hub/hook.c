#include "hook.h"

#include "advice.h"
#include "base/json.h"
#include "base/log.h"
#include "engine.h"

#include <stdlib.h>

enum {
    QUESTION_MAX = 64 * 1024,
    QUESTIONS_MAX = 4096, /* under way at once */
    WISHES_MAX = 256,     /* of one request */
    TRIES = 4,            /* in hook_timeout */
    COMPLAIN_MS = 10000,
};

/* What one request wants to know; answered when all of it is known. */
struct consult {
    uint64_t link, ref;
    size_t left;
    Msec until; /* wall clock: the earliest end of what is allowed; 0: none */
    struct fault why;
    struct buf wishes;               /* those that are allowed */
    struct buf user, grants, public; /* of a connection */
};

struct waiter {
    struct list node;
    struct consult *consult;
    Str wish; /* empty: the connection itself */
    char bytes[];
};

struct question {
    struct list node; /* in order of `until` */
    char ref[sizeof(uint64_t)];
    Msec until, again; /* again: when it is asked once more */
    bool is_connection;
    struct fault why; /* of the last try */
    struct list waiters;
    Str text;
    char bytes[];
};

/* An answer that still holds. */
struct known {
    struct list node;
    Msec until; /* of the time that passes */
    Msec wall;
    struct advice advice;
    Str text;
    char bytes[];
};

void hooks_init(struct hooks *k, const struct options *o)
{
    for (enum hook_event e = HOOK_AUTHORIZE; e < HOOK_EVENTS; e++)
        k->wants[e] = hook_wants(o, e);
    map_init(&k->questions);
    map_init(&k->by_id);
    map_init(&k->known);
    list_init(&k->order);
    list_init(&k->remembered);
    list_init(&k->notices);
}

/* ---- what is known ---- */

static void forget(struct hooks *k, struct known *one)
{
    map_del(&k->known, one->text);
    list_remove(&one->node);
    advice_fini(&one->advice);
    free(one);
}

/* Takes the advice. */
static struct known *remember(struct hub *h, Str text, struct advice *a)
{
    struct hooks *k = &h->hooks;
    struct known *one = map_get(&k->known, text);
    if (one)
        forget(k, one);
    one = must_alloc(sizeof *one + text.len);
    memcpy(one->bytes, text.p, text.len);
    one->text = str_make(one->bytes, text.len);
    one->until = h->now.mono + a->hold;
    one->wall = h->now.wall + a->hold;
    one->advice = *a;
    map_put(&k->known, one->text, one);
    list_append(&k->remembered, &one->node);
    while (k->known.len > h->o->hook_cache)
        forget(k, CONTAINER_OF(k->remembered.next, struct known, node));
    return one;
}

static struct known *recall(struct hub *h, Str text)
{
    struct known *one = map_get(&h->hooks.known, text);
    if (!one || h->now.mono < one->until)
        return one;
    forget(&h->hooks, one);
    return NULL;
}

/* ---- who wants to know ---- */

static void consult_free(struct consult *c)
{
    buf_fini(&c->wishes);
    buf_fini(&c->user);
    buf_fini(&c->grants);
    buf_fini(&c->public);
    free(c);
}

/* To whoever asked; where that link is gone its requests are, too. */
static void finish(struct hub *h, struct consult *c)
{
    struct peer *p = peer_by_link(h, c->link);
    struct buf body;
    buf_init(&body, BODY_MAX);
    msg_advised_pack(&body, &(struct msg_advised){
                                .ref = c->ref,
                                .code = (uint8_t)c->why.code,
                                .detail = str_of(c->why.text),
                                .wishes = buf_str(&c->wishes),
                                .until = c->until,
                                .user = buf_str(&c->user),
                                .grants = buf_str(&c->grants),
                                .public = buf_str(&c->public),
                            });
    if (p)
        peer_send(h, p, VERB_ADVISED, &body);
    buf_fini(&body);
    consult_free(c);
}

static void take_advice(struct hub *h, struct consult *c, Str wish, const struct advice *a,
                        Msec until)
{
    if (!a->allow) {
        hub_count(h, COUNT_HOOK_DENIED);
        if (!wish.len)
            fail(&c->why, REFUSE_FORBIDDEN, "hook: the application does not allow it");
        return;
    }
    if (a->hold && (!c->until || until < c->until))
        c->until = until;
    if (wish.len) {
        list_put(&c->wishes, wish);
        return;
    }
    buf_put(&c->user, buf_str(&a->user));
    buf_put(&c->grants, buf_str(&a->grants));
    buf_put(&c->public, buf_str(&a->public));
}

static void settle(struct hub *h, struct consult *c)
{
    if (--c->left == 0)
        finish(h, c);
}

/* ---- the questions ---- */

static Str key_of(const struct question *q)
{
    return str_make(q->ref, sizeof q->ref);
}

static void drop_question(struct hooks *k, struct question *q)
{
    map_del(&k->questions, q->text);
    map_del(&k->by_id, key_of(q));
    list_remove(&q->node);
    free(q);
}

/* `a` NULL: there is no answer, and `why` says why not. */
static void answer_waiters(struct hub *h, struct question *q, const struct advice *a, Msec until,
                           const struct fault *why)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &q->waiters)
    {
        struct waiter *w = CONTAINER_OF(node, struct waiter, node);
        if (a)
            take_advice(h, w->consult, w->wish, a, until);
        else
            w->consult->why = *why;
        list_remove(node);
        settle(h, w->consult);
        free(w);
    }
    drop_question(&h->hooks, q);
}

void hooks_fini(struct hub *h)
{
    struct hooks *k = &h->hooks;
    struct fault why = {REFUSE_STOPPING, "the hub stops"};
    while (!list_is_empty(&k->order))
        answer_waiters(h, CONTAINER_OF(k->order.next, struct question, node), NULL, 0, &why);
    while (!list_is_empty(&k->remembered))
        forget(k, CONTAINER_OF(k->remembered.next, struct known, node));
    hook_forget_notices(h);
    map_fini(&k->questions);
    map_fini(&k->by_id);
    map_fini(&k->known);
}

static void send_question(struct hub *h, struct question *q)
{
    uint64_t id;
    memcpy(&id, q->ref, sizeof id);
    q->again = q->until; /* until something comes back */
    hub_count(h, COUNT_HOOK_ASKED);
    h->out.hook(h->out.ctx, id, q->text);
}

static struct question *question_new(struct hub *h, Str text, bool is_connection)
{
    struct hooks *k = &h->hooks;
    struct question *q = must_alloc(sizeof *q + text.len);
    uint64_t id = ++k->last_id;
    memcpy(q->ref, &id, sizeof id);
    memcpy(q->bytes, text.p, text.len);
    q->text = str_make(q->bytes, text.len);
    q->is_connection = is_connection;
    q->until = h->now.mono + h->o->hook_timeout;
    list_init(&q->waiters);
    list_append(&k->order, &q->node);
    map_put(&k->questions, q->text, q);
    map_put(&k->by_id, key_of(q), q);
    return q;
}

static void wait_for(struct question *q, struct consult *c, Str wish)
{
    struct waiter *w = must_alloc(sizeof *w + wish.len);
    memcpy(w->bytes, wish.len ? wish.p : "", wish.len);
    w->wish = str_make(w->bytes, wish.len);
    w->consult = c;
    list_append(&q->waiters, &w->node);
    c->left++;
}

static void ask(struct hub *h, struct consult *c, Str wish, Str text)
{
    const struct known *known = recall(h, text);
    if (known) {
        hub_count(h, COUNT_HOOK_KNOWN);
        take_advice(h, c, wish, &known->advice, known->wall);
        return;
    }
    struct question *q = map_get(&h->hooks.questions, text);
    bool is_new = !q;
    if (is_new && h->hooks.questions.len >= QUESTIONS_MAX) {
        fail(&c->why, REFUSE_OVERLOAD, "hook: %d questions wait for the application",
             QUESTIONS_MAX);
        return;
    }
    if (is_new)
        q = question_new(h, text, !wish.len);
    wait_for(q, c, wish);
    if (is_new)
        send_question(h, q);
}

static void put_member(struct buf *out, const char *name, Str value)
{
    buf_printf(out, ",\"%s\":", name);
    if (value.len)
        json_put_str(out, value);
    else
        buf_putz(out, "null");
}

static void ask_channel(struct hub *h, struct consult *c, Str user, Str wish, struct buf *text)
{
    unsigned action = (unsigned)(unsigned char)wish.p[0] - '0';
    struct fault own;
    if (action >= ACTION_COUNT || !pattern_is_valid(str_skip(wish, 1), "channel", &own))
        return; /* not allowed */
    buf_putz(text, "{\"ask\":\"channel\"");
    put_member(text, "user", user);
    put_member(text, "action", str_of(action_name((enum action)action)));
    put_member(text, "channel", str_skip(wish, 1));
    buf_putc(text, '}');
    ask(h, c, wish, buf_str(text));
}

static void ask_connection(struct hub *h, struct consult *c, const struct msg_consult *m,
                           struct buf *text)
{
    Str headers = m->headers, name, value;
    bool is_first = true;
    buf_putz(text, "{\"ask\":\"connection\"");
    put_member(text, "user", m->user);
    put_member(text, "address", m->address);
    buf_putz(text, ",\"headers\":{");
    for (; list_next(&headers, &name) && list_next(&headers, &value); is_first = false) {
        buf_putz(text, is_first ? "" : ",");
        json_put_str(text, name);
        buf_putc(text, ':');
        json_put_str(text, value);
    }
    buf_putz(text, "}}");
    if (text->full)
        fail(&c->why, REFUSE_TOO_LARGE, "hook: the headers have more than %d bytes", QUESTION_MAX);
    else
        ask(h, c, STR_NONE, buf_str(text));
}

static struct consult *consult_new(const struct peer *p, uint64_t ref)
{
    struct consult *c = must_alloc(sizeof *c);
    c->link = p->link;
    c->ref = ref;
    c->left = 1; /* until all is asked */
    buf_init(&c->wishes, BODY_MAX);
    buf_init(&c->user, USER_MAX);
    buf_init(&c->grants, BODY_MAX);
    buf_init(&c->public, BODY_MAX);
    return c;
}

bool hook_on_consult(struct hub *h, struct peer *p, Str body)
{
    struct msg_consult m;
    struct buf text;
    if (!msg_consult_unpack(body, &m) || !list_is_whole(m.wishes) || !list_is_whole(m.headers) ||
        list_count(m.wishes) > WISHES_MAX)
        return false;
    struct consult *c = consult_new(p, m.ref);
    buf_init(&text, QUESTION_MAX);
    if (!hook_is_on(h->o))
        fail(&c->why, REFUSE_HOOK_AWAY, "hook: the hub's is empty");
    else if (!m.wishes.len)
        ask_connection(h, c, &m, &text);
    Str wishes = m.wishes;
    for (Str wish; !c->why.code && list_next(&wishes, &wish); buf_clear(&text))
        if (wish.len)
            ask_channel(h, c, m.user, wish, &text);
    buf_fini(&text);
    settle(h, c);
    return true;
}

/* ---- the answers ---- */

static void take_answer(struct hub *h, struct question *q, struct advice *a)
{
    if (a->hold) {
        const struct known *one = remember(h, q->text, a);
        answer_waiters(h, q, &one->advice, one->wall, NULL);
    } else {
        answer_waiters(h, q, a, 0, NULL);
        advice_fini(a);
    }
}

static void give_up(struct hub *h, struct question *q)
{
    struct hooks *k = &h->hooks;
    struct fault why = q->why;
    if (!why.code)
        fail(&why, REFUSE_HOOK_AWAY, "hook: no answer in hook_timeout");
    hub_count(h, COUNT_HOOK_FAILED);
    if (h->now.mono >= k->complained + COMPLAIN_MS) {
        k->complained = h->now.mono;
        log_warn("hook", kz("unanswered", why.text), kn("so_far", h->counters[COUNT_HOOK_FAILED]));
    }
    answer_waiters(h, q, NULL, 0, &why);
}

/* Nothing that could be understood: it is asked again while there is time. */
static void take_failure(struct hub *h, struct question *q, const struct fault *why)
{
    q->why = *why;
    q->again = h->now.mono + h->o->hook_timeout / TRIES;
    if (q->again >= q->until)
        give_up(h, q);
}

static void on_answer(struct hub *h, struct question *q, Str body, const struct fault *failed)
{
    struct advice a;
    struct fault why;
    if (failed) {
        take_failure(h, q, failed);
    } else if (advice_read(&a, body, q->is_connection, &why)) {
        take_answer(h, q, &a);
    } else {
        advice_fini(&a);
        take_failure(h, q, &why);
    }
}

void hub_on_hook(struct hub *h, uint64_t id, Str body, const struct fault *why, Now now)
{
    char ref[sizeof id];
    h->now = now;
    memcpy(ref, &id, sizeof id);
    struct question *q = map_get(&h->hooks.by_id, str_make(ref, sizeof ref));
    if (q)
        on_answer(h, q, body, why);
    else if (id == h->hooks.telling)
        hook_on_told(h, why);
}

void hook_tick(struct hub *h)
{
    struct list *node, *safe;
    LIST_EACH(node, safe, &h->hooks.order)
    {
        struct question *q = CONTAINER_OF(node, struct question, node);
        if (q->until <= h->now.mono)
            give_up(h, q);
        else if (q->again <= h->now.mono)
            send_question(h, q);
    }
    hook_tell_next(h);
}
