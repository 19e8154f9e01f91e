#include "journal_fixture.h"
#include "wire/refusal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

static void an_event_comes_back_as_it_went(void **state)
{
    struct fixture *f = *state;
    struct event model = {
        .flags = EVENT_JSON,
        .expires = UINT64_C(9000000000000),
        .channel = STR("room:\xc3\xa4"),
        .name = STR("move"),
        .user = STR("ann"),
        .exclude = STR("client-0123456789"),
        .to = STR("client-9876543210"),
        .data = STR("{\"a\":\"\\u0000\"}"),
    };
    struct append *a = append_new("ann", "", 0);
    append_send(a, "", 0);
    append_model(f, a, &model);
    fixture_do(f, &a->op);
    struct event *sent = a->events[0];
    assert_int_equal(sent->id.at, 1);
    assert_int_equal(sent->id.epoch, fixture_epoch(f)->name);
    assert_true(sent->time > 0);

    struct reading r = reading_of("room:\xc3\xa4");
    fixture_read(f, &r);
    assert_int_equal(r.n, 1);
    struct event *e = r.events[0];
    assert_int_equal(e->id.at, 1);
    assert_int_equal(e->id.epoch, sent->id.epoch);
    assert_int_equal(e->time, sent->time);
    assert_int_equal(e->flags, EVENT_JSON);
    assert_int_equal(e->expires, model.expires);
    assert_true(str_eq(e->channel, model.channel) && str_eq(e->name, model.name));
    assert_true(str_eq(e->user, model.user) && str_eq(e->exclude, model.exclude));
    assert_true(str_eq(e->to, model.to) && str_eq(e->data, model.data));
    assert_int_equal(r.next, 1);
    assert_false(r.more);
    reading_fini(&r);
    free(r.channels);
    append_free(a);
}

static void thousands_keep_their_order(void **state)
{
    enum { N = 2000 };
    struct fixture *f = *state;
    static struct append *all[N];
    for (size_t i = 0; i < N; i++) {
        char channel[8];
        snprintf(channel, sizeof channel, "c%zu", i % 7);
        all[i] = append_new("", "", 0);
        append_send(all[i], "", 0);
        append_event(f, all[i], channel, "x");
        append_event(f, all[i], "all", "y");
        fixture_submit(f, &all[i]->op);
        f->j->ops->flush(f->j);
    }
    Msec time = 0;
    for (size_t i = 0; i < N; i++) {
        struct append *a = all[i];
        assert_ptr_equal(fixture_wait(f), &a->op);
        assert_int_equal(a->op.why.code, 0);
        assert_int_equal(a->sends[0].at, 2 * i + 1);
        assert_int_equal(a->events[1]->id.at, 2 * i + 2);
        assert_true(a->sends[0].time >= time);
        time = a->sends[0].time;
        append_free(a);
    }
    assert_null(f->j->ops->take(f->j));
}

/* ---- keys ---- */

static struct append *keyed(struct fixture *f, const char *key, uint64_t print)
{
    struct append *a = append_new("ann", "", 0);
    append_send(a, key, print);
    append_event(f, a, "news", key);
    fixture_do(f, &a->op);
    assert_int_equal(a->op.why.code, 0);
    return a;
}

static void a_known_key_writes_nothing(void **state)
{
    struct fixture *f = *state;
    struct append *first = keyed(f, "k", 1);
    fixture_put(f, "news", "between");
    fixture_reopen(f);
    struct append *again = keyed(f, "k", 1);
    struct append *other = keyed(f, "k", 2);
    assert_false(first->sends[0].again);
    assert_true(again->sends[0].again);
    assert_int_equal(again->sends[0].at, first->sends[0].at);
    assert_int_equal(again->sends[0].time, first->sends[0].time);
    assert_int_equal(again->sends[0].epoch, first->sends[0].epoch);
    assert_int_equal(again->events[0]->id.at, 0);
    assert_int_equal(other->sends[0].code, REFUSE_CONFLICT);
    assert_int_equal(fixture_put(f, "news", "x"), 3);
    append_free(first);
    append_free(again);
    append_free(other);
}

static void keys_belong_to_a_user(void **state)
{
    struct fixture *f = *state;
    struct append *ann = keyed(f, "k", 1);
    struct append *bob = append_new("bob", "", 0);
    append_send(bob, "k", 1);
    append_event(f, bob, "news", "x");
    fixture_do(f, &bob->op);
    assert_false(bob->sends[0].again);
    append_free(ann);
    append_free(bob);
}

static struct append *batch(struct fixture *f, uint64_t print)
{
    struct append *a = append_new("ann", "whole", print);
    append_send(a, "", 0);
    append_event(f, a, "news", "a");
    append_event(f, a, "chat", "a");
    append_send(a, "k", 9); /* known */
    append_event(f, a, "news", "b");
    append_send(a, "k", 8); /* conflict */
    append_event(f, a, "news", "c");
    append_send(a, "", 0)->code = REFUSE_LIMIT; /* refused by the engine: no events */
    append_send(a, "l", 7);
    append_event(f, a, "news", "d");
    fixture_do(f, &a->op);
    assert_int_equal(a->op.why.code, 0);
    return a;
}

static void a_batch_is_answered_as_the_first_time(void **state)
{
    struct fixture *f = *state;
    struct append *k = keyed(f, "k", 9);
    struct append *first = batch(f, 5), *again = batch(f, 5), *other = batch(f, 6);
    assert_int_equal(first->code, 0);
    assert_int_equal(first->sends[0].at, 2);
    assert_true(first->sends[1].again);
    assert_int_equal(first->sends[1].at, 1);
    assert_int_equal(first->sends[2].code, REFUSE_CONFLICT);
    assert_int_equal(first->sends[3].code, REFUSE_LIMIT);
    assert_int_equal(first->sends[4].at, 4);
    for (size_t i = 0; i < first->send_count; i++) {
        assert_int_equal(again->sends[i].code, first->sends[i].code);
        assert_int_equal(again->sends[i].at, first->sends[i].at);
        assert_int_equal(again->sends[i].time, first->sends[i].time);
        assert_true(again->sends[i].again || again->sends[i].code);
    }
    assert_int_equal(other->code, REFUSE_CONFLICT);
    assert_int_equal(other->sends[0].code, REFUSE_CONFLICT);
    assert_int_equal(fixture_put(f, "news", "x"), 5);
    append_free(k);
    append_free(first);
    append_free(again);
    append_free(other);
}

static void the_whole_and_a_send_may_share_a_key(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        struct append *a = append_new("ann", "same", 1);
        append_send(a, "same", 2);
        append_event(f, a, "news", "x");
        fixture_do(f, &a->op);
        assert_int_equal(a->code, 0);
        assert_int_equal(a->sends[0].at, 1);
        assert_int_equal(a->sends[0].again, i == 1);
        append_free(a);
    }
}

/* Once the oldest are too old. */
static struct append *keyed_when_there_is_room(struct fixture *f, const char *key)
{
    Msec until = clock_mono() + 10000;
    struct append *a = keyed(f, key, 1);
    while (a->sends[0].code == REFUSE_KEYS_FULL && clock_mono() < until) {
        append_free(a);
        a = keyed(f, key, 1);
    }
    assert_int_equal(a->sends[0].code, 0);
    return a;
}

static void a_full_table_refuses_and_recovers(void **state)
{
    struct fixture *f = *state;
    f->options.idempotency_keys = 3;
    f->options.idempotency_age = 300;
    fixture_reopen(f);
    for (int i = 0; i < 3; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%d", i);
        append_free(keyed(f, key, 1));
    }
    struct append *full = keyed(f, "k3", 1);
    assert_int_equal(full->sends[0].code, REFUSE_KEYS_FULL);
    struct append *whole = append_new("ann", "k4", 1);
    append_send(whole, "", 0);
    append_event(f, whole, "news", "x");
    fixture_do(f, &whole->op);
    assert_int_equal(whole->code, REFUSE_KEYS_FULL);
    assert_int_equal(whole->events[0]->id.at, 0);
    append_free(full);
    full = keyed_when_there_is_room(f, "k3");
    /* The oldest went for it: its key is new again. */
    struct append *first = keyed_when_there_is_room(f, "k0");
    assert_false(first->sends[0].again);
    struct check check = {.op = {.kind = OP_CHECK}};
    buf_init(&check.report, 1000);
    fixture_do(f, &check.op);
    assert_true(str_eq(buf_str(&check.report), STR("ok")));
    buf_fini(&check.report);
    append_free(full);
    append_free(first);
    append_free(whole);
}

/* The newest of all went, and the next has its place: it must not be taken for it. */
static void a_key_that_is_new_again_is_kept_for_its_age(void **state)
{
    struct fixture *f = *state;
    f->options.idempotency_age = 300;
    fixture_reopen(f);
    Msec start = clock_mono(), until = start + 10000;
    append_free(keyed(f, "k", 1));
    bool is_known = true;
    while (is_known && clock_mono() < until) {
        start = clock_mono();
        struct append *a = keyed(f, "k", 1);
        is_known = a->sends[0].again;
        append_free(a);
    }
    assert_false(is_known);
    struct append *again = keyed(f, "k", 1);
    assert_true(again->sends[0].again || clock_mono() - start >= f->options.idempotency_age);
    append_free(again);
}

/* ---- the disk is full ---- */

static struct append *big(struct fixture *f)
{
    static char data[64 * 1024];
    memset(data, 'x', sizeof data - 1);
    struct append *a = append_new("ann", "", 0);
    append_send(a, "", 0);
    append_event(f, a, "news", data);
    fixture_do(f, &a->op);
    return a;
}

/* Writes until it is refused; returns how many were written. */
static size_t fill_up(struct fixture *f)
{
    for (size_t n = 0; n < 10000; n++) {
        struct append *a = big(f);
        struct fault why = a->op.why;
        assert_int_equal(a->events[0]->id.at, why.code ? 0 : n + 1);
        append_free(a);
        if (why.code) {
            assert_int_equal(why.code, REFUSE_DISK_FULL);
            assert_false(f->j->ops->is_broken(f->j));
            return n;
        }
    }
    fail_msg("it never was full");
    return 0;
}

static void expect_all(struct fixture *f, size_t n)
{
    struct reading r = reading_of("news");
    Position next = 0;
    do {
        r.after = next;
        r.bytes = UINT32_MAX;
        fixture_read(f, &r);
        for (size_t i = 0; i < r.n; i++)
            assert_int_equal(r.events[i]->id.at, ++next);
        reading_fini(&r);
    } while (r.more);
    free(r.channels);
    assert_int_equal(next, n);
}

static void a_file_that_may_not_grow_is_a_full_disk(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit, before;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 2 * 1024 * 1024;
    setrlimit(RLIMIT_FSIZE, &limit);
    size_t n = fill_up(f);
    expect_all(f, n);
    setrlimit(RLIMIT_FSIZE, &before);
    struct append *a = big(f);
    assert_int_equal(a->op.why.code, 0);
    assert_int_equal(a->sends[0].at, n + 1);
    append_free(a);
    fixture_crash(f);
    expect_all(f, n + 1);
}

static void a_full_disk_refuses_and_recovers(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    if (mount("none", f->folder, "tmpfs", 0, "size=4m") != 0)
        skip();
    assert_true(fixture_open(f));
    size_t n = fill_up(f);
    expect_all(f, n);
    assert_int_equal(mount("none", f->folder, "tmpfs", MS_REMOUNT, "size=64m"), 0);
    struct append *a = big(f);
    assert_int_equal(a->op.why.code, 0);
    assert_int_equal(a->sends[0].at, n + 1);
    append_free(a);
    expect_all(f, n + 1);
    fixture_close(f);
    assert_int_equal(umount(f->folder), 0);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(an_event_comes_back_as_it_went),
        ONE(thousands_keep_their_order),
        ONE(a_known_key_writes_nothing),
        ONE(keys_belong_to_a_user),
        ONE(a_batch_is_answered_as_the_first_time),
        ONE(a_key_that_is_new_again_is_kept_for_its_age),
        ONE(the_whole_and_a_send_may_share_a_key),
        ONE(a_full_table_refuses_and_recovers),
        ONE(a_file_that_may_not_grow_is_a_full_disk),
        ONE(a_full_disk_refuses_and_recovers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
