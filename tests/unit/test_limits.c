#include "base/limits.h"
#include "base/tally.h"
#include "wire/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { ROUNDS = 200, TRIES = 2000, KEYS = 3 };

static uint64_t draw(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return *seed >> 33;
}

static Str key_of(unsigned n, char room[16])
{
    return str_make(room, (size_t)snprintf(room, 16, "k%u", n));
}

/* What a key was let do, in us of its rate, as a leaking bucket of real numbers would count it. */
struct model {
    double level;
    Msec at;
};

static bool model_takes(struct model *m, const struct bucket_rate *r, uint64_t cost, Msec now)
{
    double gone = (double)(now - m->at) * 1000;
    m->level = m->level > gone ? m->level - gone : 0;
    m->at = now;
    if (m->level >= (double)r->burst * 1000)
        return false;
    uint64_t more = cost * 1000000 * r->share / r->rate;
    m->level += (double)more;
    return true;
}

static void a_bucket_is_a_leaking_one(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int round = 0; round < ROUNDS; round++) {
        struct buckets b;
        struct model models[KEYS] = {0};
        struct bucket_rate r = {1 + draw(&seed) % 1000, 1 + draw(&seed) % 8,
                                100 + draw(&seed) % 20000};
        Msec now = 5000000;
        char room[16];
        buckets_init(&b);
        for (int i = 0; i < TRIES; i++) {
            unsigned k = (unsigned)(draw(&seed) % KEYS);
            uint64_t cost = draw(&seed) % 8 ? 1 : draw(&seed) % 100;
            now += draw(&seed) % 3 ? 0 : draw(&seed) % 50;
            bool expected = model_takes(&models[k], &r, cost, now);
            assert_int_equal(buckets_take(&b, key_of(k, room), &r, cost, now), expected);
        }
        buckets_fini(&b);
    }
}

static void a_rate_of_nothing_is_no_limit(void **state)
{
    (void)state;
    struct buckets b;
    buckets_init(&b);
    for (int i = 0; i < TRIES; i++)
        assert_true(buckets_take(&b, STR("k"), &(struct bucket_rate){0, 1, 1000}, 1, 0));
    assert_int_equal(b.by_key.len, 0);
    buckets_fini(&b);
}

static void buckets_are_bounded(void **state)
{
    (void)state;
    struct bucket_rate r = {1, 1, 1000};
    struct buckets b;
    char room[16];
    buckets_init(&b);
    for (unsigned i = 0; i < BUCKETS_MOST + 1000; i++)
        assert_true(buckets_take(&b, key_of(i, room), &r, 1, 1));
    assert_int_equal(b.by_key.len, BUCKETS_MOST);
    assert_true(buckets_take(&b, key_of(0, room), &r, 1, 1)); /* used longest ago: forgotten */
    assert_false(buckets_take(&b, key_of(BUCKETS_MOST, room), &r, 1, 1));
    buckets_fini(&b);
}

static void whoever_made_up_for_it_is_forgotten(void **state)
{
    (void)state;
    struct bucket_rate r = {1, 1, 1000};
    struct buckets b;
    char room[16];
    buckets_init(&b);
    for (unsigned i = 0; i < TRIES; i++)
        assert_true(buckets_take(&b, key_of(i, room), &r, 1, 1));
    for (unsigned i = 0; i < TRIES; i++)
        assert_true(buckets_take(&b, key_of(TRIES + i, room), &r, 1, 3600000 + i * 2000));
    assert_in_range(b.by_key.len, 1, 2);
    buckets_fini(&b);
}

static void a_limit_is_named(void **state)
{
    (void)state;
    struct options o = {.rate_publishes = 4, .rate_history = 1, .rate_burst = 2000};
    struct fault why = {0};
    struct limits l;
    limits_init(&l, &o, 2);
    for (int i = 0; i < 4; i++) /* half of 4 a second, for two seconds */
        assert_true(limits_admit(&l, RATE_PUBLISHES, STR("a"), 9, &why));
    assert_false(limits_admit(&l, RATE_PUBLISHES, STR("a"), 9, &why));
    assert_int_equal(why.code, REFUSE_LIMIT);
    assert_string_equal(why.text, "rate_publishes is 4 a second");
    assert_int_equal(l.refused[RATE_PUBLISHES], 1);
    assert_true(limits_admit(&l, RATE_PUBLISHES, STR("b"), 9, &why));
    assert_true(limits_admit(&l, RATE_HISTORY, STR("a"), 9, &why));
    assert_true(limits_admit(&l, RATE_CONNECTS, STR("a"), 9, &why));
    assert_true(limits_admit(&l, RATE_PUBLISHES, STR_NONE, 9, &why));
    char longer[1000] = {'x'};
    assert_true(limits_admit(&l, RATE_HISTORY, str_make(longer, sizeof longer), 9, &why));
    limits_charge(&l, RATE_PUBLISHES, STR("b"), 100, 9);
    assert_false(limits_admit(&l, RATE_PUBLISHES, STR("b"), 40000, &why));
    assert_true(limits_admit(&l, RATE_PUBLISHES, STR("b"), 49000, &why));
    limits_fini(&l);
}

static void what_is_spent_is_known_before_it_is_asked_for(void **state)
{
    (void)state;
    struct options o = {.rate_tokens = 1, .rate_burst = 2000};
    struct fault why = {0};
    struct limits l;
    limits_init(&l, &o, 1);
    for (int i = 0; i < 2; i++) {
        assert_false(limits_is_spent(&l, RATE_TOKENS, STR("a"), 9));
        assert_true(limits_admit(&l, RATE_TOKENS, STR("a"), 9, &why));
    }
    assert_true(limits_is_spent(&l, RATE_TOKENS, STR("a"), 9));
    assert_false(limits_is_spent(&l, RATE_TOKENS, STR("b"), 9));
    assert_false(limits_is_spent(&l, RATE_TOKENS, STR_NONE, 9));
    assert_false(limits_is_spent(&l, RATE_TOKENS, STR("a"), 1010));
    assert_int_equal(l.refused[RATE_TOKENS], 0);
    limits_fini(&l);
}

static void a_tally_counts_who_is_there(void **state)
{
    (void)state;
    struct tally t;
    tally_init(&t);
    tally_add(&t, STR("a"), 2);
    tally_add(&t, STR("b"), 1);
    tally_add(&t, STR_NONE, 1);
    tally_take(&t, STR_NONE, 1);
    tally_take(&t, STR("a"), 1);
    assert_int_equal(tally_of(&t, STR("a")), 1);
    tally_take(&t, STR("a"), 1);
    assert_int_equal(tally_of(&t, STR("a")), 0);
    assert_int_equal(t.by_key.len, 1);
    tally_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_is_a_leaking_one),
        cmocka_unit_test(a_rate_of_nothing_is_no_limit),
        cmocka_unit_test(buckets_are_bounded),
        cmocka_unit_test(whoever_made_up_for_it_is_forgotten),
        cmocka_unit_test(a_limit_is_named),
        cmocka_unit_test(what_is_spent_is_known_before_it_is_asked_for),
        cmocka_unit_test(a_tally_counts_who_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
