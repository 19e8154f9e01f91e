#include "publish.h"

#include "account.h"
#include "engine.h"
#include "fanout.h"
#include "retention.h"
#include "tool.h"

static void answer_link(struct hub *h, const struct publish *p);
static void on_done(struct hub *h, struct op *op);
static struct op_owner owner = {on_done};

bool publish_on_message(struct hub *h, struct peer *peer, Str body)
{
    struct msg_publish m;
    if (!msg_publish_unpack(body, &m) || !list_is_whole(m.sends))
        return false;
    struct publish *p = publish_new(h);
    struct fault why = {0};
    p->boot = peer->boot;
    p->ref = m.ref;
    publish_begin(p, m.user, m.key, m.sends);
    if (!account_is_good(h, m.user, &why) || (m.user.len && !user_is_valid(m.user, "user", &why)) ||
        (m.key.len && !key_is_valid(m.key, "idempotencyKey", &why)) ||
        !hub_admits(h, RATE_PUBLISHES, m.user, &why))
        publish_refuse(h, p, why.code, why.text);
    for (Str item; !p->why.code && list_next(&m.sends, &item);) {
        struct msg_send send;
        if (msg_send_unpack(item, &send)) {
            publish_add(h, p, &send);
        } else {
            fail(&why, REFUSE_MALFORMED, "send: malformed");
            publish_add_refused(p, &why);
        }
    }
    limits_charge(&h->limits, RATE_PUBLISHES, m.user, p->a.send_count, h->now.mono);
    publish_submit(h, p);
    return true;
}

/* A whole that cannot be taken now is refused, but keeps its place among the others. */
static void check_room(struct hub *h, struct publish *p)
{
    char detail[80];
    if (h->is_stopping) {
        publish_refuse(h, p, REFUSE_STOPPING, "the hub stops");
    } else if (h->queue >= h->o->max_queue) {
        snprintf(detail, sizeof detail, "max_queue is %llu", (unsigned long long)h->o->max_queue);
        publish_refuse(h, p, REFUSE_OVERLOAD, detail);
    } else if (h->queue_bytes + p->a.size > h->o->max_queue_bytes) {
        snprintf(detail, sizeof detail, "max_queue_bytes is %llu",
                 (unsigned long long)h->o->max_queue_bytes);
        publish_refuse(h, p, REFUSE_OVERLOAD, detail);
    } else {
        return;
    }
    hub_count(h, COUNT_OVERLOADED);
}

void publish_submit(struct hub *h, struct publish *p)
{
    if (!p->why.code)
        check_room(h, p);
    h->queue++;
    h->queue_bytes += p->a.size;
    hub_submit(h, &p->a.op, &owner);
}

/* The log did not take it: nothing was written. */
static void note_failure(struct hub *h, struct publish *p)
{
    hub_count(h, COUNT_UNWRITABLE);
    if (p->a.op.why.code == REFUSE_DISK_FULL)
        retention_full(h, &p->a.op.why);
    if (!p->why.code)
        p->why = p->a.op.why;
}

static bool was_written(const struct append_send *s)
{
    return s->code == 0 && !s->again;
}

/* The log refuses a send by its code alone. */
static char *words_of_log(const struct hub *h, int code)
{
    struct fault why = {0};
    if (code == REFUSE_CONFLICT)
        fail(&why, code, "idempotencyKey: was used with another body");
    else if (code == REFUSE_KEYS_FULL)
        fail(&why, code, "idempotency_keys is %llu", (unsigned long long)h->o->idempotency_keys);
    else
        fail(&why, code, "%s", refusal_title(code));
    return str_dup(str_of(why.text));
}

static void fan_out_send(struct hub *h, struct publish *p, size_t i)
{
    const struct append_send *s = &p->a.sends[i];
    if (s->again)
        hub_count(h, COUNT_AGAIN);
    if (s->code)
        hub_count(h, COUNT_REFUSED);
    if (s->code && !p->each[i].detail)
        p->each[i].detail = words_of_log(h, s->code);
    if (!was_written(s))
        return;
    for (size_t k = s->first; k < s->first + s->n; k++)
        fan_out_logged(h, p->channels[k], p->a.events[k]);
    const struct composed *c = &p->each[i];
    for (size_t k = 0; k < c->ephemeral_count; k++)
        if (!typing_takes(h, c->ephemerals[k]))
            fan_out_ephemeral(h, c->ephemerals[k]);
}

/* Only ephemeral events: they waited for their turn, not for room on the disk. */
static bool has_nothing_to_log(const struct publish *p)
{
    return p->a.event_count == 0 && p->a.key.len == 0;
}

static void on_done(struct hub *h, struct op *op)
{
    struct publish *p = (struct publish *)(void *)op;
    h->queue--;
    h->queue_bytes -= p->a.size;
    if (op->why.code == REFUSE_DISK_FULL && has_nothing_to_log(p))
        op->why.code = 0;
    if (op->why.code) {
        note_failure(h, p);
    } else {
        for (size_t i = 0; i < p->a.send_count; i++)
            fan_out_send(h, p, i);
        if (!h->is_writable && p->a.event_count > 0)
            retention_recovered(h);
    }
    publish_let_go(h, p);
    if (p->is_tool)
        tool_answer(h, p);
    else
        answer_link(h, p);
    publish_free(h, p);
}

static void put_result(const struct publish *p, size_t i, struct buf *results)
{
    const struct append_send *s = &p->a.sends[i];
    struct buf item;
    buf_init(&item, BODY_MAX);
    bool is_logged = s->code == 0 && s->at > 0 && s->n > 0;
    msg_result_pack(&item, &(struct msg_result){
                               .code = (uint8_t)s->code,
                               .detail = s->code ? str_of(p->each[i].detail) : STR_NONE,
                               .first = is_logged ? (Cursor){s->epoch, s->at} : CURSOR_NONE,
                               .n = s->code ? 0 : (uint32_t)(s->n + p->each[i].ephemeral_count),
                               .again = s->again,
                           });
    list_put(results, buf_str(&item));
    buf_fini(&item);
}

static Msec time_of(const struct hub *h, const struct publish *p)
{
    Msec time = 0;
    for (size_t i = 0; i < p->a.send_count; i++)
        if (p->a.sends[i].time > time)
            time = p->a.sends[i].time;
    return time ? time : h->now.wall;
}

static void answer_link(struct hub *h, const struct publish *p)
{
    struct peer *peer = peer_by_boot(h, p->boot);
    if (!peer || !peer->is_welcome)
        return;
    struct buf results, body;
    buf_init(&results, BODY_MAX);
    buf_init(&body, BODY_MAX);
    for (size_t i = 0; i < p->a.send_count && !p->why.code; i++)
        put_result(p, i, &results);
    msg_published_pack(&body, &(struct msg_published){
                                  .ref = p->ref,
                                  .code = (uint8_t)p->why.code,
                                  .detail = str_of(p->why.text),
                                  .time = time_of(h, p),
                                  .results = buf_str(&results),
                              });
    buf_fini(&results);
    peer_send(h, peer, VERB_PUBLISHED, &body);
}
