/* What tools say on publish.ipc, intake.ipc and admin.ipc: messages of a byte (which of them), the
 * number of frames, and frames with their lengths. Each question is answered once, in the form that
 * PROTOCOL.md gives. */
#include "base/json.h"
#include "base/log.h"
#include "engine.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/queue.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PUBLISH, INTAKE, ADMIN, KINDS };

static size_t owed[2]; /* by enum tool */

static bool on_send(void *ctx, Str peer, Str header, struct frame *body)
{
    (void)ctx, (void)peer, (void)header, (void)body;
    return true;
}

static void check_publish(const Str *parts, size_t n)
{
    Cursor id;
    if (str_eq(parts[0], STR("ok"))) {
        assert(n == 2 || n == 3);
        assert(!parts[1].len || cursor_parse(parts[1], &id));
        return;
    }
    assert(str_eq(parts[0], STR("error")) && (n == 3 || n == 4));
    assert(refusal_from_code(parts[1]) != REFUSE_INTERNAL && parts[2].len);
}

static void check_admin(Str text)
{
    Json *v = json_parse(text, NULL);
    assert(v && json_is_object(v) && json_is_bool(json_get(v, "ok")));
    json_free(v);
}

static void on_answer(void *ctx, enum tool tool, Str peer, const Str *parts, size_t n)
{
    (void)ctx;
    assert(str_eq(peer, STR("p")) && n > 0 && n < SOCKET_PARTS && owed[tool] > 0);
    owed[tool]--;
    if (!parts[0].len) { /* REQ's delimiter */
        parts++;
        n--;
    }
    if (tool == TOOL_PUBLISH)
        check_publish(parts, n);
    else
        check_admin(parts[0]);
}

static void on_tap(void *ctx, const struct event *e)
{
    (void)ctx;
    assert(e->id.at > 0 && channel_is_valid(e->channel, "channel", NULL));
    assert(event_name_is_valid(e->name, false, "event", NULL) && str_is_utf8(e->data));
    assert(!(e->flags & EVENT_JSON) || json_check(e->data, NULL));
}

static void settle(struct hub *h, struct queue *q, Now now)
{
    do {
        for (struct op *op; (op = queue_take(&q->j));)
            hub_on_done(h, op, now);
    } while (hub_turn(h, now) || q->first);
}

static void hand_in(struct hub *h, Str *in, Now now)
{
    Str frames[SOCKET_PARTS];
    unsigned kind = (unsigned)input_number(in, 1) % KINDS;
    size_t n = 1 + input_number(in, 1) % SOCKET_PARTS;
    for (size_t i = 0; i < n; i++)
        frames[i] = input_piece(in, i == 3 ? 2 : 1);
    if (kind == INTAKE) {
        hub_on_intake(h, frames, n, now);
    } else if (kind == PUBLISH) {
        owed[TOOL_PUBLISH]++;
        hub_on_publish(h, STR("p"), frames, n, now);
    } else {
        owed[TOOL_ADMIN]++;
        hub_on_admin(h, STR("p"), frames, n, now);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct options o;
    struct queue q;
    struct epoch epoch = {.name = 1, .first = 1};
    Now now = {1000000, 1790000000000};
    Str in = str_make((const char *)data, size);
    queue_init(&q);
    log_init("fuzz", LOG_LEVEL_ERROR);
    hub_options(&o);
    o.max_event = 1024;
    struct hub *h = hub_new(&o, (struct hub_out){NULL, on_send, on_answer, on_tap, NULL});
    hub_start(h, &q.j, &(struct journal_state){.epochs = &epoch, .epoch_count = 1}, now);
    for (size_t n = 0; in.len; n++) {
        hand_in(h, &in, now);
        if (n % 4 == 3)
            settle(h, &q, now);
    }
    settle(h, &q, now);
    for (int i = 0; i < 20; i++) { /* what asks workers waits a second for them */
        now.mono += 100, now.wall += 100;
        hub_tick(h, now);
        settle(h, &q, now);
    }
    assert(!owed[TOOL_PUBLISH] && !owed[TOOL_ADMIN]);
    hub_stop(h, now);
    while (!hub_is_stopped(h))
        settle(h, &q, now);
    hub_free(h);
    queue_fini(&q);
    options_fini(&o);
    return 0;
}
