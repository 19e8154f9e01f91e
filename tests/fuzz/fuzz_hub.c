/* A conversation with the hub's engine: records of a byte (two bits whose, six bits what), a length
 * (u16, big end first) and a body. */
#include "base/json.h"
#include "base/log.h"
#include "engine.h"
#include "tests/fuzz/queue.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HOOK = 56, TURN = 58, INTAKE, PUBLISH, ADMIN, TICK }; /* below: a verb */

static bool on_send(void *ctx, Str peer, Str header, struct frame *body)
{
    (void)ctx;
    assert(header.len == MESSAGE_HEADER && frame_str(body).len < BODY_MAX);
    return peer.len != 1 || peer.p[0] != '3';
}

static void on_answer(void *ctx, enum tool tool, Str peer, const Str *parts, size_t n)
{
    (void)ctx, (void)tool, (void)peer, (void)parts;
    assert(n > 0 && n < SOCKET_PARTS);
}

static void on_tap(void *ctx, const struct event *e)
{
    (void)ctx;
    assert(e->id.at > 0);
}

static void on_hook(void *ctx, uint64_t id, Str text)
{
    (void)ctx;
    assert(id && json_check(text, NULL));
}

static void turn(struct hub *h, struct queue *q, Now now)
{
    (void)hub_turn(h, now);
    for (struct op *op; (op = queue_take(&q->j));)
        hub_on_done(h, op, now);
}

static void hand_frames(struct hub *h, int what, Str peer, Str list, Now now)
{
    Str frames[SOCKET_PARTS];
    size_t n = 0;
    while (n < COUNT_OF(frames) && list_next(&list, &frames[n]))
        n++;
    if (what == INTAKE)
        hub_on_intake(h, frames, n, now);
    else if (what == PUBLISH)
        hub_on_publish(h, peer, frames, n, now);
    else
        hub_on_admin(h, peer, frames, n, now);
}

static void hand_in(struct hub *h, struct queue *q, int kind, Str body, Now *now)
{
    char name = (char)('0' + (kind & 3)), header[MESSAGE_HEADER];
    Str peer = str_make(&name, 1);
    int what = kind >> 2;
    if (what == TURN) {
        turn(h, q, *now);
    } else if (what == TICK) {
        *now = (Now){now->mono + 250 * (1 + body.len), now->wall + 250 * (1 + body.len)};
        hub_tick(h, *now);
    } else if (what == HOOK) { /* the application answers one of its first questions */
        static const struct fault away = {REFUSE_HOOK_AWAY, "away"};
        uint64_t id = body.len ? (unsigned char)body.p[0] : 0;
        hub_on_hook(h, id, str_skip(body, 1), kind & 1 ? &away : NULL, *now);
    } else if (what >= INTAKE) {
        hand_frames(h, what, peer, body, *now);
    } else {
        header_pack(header, (struct header){PROTOCOL_VERSION, (uint8_t)what, 0});
        hub_on_message(h, peer, str_make(header, what == 57 ? 3 : sizeof header), body, *now);
    }
}

/* Within memory that a fuzzer has, and with limits that it reaches. */
static void limit(struct options *o)
{
    hub_options(o);
    o->max_clients = 4;
    o->max_links = 3;
    free(o->hook);
    o->hook = str_dup(STR("ipc:///app"));
    o->hook_cache = 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct options o;
    struct queue q;
    struct epoch epoch = {.name = 1, .first = 1};
    Now now = {1000000, 1000000};
    queue_init(&q);
    log_init("fuzz", LOG_LEVEL_ERROR);
    limit(&o);
    struct hub *h = hub_new(&o, (struct hub_out){NULL, on_send, on_answer, on_tap, on_hook});
    hub_start(h, &q.j, &(struct journal_state){.epochs = &epoch, .epoch_count = 1}, now);
    for (size_t at = 0; at + 3 <= size;) {
        size_t len = (size_t)data[at + 1] << 8 | data[at + 2];
        len = len < size - at - 3 ? len : size - at - 3;
        hand_in(h, &q, data[at], str_make((const char *)data + at + 3, len), &now);
        at += 3 + len;
    }
    hub_stop(h, now);
    while (!hub_is_stopped(h))
        turn(h, &q, now);
    hub_free(h);
    queue_fini(&q);
    options_fini(&o);
    return 0;
}
