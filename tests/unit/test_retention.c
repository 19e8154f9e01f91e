#include "hub_bench.h"
#include "retention.h"

#include <signal.h>
#include <sys/poll.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void fill(struct bench *b, const char *channel, int n)
{
    for (int i = 0; i < n; i++) {
        tool(b, "filler", channel, "", "0123456789", NULL);
        settle(b);
        b->now.wall++;
    }
}

static uint64_t count(const struct bench *b, const char *channel)
{
    const struct channel *ch = channel_find(&b->hub->channels, str_of(channel));
    return ch ? ch->count : 0;
}

/* The figures in memory are those of the log, read anew by another start. */
static void check_figures(struct bench *b, bool clean)
{
    uint64_t events = b->hub->channels.events, bytes = b->hub->channels.bytes;
    bench_restart(b, clean);
    assert_int_equal(b->hub->channels.events, events);
    assert_int_equal(b->hub->channels.bytes, bytes);
}

static void so_many_are_kept(void **state)
{
    struct bench *b = *state;
    bench_options(b, "--keep=5", NULL);
    fill(b, "a", 12);
    fill(b, "b", 3);
    settle(b);
    assert_int_equal(count(b, "a"), 5);
    assert_int_equal(count(b, "b"), 3);
    hello(b, "w1", 0, "");
    fetch(b, "w1", 0, 0, "a,b");
    expect(b, "w1",
           "WELCOME from=15 | ROWS 8:a=0123456789 9:a=0123456789 10:a=0123456789 11:a=0123456789 "
           "12:a=0123456789 13:b=0123456789 14:b=0123456789 15:b=0123456789 next=15 gap=pruned "
           "oldest=7 missing=a");
    check_figures(b, true);
    check_figures(b, false);
}

static void so_many_bytes_are_kept(void **state)
{
    struct bench *b = *state;
    bench_options(b, "--bytes=1024", NULL);
    fill(b, "a", 100);
    settle(b);
    const struct channel *ch = channel_find(&b->hub->channels, STR("a"));
    assert_true(ch->bytes <= 1024 && ch->bytes > 800);
    check_figures(b, false);
}

static Msec log_time(const struct bench *b)
{
    return channel_find(&b->hub->channels, STR("a"))->oldest;
}

static void what_is_old_goes_and_then_the_channel(void **state)
{
    struct bench *b = *state;
    bench_options(b, "--age=1h", NULL);
    fill(b, "a", 3);
    fill(b, "b", 1);
    b->now.wall = log_time(b) + 3600 * 1000;
    elapse(b, 2000);
    assert_int_equal(count(b, "a"), 0);
    assert_non_null(channel_find(&b->hub->channels, STR("a")));
    hello(b, "w1", 2, "a");
    expect(b, "w1", "WELCOME from=2 | EVENT 3:a=0123456789"); /* the ring has it */
    elapse(b, 3600 * 1000);
    elapse(b, 1000);
    assert_null(channel_find(&b->hub->channels, STR("a")));
    assert_int_equal(b->hub->channels.forgotten, 4);
    hello(b, "w1", 0, "");
    open_with(b, "w1",
              (struct msg_open){
                  .client = STR("client-of-ann-00"), .start = START_CURSOR, .at = cursor_at(b, 3)},
              "a,never");
    expect(b, "w1", "WELCOME from=4 | OPENED join=4 from=3 gap=pruned oldest=4 missing=a,never");
    b->now.wall = clock_wall();
    fill(b, "a", 1);
    assert_int_equal(channel_find(&b->hub->channels, STR("a"))->order.floor, 4);
    check_figures(b, false);
    assert_int_equal(channel_find(&b->hub->channels, STR("a"))->order.floor, 4);
}

/* Events of 10 kB, in turn to so many channels. */
static void fill_all(struct bench *b, int events, int channels)
{
    char data[10001];
    memset(data, 'x', sizeof data - 1);
    data[10000] = 0;
    for (int i = 0; i < events; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i % channels);
        tool(b, "filler", name, "", data, NULL);
        settle(b);
    }
}

static void the_whole_log_has_a_bound(void **state)
{
    struct bench *b = *state;
    bench_options(b, "--max_log=1M", NULL);
    fill_all(b, 300, 7);
    settle(b);
    assert_true(b->hub->channels.bytes <= 1 << 20);
    assert_true(b->hub->channels.events > 0);
    check_figures(b, false);
}

/* A hub whose bound was made smaller keeps as much as the bound lets, also where what it has came
 * in a burst some time ago. */
static void a_smaller_bound_keeps_what_fits(void **state)
{
    struct bench *b = *state;
    bench_options(b, "--max_log=64M", NULL);
    fill_all(b, 3000, 10);
    b->o.max_log = b->hub->channels.bytes / 2;
    b->now.wall += 3600 * 1000;
    for (int i = 0; i < 100; i++) {
        (void)hub_turn(b->hub, b->now);
        settle(b);
    }
    assert_in_range(b->hub->channels.bytes, b->o.max_log * 3 / 4, b->o.max_log);
    check_figures(b, false);
}

/* What is taken away waits behind what is to be written: it goes over its bound by that much. */
static void the_whole_log_goes_over_its_bound_by_what_waits(void **state)
{
    struct bench *b = *state;
    bench_options(b, "--max_log=1M", "--max_queue_bytes=1M", NULL);
    char data[10001];
    uint64_t most = 0;
    memset(data, 'x', sizeof data - 1);
    data[10000] = 0;
    for (int i = 0; i < 6000; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i % 7);
        tool(b, "filler", name, "", data, NULL);
        b->now = (Now){clock_mono(), clock_wall()};
        (void)hub_turn(b->hub, b->now);
        for (struct op *op; hub_is_full(b->hub) || b->hub->queue_bytes > 1000000;)
            if ((op = b->j->ops->take(b->j)))
                hub_on_done(b->hub, op, b->now);
        most = b->hub->channels.bytes > most ? b->hub->channels.bytes : most;
    }
    settle(b);
    assert_true(b->hub->channels.bytes <= 1 << 20);
    assert_true(most <= 4 << 20);
    print_message("%llu KiB of 1024\n", (unsigned long long)most >> 10);
    check_figures(b, false);
}

static void a_busy_log_is_noted_and_counted_right(void **state)
{
    struct bench *b = *state;
    bench_options(b, "--keep=100", NULL);
    for (int i = 0; i < 9000; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i % 13);
        tool(b, "filler", name, "", "x", NULL);
        if (i % 50 == 0)
            (void)hub_turn(b->hub, b->now);
    }
    settle(b);
    assert_true(b->hub->channels.events <= 13 * 101);
    check_figures(b, false);
    check_figures(b, true);
}

static void prune_is_exact(void **state)
{
    struct bench *b = *state;
    bench_options(b, "--keep=200", NULL);
    fill(b, "a", 202); /* within tolerance */
    settle(b);
    assert_int_equal(count(b, "a"), 202);
    admin(b, "{\"do\":\"prune\"}");
    elapse(b, 10);
    elapse(b, 10);
    assert_int_equal(count(b, "a"), 200);
    assert_true(str_starts(str_of(heard(b, "admin")), STR("{\"ok\":true,\"events\":2,\"bytes\":")));
}

/* The write-ahead log cannot grow while `is_full`. */
static void set_disk(const struct bench *b, bool is_full)
{
    char path[128];
    struct stat st;
    struct rlimit limit;
    snprintf(path, sizeof path, "%s/journal.db-wal", b->folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = is_full ? (rlim_t)st.st_size : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_note_that_found_no_room_is_made_up_for(void **state)
{
    struct bench *b = *state;
    fill(b, "a", 3);
    retention_note(b->hub);
    settle(b);
    fill(b, "a", 5);
    set_disk(b, true);
    retention_note(b->hub);
    settle(b);
    set_disk(b, false);
    fill(b, "b", 1);
    retention_note(b->hub);
    settle(b);
    check_figures(b, false);
    assert_int_equal(count(b, "a"), 8);
}

/* Not while it comes and goes, but in the end: the last word is true. */
static void a_disk_that_is_full_again_is_told_of(void **state)
{
    struct bench *b = *state;
    const struct fault full = {REFUSE_DISK_FULL, "full"};
    fill(b, "a", 8);
    retention_full(b->hub, &full);
    retention_recovered(b->hub);
    retention_full(b->hub, &full);
    assert_false(b->hub->is_full_told);
    b->now.mono += 11000;
    set_disk(b, true);
    retention_note(b->hub);
    settle(b);
    set_disk(b, false);
    assert_true(b->hub->next_full > b->now.mono); /* it was told of just now */
}

static void many_small_channels_are_cut_together(void **state)
{
    struct bench *b = *state;
    enum { CHANNELS = 600 };
    for (int i = 0; i < CHANNELS; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        tool(b, "filler", name, "", "0123456789", NULL);
    }
    settle(b);
    assert_int_equal(b->hub->channels.events, CHANNELS);
    b->o.max_log = b->hub->channels.bytes / 3;
    (void)hub_turn(b->hub, b->now);
    assert_int_equal(b->hub->prunes, CHANNELS * 2 / 3);
    settle(b);
    assert_int_equal(b->hub->channels.events, CHANNELS / 3);
    check_figures(b, false);
}

static void a_prune_that_never_ends_is_answered(void **state)
{
    struct bench *b = *state;
    bench_options(b, "--keep=5", NULL);
    b->hub->retry_prunes = b->now.mono + 1000000; /* as with a full disk */
    fill(b, "a", 20);
    admin(b, "{\"do\":\"prune\"}");
    elapse(b, 1000);
    expect(b, "admin", "");
    elapse(b, 60000);
    expect(b, "admin", "{\"ok\":true,\"events\":0,\"bytes\":0}");
    assert_int_equal(b->hub->asks.by_ref.len, 0);
}

static void let_be(struct hub *h, struct op *op)
{
    (void)h, (void)op;
}

/* The hub was asked while it did not yet know of it. */
static void what_was_pruned_before_the_log_was_read_is_a_gap(void **state)
{
    struct bench *b = *state;
    struct op_owner nobody = {let_be};
    char id[CURSOR_TEXT], text[200];
    fill(b, "a", 9);
    struct prune p = {.op.kind = OP_PRUNE,
                      .row = channel_find(&b->hub->channels, STR("a"))->row,
                      .excess_rows = 6,
                      .most = 100};
    hub_submit(b->hub, &p.op, &nobody);
    b->j->ops->flush(b->j);
    struct pollfd done = {b->j->ops->fd(b->j), POLLIN, 0};
    assert_int_equal(poll(&done, 1, 20000), 1);
    snprintf(text, sizeof text, "{\"do\":\"log\",\"channels\":[\"a\",\"b\"],\"after\":\"%.*s\"}",
             FMT(cursor_print(cursor_at(b, 2), id)));
    admin(b, text);
    const char *said = heard(b, "admin");
    assert_int_equal(p.rows, 6);
    snprintf(text, sizeof text,
             "\"gap\":{\"reason\":\"pruned\",\"oldest\":\"%.*s\",\"channels\":[\"a\"]}}",
             FMT(cursor_print(cursor_at(b, 6), id)));
    if (!strstr(said, text))
        fail_msg("%s is not in %s", text, said);
    admin(b, "{\"do\":\"log\",\"channels\":[\"a\"]}");
    assert_non_null(strstr(heard(b, "admin"), "\"gap\":null")); /* from the earliest */
}

int main(void)
{
    signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {
        BENCH(so_many_are_kept),
        BENCH(so_many_bytes_are_kept),
        BENCH(what_is_old_goes_and_then_the_channel),
        BENCH(the_whole_log_has_a_bound),
        BENCH(a_smaller_bound_keeps_what_fits),
        BENCH(the_whole_log_goes_over_its_bound_by_what_waits),
        BENCH(a_busy_log_is_noted_and_counted_right),
        BENCH(prune_is_exact),
        BENCH(a_note_that_found_no_room_is_made_up_for),
        BENCH(a_disk_that_is_full_again_is_told_of),
        BENCH(many_small_channels_are_cut_together),
        BENCH(a_prune_that_never_ends_is_answered),
        BENCH(what_was_pruned_before_the_log_was_read_is_a_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
