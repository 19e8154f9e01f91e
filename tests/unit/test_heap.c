#include "base/heap.h"
#include "base/list.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MANY = 1000 };

static uint64_t draw(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return *seed >> 40;
}

static void nothing_is_on_top_of_an_empty_heap(void **state)
{
    (void)state;
    struct heap h;
    struct heap_node node = {0};
    heap_init(&h);
    assert_null(heap_top(&h));
    heap_remove(&h, &node);
    heap_fini(&h);
}

static void comes_out_in_order(void **state)
{
    (void)state;
    static struct heap_node nodes[MANY];
    struct heap h;
    uint64_t seed = 1, last = 0;
    heap_init(&h);
    for (int i = 0; i < MANY; i++)
        heap_set(&h, &nodes[i], draw(&seed) % 100);
    for (int i = 0; i < MANY; i += 3)
        heap_set(&h, &nodes[i], draw(&seed) % 200);
    for (int i = 0; i < MANY; i += 5)
        heap_remove(&h, &nodes[i]);
    size_t n = 0;
    for (struct heap_node *top; (top = heap_top(&h)); n++) {
        assert_true(top->key >= last);
        last = top->key;
        heap_remove(&h, top);
        assert_int_equal(top->at, 0);
    }
    assert_int_equal(n, MANY - MANY / 5);
    heap_fini(&h);
}

static void a_node_moves_both_ways(void **state)
{
    (void)state;
    struct heap_node a = {0}, b = {0}, c = {0};
    struct heap h;
    heap_init(&h);
    heap_set(&h, &a, 1);
    heap_set(&h, &b, 2);
    heap_set(&h, &c, 3);
    heap_set(&h, &c, 0);
    assert_ptr_equal(heap_top(&h), &c);
    heap_set(&h, &c, UINT64_MAX);
    assert_ptr_equal(heap_top(&h), &a);
    heap_fini(&h);
    assert_int_equal(a.at, 0);
}

struct item {
    int number;
    struct list link;
};

static void a_list_keeps_order_and_lets_go_in_a_walk(void **state)
{
    (void)state;
    struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    struct list head, *node, *safe;
    list_init(&head);
    assert_true(list_is_empty(&head));
    list_remove(&items[0].link);
    assert_false(list_is_linked(&items[0].link));
    for (size_t i = 0; i < COUNT_OF(items); i++)
        list_append(&head, &items[i].link);
    int next = 0;
    LIST_EACH(node, safe, &head)
    {
        assert_int_equal(CONTAINER_OF(node, struct item, link)->number, next++);
        assert_true(list_is_linked(node));
        list_remove(node);
        assert_false(list_is_linked(node));
    }
    assert_int_equal(next, 4);
    assert_true(list_is_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_on_top_of_an_empty_heap),
        cmocka_unit_test(comes_out_in_order),
        cmocka_unit_test(a_node_moves_both_ways),
        cmocka_unit_test(a_list_keeps_order_and_lets_go_in_a_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
