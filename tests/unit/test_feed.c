/* The link of `belfry sub`, against a hub's half that is spoken by hand. */
#include "cli/feed.h"
#include "wire/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define EPOCH 7

struct hub_side {
    struct feed *feed;
    struct buf said; /* what the feed said and showed, in words */
    uint64_t seq, ref;
    struct msg_hello hello;
    struct msg_fetch fetch;
};

static void on_send(void *ctx, struct header h, Str body)
{
    struct hub_side *s = ctx;
    struct msg_open open;
    buf_printf(&s->said, "%s", verb_name(h.verb));
    if (h.verb == VERB_HELLO) {
        assert_true(msg_hello_unpack(body, &s->hello));
        buf_printf(&s->said, "@%llu/%zu", (unsigned long long)s->hello.at.at,
                   list_count(s->hello.channels));
    } else if (h.verb == VERB_OPEN) {
        assert_true(msg_open_unpack(body, &open));
        s->ref = open.ref;
    } else if (h.verb == VERB_FETCH) {
        assert_true(msg_fetch_unpack(body, &s->fetch));
        s->ref = s->fetch.ref;
        buf_printf(&s->said, "(%llu,%llu]", (unsigned long long)s->fetch.after.at,
                   (unsigned long long)s->fetch.upto);
    }
    buf_putc(&s->said, ' ');
}

static void on_event(void *ctx, const struct event *e)
{
    struct hub_side *s = ctx;
    buf_printf(&s->said, "%llu ", (unsigned long long)e->id.at);
}

static void on_note(void *ctx, const char *text)
{
    struct hub_side *s = ctx;
    buf_printf(&s->said, "<%.3s> ", text);
}

static struct hub_side *side_new(enum start start)
{
    struct hub_side *s = must_alloc(sizeof *s);
    Str channels[] = {STR("a"), STR("b:*")};
    struct feed_wish wish = {.channels = channels, .n = 2, .start = start};
    buf_init(&s->said, 100000);
    s->feed = feed_new(&wish, "sub-1", (struct feed_out){s, on_send, on_event, on_note});
    feed_on_connected(s->feed, 0);
    return s;
}

static void side_free(struct hub_side *s)
{
    feed_free(s->feed);
    buf_fini(&s->said);
    free(s);
}

static void expect(struct hub_side *s, const char *said)
{
    buf_putc(&s->said, '\0');
    assert_string_equal(s->said.p, said);
    buf_clear(&s->said);
}

static void hear(struct hub_side *s, enum verb verb, struct buf *body)
{
    char head[MESSAGE_HEADER];
    s->seq = verb == VERB_WELCOME ? 1 : s->seq + 1;
    header_pack(head, (struct header){PROTOCOL_VERSION, (uint8_t)verb, s->seq});
    feed_on_message(s->feed, str_make(head, sizeof head), buf_str(body), 1);
    buf_fini(body);
}

#define HEAR(s, VERB, type, ...)                                                                   \
    do {                                                                                           \
        struct buf body_;                                                                          \
        buf_init(&body_, 1000000);                                                                 \
        msg_##type##_pack(&body_, &(struct msg_##type){__VA_ARGS__});                              \
        hear(s, VERB_##VERB, &body_);                                                              \
    } while (0)

static void pack_event(struct buf *out, Position at, Position prev)
{
    struct event e = {.id = {at ? EPOCH : 0, at},
                      .prev = prev,
                      .channel = STR("a"),
                      .data = STR("x"),
                      .flags = at ? 0 : EVENT_EPHEMERAL};
    event_pack(out, &e);
}

static void hear_event(struct hub_side *s, Position at, Position prev)
{
    struct buf body;
    buf_init(&body, 10000);
    pack_event(&body, at, prev);
    hear(s, VERB_EVENT, &body);
}

static void hear_rows(struct hub_side *s, Position first, Position last, bool more)
{
    struct buf rows, one;
    buf_init(&rows, 100000);
    for (Position at = first; at <= last; at++) {
        buf_init(&one, 1000);
        pack_event(&one, at, 0);
        list_put(&rows, buf_str(&one));
        buf_fini(&one);
    }
    HEAR(s, ROWS, rows, .ref = s->ref, .rows = buf_str(&rows), .next = {EPOCH, last}, .more = more);
    buf_fini(&rows);
}

static struct hub_side *side_opened(Position from, Position join)
{
    struct hub_side *s = side_new(START_CURSOR);
    expect(s, "HELLO@0/0 ");
    HEAR(s, WELCOME, welcome, .link = 1, .head = {EPOCH, join}, .from = {EPOCH, join});
    expect(s, "OPEN ");
    HEAR(s, OPENED, opened, .ref = s->ref, .join = {EPOCH, join}, .from = {EPOCH, from});
    return s;
}

static void feed_replays_then_follows(void **state)
{
    (void)state;
    struct hub_side *s = side_opened(3, 6);
    expect(s, "FETCH(3,6] ");
    hear_event(s, 7, 6);
    hear_event(s, 0, 0); /* ephemeral, while we are behind: not for us */
    hear_rows(s, 4, 5, true);
    expect(s, "4 5 FETCH(5,6] ");
    assert_false(feed_is_live(s->feed));
    hear_rows(s, 6, 6, false);
    expect(s, "6 7 ");
    assert_true(feed_is_live(s->feed));
    hear_event(s, 0, 0);
    hear_event(s, 9, 7);
    hear_event(s, 9, 9);
    expect(s, "0 9 ");
    side_free(s);
}

static void feed_greets_again_after_a_hole_in_the_sequence(void **state)
{
    (void)state;
    struct hub_side *s = side_opened(6, 6);
    hear_event(s, 7, 6);
    s->seq++;
    hear_event(s, 9, 7);
    expect(s, "7 HELLO@7/2 ");
    hear_event(s, 10, 9); /* of the old link: not before the WELCOME */
    expect(s, "");
    HEAR(s, WELCOME, welcome, .link = 2, .head = {EPOCH, 10}, .from = {EPOCH, 7});
    hear_event(s, 8, 0);
    hear_event(s, 9, 0);
    expect(s, "8 9 ");
    side_free(s);
}

static void feed_greets_again_where_prev_does_not_fit(void **state)
{
    (void)state;
    struct hub_side *s = side_opened(6, 6);
    hear_event(s, 9, 8);
    expect(s, "HELLO@6/2 ");
    side_free(s);
}

static void feed_says_a_gap_and_goes_on_from_the_fork(void **state)
{
    (void)state;
    struct hub_side *s = side_opened(6, 6);
    feed_on_disconnected(s->feed);
    feed_on_connected(s->feed, 5);
    HEAR(s, WELCOME, welcome, .link = 2, .head = {EPOCH + 1, 4}, .from = {EPOCH, 4},
         .reason = GAP_RESET);
    hear_event(s, 5, 4);
    expect(s, "<the> HELLO@6/2 <gap> <the> 5 ");
    side_free(s);
}

static void feed_says_no_gap_of_what_it_had(void **state)
{
    (void)state;
    struct hub_side *s = side_opened(6, 6);
    struct buf names, floors;
    buf_init(&names, 100);
    buf_init(&floors, 100);
    list_put(&names, STR("a"));
    list_put(&floors, STR("6"));
    HEAR(s, GAP, gap, .reason = GAP_PRUNED, .oldest = {EPOCH, 9}, .channels = buf_str(&names),
         .floors = buf_str(&floors));
    expect(s, "");
    list_put(&names, STR("b"));
    list_put(&floors, STR("7"));
    HEAR(s, GAP, gap, .reason = GAP_PRUNED, .oldest = {EPOCH, 9}, .channels = buf_str(&names),
         .floors = buf_str(&floors));
    expect(s, "<gap> ");
    HEAR(s, GAP, gap, .reason = GAP_PRUNED, .oldest = {EPOCH, 9}, .channels = buf_str(&names));
    expect(s, "<gap> "); /* of an older hub */
    buf_fini(&names);
    buf_fini(&floors);
    side_free(s);
}

static void feed_takes_a_silent_hub_for_gone(void **state)
{
    (void)state;
    struct hub_side *s = side_opened(6, 6);
    feed_tick(s->feed, 1002);
    expect(s, "PULSE ");
    feed_tick(s->feed, 3100);
    expect(s, "<the> HELLO@6/2 ");
    feed_tick(s->feed, 3200);
    expect(s, "");
    feed_tick(s->feed, 4200);
    expect(s, "HELLO@6/2 ");
    side_free(s);
}

static void feed_lets_go_of_what_the_log_has_while_behind(void **state)
{
    (void)state;
    struct hub_side *s = side_opened(5, 6);
    expect(s, "FETCH(5,6] ");
    for (Position at = 7; at <= 7 + 4096; at++) /* one more than are held */
        hear_event(s, at, at - 1);
    hear_event(s, 4104, 4103);
    hear_rows(s, 6, 6, false);
    expect(s, "6 FETCH(6,4103] ");
    HEAR(s, ROWS, rows, .ref = s->ref, .next = {EPOCH, 4103});
    expect(s, "4104 ");
    side_free(s);
}

static void feed_is_refused_by_name(void **state)
{
    (void)state;
    struct fault why = {0};
    struct hub_side *s = side_new(START_DEFAULT);
    HEAR(s, REJECT, reject, .code = REFUSE_VERSION, .detail = STR("version 9"));
    assert_true(feed_is_refused(s->feed, &why));
    assert_int_equal(why.code, REFUSE_VERSION);
    assert_string_equal(why.text, "version 9");
    side_free(s);
}

static void feed_bears_garbage(void **state)
{
    (void)state;
    struct hub_side *s = side_opened(3, 6);
    for (int verb = 0; verb < 256; verb++)
        for (size_t len = 0; len < 40; len += 7) {
            struct buf body;
            buf_init(&body, 1000);
            for (size_t i = 0; i < len; i++)
                buf_putc(&body, (char)(verb + (int)i * 37));
            hear(s, (enum verb)verb, &body);
        }
    feed_on_message(s->feed, STR("short"), STR(""), 1);
    side_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feed_replays_then_follows),
        cmocka_unit_test(feed_greets_again_after_a_hole_in_the_sequence),
        cmocka_unit_test(feed_greets_again_where_prev_does_not_fit),
        cmocka_unit_test(feed_says_a_gap_and_goes_on_from_the_fork),
        cmocka_unit_test(feed_says_no_gap_of_what_it_had),
        cmocka_unit_test(feed_takes_a_silent_hub_for_gone),
        cmocka_unit_test(feed_lets_go_of_what_the_log_has_while_behind),
        cmocka_unit_test(feed_is_refused_by_name),
        cmocka_unit_test(feed_bears_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
