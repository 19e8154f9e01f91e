/* Channels in order, topics, the ring, epochs: the engine's tables by themselves. */
#include "epochs.h"
#include "order.h"
#include "ring.h"
#include "topic.h"
#include "wire/message.h"
#include "wire/socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { NAMES = 500 };

struct named {
    struct order_node node;
    char name[16];
    bool is_in;
};

static Position highest_of(const struct named *v, const char *from, const char *to)
{
    Position highest = 0;
    for (size_t i = 0; i < NAMES; i++)
        if (v[i].is_in && strcmp(v[i].name, from) >= 0 && (!*to || strcmp(v[i].name, to) < 0) &&
            v[i].node.floor > highest)
            highest = v[i].node.floor;
    return highest;
}

static void check(const struct order *o, const struct named *v)
{
    static const char *const bounds[] = {"", "a", "b:", "c:1", "c:12", "c:2", "d", "zz"};
    for (size_t i = 0; i < COUNT_OF(bounds); i++)
        for (size_t j = 0; j < COUNT_OF(bounds); j++)
            assert_int_equal(order_highest(o, str_of(bounds[i]), str_of(bounds[j])),
                             highest_of(v, bounds[i], bounds[j]));
    size_t in = 0, seen = 0;
    for (size_t i = 0; i < NAMES; i++)
        in += v[i].is_in;
    Str before = STR_NONE;
    for (struct order_node *n = order_first(o, STR(""), false); n; n = order_next(n), seen++) {
        assert_true(seen == 0 || str_cmp(before, n->name) < 0);
        before = n->name;
    }
    assert_int_equal(seen, in);
}

static void names_are_in_order_and_know_the_highest_floor(void **state)
{
    (void)state;
    struct named *v = must_alloc(NAMES * sizeof *v);
    struct order o = {0};
    unsigned random = 1;
    for (size_t i = 0; i < NAMES; i++)
        snprintf(v[i].name, sizeof v[i].name, "%c:%zu", (char)('a' + i % 4), i * 7 % NAMES);
    for (size_t step = 0; step < 4000; step++) {
        random = random * 1664525 + 1013904223;
        struct named *one = &v[(random >> 8) % NAMES];
        if (!one->is_in)
            order_add(&o, &one->node, str_of(one->name), random >> 20);
        else if (random & 128)
            order_raise(&one->node, random >> 16);
        else
            order_remove(&o, &one->node);
        one->is_in = !one->is_in || (random & 128);
        if (step % 50 == 0)
            check(&o, v);
    }
    check(&o, v);
    free(v);
}

static void a_place_in_order_is_found(void **state)
{
    (void)state;
    struct named v[] = {{.name = "a"}, {.name = "b"}, {.name = "b:1"}, {.name = "c"}};
    struct order o = {0};
    for (size_t i = 0; i < COUNT_OF(v); i++)
        order_add(&o, &v[i].node, str_of(v[i].name), 0);
    assert_ptr_equal(order_first(&o, STR("b"), false), &v[1].node);
    assert_ptr_equal(order_first(&o, STR("b"), true), &v[2].node);
    assert_ptr_equal(order_first(&o, STR("bb"), true), &v[3].node);
    assert_null(order_first(&o, STR("c"), true));
}

static size_t match(const struct topics *t, const char *channel)
{
    struct topic *found[TOPICS_MATCH];
    return topics_match(t, str_of(channel), found);
}

static void patterns_are_found_by_prefix(void **state)
{
    (void)state;
    static const char *const names[] = {"room:1", "room:*", "r*", "*", "user:*", "us*", "$*"};
    struct topics t;
    struct sub *subs[COUNT_OF(names)], *again;
    topics_init(&t);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        subs[i] = topic_join(&t, NULL, str_of(names[i]));
    again = topic_join(&t, NULL, STR("r*"));
    assert_ptr_equal(again->topic, subs[2]->topic);
    assert_int_equal(match(&t, "room:1"), 4);
    assert_int_equal(match(&t, "room:"), 3);
    assert_int_equal(match(&t, "r"), 2);
    assert_int_equal(match(&t, "x"), 1);
    assert_int_equal(match(&t, "user:ann"), 1);
    assert_int_equal(match(&t, "$presence:a"), 1);
    topic_leave(&t, subs[2]);
    assert_int_equal(match(&t, "r"), 2);
    topic_leave(&t, again);
    assert_int_equal(match(&t, "r"), 1);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (i != 2)
            topic_leave(&t, subs[i]);
    topics_fini(&t);
}

static void add(struct ring *r, Position at, size_t size)
{
    struct buf body;
    char *data = must_alloc(size);
    buf_init(&body, 1 << 20);
    event_pack(&body, &(struct event){.id = {1, at}, .channel = STR("a"), .data = {data, size}});
    struct frame *f = frame_take(&body);
    ring_add(r, at, f);
    frame_unref(f);
    free(data);
}

static void a_ring_holds_so_many_and_so_much(void **state)
{
    (void)state;
    struct ring r;
    ring_init(&r, 4, 10000, 10);
    assert_true(ring_covers(&r, 10));
    assert_false(ring_covers(&r, 9));
    assert_null(ring_next(&r, 10));
    for (Position at = 11; at <= 20; at += 3)
        add(&r, at, 10);
    assert_int_equal(ring_next(&r, 11)->at, 14);
    assert_int_equal(ring_next(&r, 12)->at, 14);
    assert_true(ring_covers(&r, 10));
    add(&r, 21, 10);
    assert_false(ring_covers(&r, 10));
    assert_int_equal(ring_next(&r, 11)->at, 14);
    assert_null(ring_next(&r, 21));
    add(&r, 22, 9890); /* drops what is in its way */
    assert_int_equal(ring_next(&r, 0)->at, 22);
    assert_int_equal(r.after, 21);
    ring_fini(&r);
}

static void a_cursor_is_of_an_epoch(void **state)
{
    (void)state;
    static const struct epoch epochs[] = {
        {.name = 7, .first = 1}, {8, 101, 0, ""}, {9, 101, 0, ""}, {10, 201, 0, ""}};
    struct epochs e;
    Position fork = 0;
    epochs_init(&e, epochs, COUNT_OF(epochs));
    assert_int_equal(epochs_cursor(&e, 0).epoch, 7);
    assert_int_equal(epochs_cursor(&e, 100).epoch, 7);
    assert_int_equal(epochs_cursor(&e, 101).epoch, 9);
    assert_int_equal(epochs_cursor(&e, 500).epoch, 10);
    assert_int_equal(epochs_judge(&e, (Cursor){7, 100}, 300, &fork), GAP_NONE);
    assert_int_equal(epochs_judge(&e, (Cursor){7, 101}, 300, &fork), GAP_RESET);
    assert_int_equal(fork, 100);
    assert_int_equal(epochs_judge(&e, (Cursor){8, 100}, 300, &fork), GAP_NONE);
    assert_int_equal(epochs_judge(&e, (Cursor){8, 101}, 300, &fork), GAP_RESET);
    assert_int_equal(epochs_judge(&e, (Cursor){10, 300}, 300, &fork), GAP_NONE);
    assert_int_equal(epochs_judge(&e, (Cursor){10, 301}, 300, &fork), GAP_RESET);
    assert_int_equal(fork, 300);
    assert_int_equal(epochs_judge(&e, (Cursor){11, 1}, 300, &fork), GAP_UNKNOWN);
    epochs_fini(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_in_order_and_know_the_highest_floor),
        cmocka_unit_test(a_place_in_order_is_found),
        cmocka_unit_test(patterns_are_found_by_prefix),
        cmocka_unit_test(a_ring_holds_so_many_and_so_much),
        cmocka_unit_test(a_cursor_is_of_an_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
