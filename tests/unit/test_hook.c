/* What the application is asked and told, and what its answers are worth. */
#include "advice.h"
#include "hub_bench.h"
#include "wire/people.h"

#include <stdlib.h>

static const struct fault away = {REFUSE_HOOK_AWAY, "hook: nobody is there"};

/* ---- its answers ---- */

static const char *reads(const char *text, bool is_connection)
{
    static char said[300];
    struct advice a;
    struct fault why = {0};
    bool ok = advice_read(&a, str_of(text), is_connection, &why);
    if (ok)
        snprintf(said, sizeof said, "%s %llu %.*s %zu %.*s", a.allow ? "yes" : "no",
                 (unsigned long long)a.hold, FMT(buf_str(&a.user)), list_count(buf_str(&a.grants)),
                 FMT(buf_str(&a.public)));
    else
        snprintf(said, sizeof said, "%s", why.text + strlen("hook: the answer's "));
    assert_true(ok || why.code == REFUSE_HOOK_AWAY);
    advice_fini(&a);
    return said;
}

static void an_answer_is_read_or_is_none(void **state)
{
    static const struct {
        const char *text;
        bool is_connection;
        const char *read;
    } rows[] = {
        {"{\"allow\":true}", false, "yes 0  0 "},
        {"{\"allow\":false,\"for\":1.5}", false, "no 1500  0 "},
        {"{\"allow\":true,\"for\":1e300}", false, "yes 86400000  0 "},
        {"{\"allow\":true,\"user\":\"ann\"}", false, "yes 0  0 "},
        {"{\"allow\":true,\"user\":\"ann\",\"grants\":{\"publish\":[\"a\"]},\"public\":{\"x\": 1}}",
         true, "yes 0 ann 3 {\"x\":1}"},
        {"{\"allow\":true,\"user\":null}", true, "yes 0  0 "},
        {"", false, "text: is not JSON"},
        {"[]", false, "text: is no JSON object"},
        {"{}", false, "allow: is neither true nor false"},
        {"{\"allow\":1}", false, "allow: is neither true nor false"},
        {"{\"allow\":true,\"allow\":false}", false, "text: is not JSON"},
        {"{\"allow\":true,\"for\":-1}", false, "for: is no number of seconds"},
        {"{\"allow\":true,\"for\":null}", false, "for: is no number of seconds"},
        {"{\"allow\":true,\"user\":7}", true, "user: is no string"},
        {"{\"allow\":true,\"user\":\"a:b\"}", true, "user: has a ':'"},
        {"{\"allow\":true,\"grants\":[]}", true, "grants: is no object"},
        {"{\"allow\":true,\"grants\":{\"subscribe\":\"a\"}}", true,
         "grants: a right is no array of at most 256 names"},
        {"{\"allow\":true,\"grants\":{\"subscribe\":[\"a*b\"]}}", true,
         "grants: has something that is neither a name nor a pattern"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(reads(rows[i].text, rows[i].is_connection), rows[i].read);
}

static void one_that_is_too_long_is_none(void **state)
{
    (void)state;
    char *text = must_alloc(70000);
    snprintf(text, 70000, "{\"allow\":true,\"public\":\"%01030d\"}", 1);
    assert_string_equal(reads(text, true),
                        "public: has more than 1024 bytes, or a name with escapes");
    assert_string_equal(reads(text, false), "yes 0  0 ");
    snprintf(text, 70000, "{\"allow\":true,\"x\":\"%065530d\"}", 1);
    assert_string_equal(reads(text, false), "size: is more than 65536 bytes");
    free(text);
}

/* ---- the questions ---- */

static void begin_untold(struct bench *b, const char *more)
{
    bench_options(b, "--hook=ipc:///app", "--hook_timeout=2s", "--presence_grace=0ms",
                  "--hook_queue=16", more, NULL);
    hello(b, "w1", 0, "");
    heard(b, "w1");
}

static void answers(struct bench *b, uint64_t id, const char *text)
{
    hub_on_hook(b->hub, id, str_of(text), NULL, b->now);
}

/* It has heard of the start. */
static void begin(struct bench *b, const char *more)
{
    begin_untold(b, more);
    elapse(b, 100);
    heard(b, "app");
    answers(b, b->hook, "");
}

static void consult(struct bench *b, const char *peer, const char *user, const char *wishes)
{
    struct buf body;
    buf_init(&body, 4096);
    msg_consult_pack(&body, &(struct msg_consult){.ref = ++b->ref,
                                                  .user = str_of(user),
                                                  .address = STR("192.0.2.1"),
                                                  .wishes = names(b, wishes)});
    say(b, peer, VERB_CONSULT, &body);
}

static void fails(struct bench *b, uint64_t id)
{
    hub_on_hook(b->hub, id, STR_NONE, &away, b->now);
}

static void a_question_is_asked_once_for_all_who_want_to_know(void **state)
{
    struct bench *b = *state;
    begin(b, NULL);
    consult(b, "w1", "ann", "0room:1");
    consult(b, "w1", "ann", "0room:1");
    expect(
        b, "app",
        "{\"ask\":\"channel\",\"user\":\"ann\",\"action\":\"subscribe\",\"channel\":\"room:1\"}");
    expect(b, "w1", "");
    answers(b, b->hook, "{\"allow\":true}");
    expect(b, "w1", "ADVISED 0room:1 | ADVISED 0room:1");
    answers(b, b->hook, "{\"allow\":true}"); /* to a question that nobody has */
    consult(b, "w1", "ann", "0room:1");
    assert_true(*heard(b, "app"));
}

static void an_answer_is_remembered_for_as_long_as_it_says(void **state)
{
    struct bench *b = *state;
    char text[80];
    begin(b, "--hook_cache=2");
    consult(b, "w1", "", "1room:1");
    expect(b, "app",
           "{\"ask\":\"channel\",\"user\":null,\"action\":\"publish\",\"channel\":\"room:1\"}");
    answers(b, b->hook, "{\"allow\":true,\"for\":2}");
    snprintf(text, sizeof text, "ADVISED 1room:1 until=%llu",
             (unsigned long long)b->now.wall + 2000);
    expect(b, "w1", text);
    elapse(b, 1000);
    consult(b, "w1", "", "1room:1");
    expect(b, "w1", text);
    expect(b, "app", "");
    pulse(b, "w1");
    elapse(b, 1000);
    consult(b, "w1", "", "1room:1");
    assert_true(*heard(b, "app"));
    answers(b, b->hook, "{\"allow\":false,\"for\":60}");
    consult(b, "w1", "", "1room:1");
    expect(b, "w1", "ADVISED  | ADVISED ");
    for (int i = 0; i < 2; i++) { /* two others, and there is no room for it any more */
        consult(b, "w1", i ? "bob" : "ann", "1room:1");
        settle(b);
        answers(b, b->hook, "{\"allow\":true,\"for\":60}");
    }
    heard(b, "app");
    consult(b, "w1", "", "1room:1");
    assert_true(*heard(b, "app"));
    assert_int_equal(b->hub->hooks.known.len, 2);
}

static void several_wishes_are_answered_together(void **state)
{
    struct bench *b = *state;
    uint64_t first;
    char text[80];
    begin(b, NULL);
    consult(b, "w1", "ann", "0a");
    settle(b);
    first = b->hook;
    consult(b, "w1", "ann", "0a,3b,9c,0d*");
    settle(b);
    answers(b, b->hook, "{\"allow\":true,\"for\":90}");
    answers(b, b->hook - 1, "{\"allow\":false}");
    expect(b, "w1", "");
    answers(b, first, "{\"allow\":true,\"for\":60}");
    snprintf(text, sizeof text, "ADVISED 0a until=%llu | ADVISED 0d*,0a until=%llu",
             (unsigned long long)b->now.wall + 60000, (unsigned long long)b->now.wall + 60000);
    expect(b, "w1", text);
}

static void it_is_asked_again_and_given_up_in_time(void **state)
{
    struct bench *b = *state;
    begin(b, NULL);
    consult(b, "w1", "ann", "0a");
    assert_true(*heard(b, "app"));
    fails(b, b->hook);
    elapse(b, 400);
    expect(b, "app", "");
    elapse(b, 100);
    assert_true(*heard(b, "app"));
    answers(b, b->hook, "{\"allow\":7}");
    elapse(b, 500);
    assert_true(*heard(b, "app"));
    expect(b, "w1", "");
    pulse(b, "w1");
    elapse(b, 1000);
    expect(b, "w1", "ADVISED hook_away ");
    assert_int_equal(b->hub->hooks.questions.len, 0);
    assert_int_equal(b->hub->counters[COUNT_HOOK_FAILED], 1);
}

static void who_a_connection_is_from(void **state)
{
    struct bench *b = *state;
    struct buf body;
    begin(b, NULL);
    buf_init(&body, 4096);
    msg_consult_pack(&body, &(struct msg_consult){.ref = ++b->ref,
                                                  .address = STR("192.0.2.1"),
                                                  .headers = names(b, "cookie,a=\"1\"")});
    say(b, "w1", VERB_CONSULT, &body);
    expect(
        b, "app",
        "{\"ask\":\"connection\",\"user\":null,\"address\":\"192.0.2.1\",\"headers\":{\"cookie\":"
        "\"a=\\\"1\\\"\"}}");
    answers(b, b->hook, "{\"allow\":true,\"user\":\"ann\"}");
    expect(b, "w1", "ADVISED  user=ann");
    consult(b, "w1", "bob", "");
    settle(b);
    answers(b, b->hook, "{\"allow\":false,\"user\":\"ann\"}");
    expect(b, "w1", "ADVISED forbidden ");
}

static void without_an_application_nothing_is_allowed(void **state)
{
    struct bench *b = *state;
    hello(b, "w1", 0, "");
    heard(b, "w1");
    consult(b, "w1", "ann", "0a");
    expect(b, "w1", "ADVISED hook_away ");
}

static void a_link_that_is_gone_is_answered_nothing(void **state)
{
    struct bench *b = *state;
    begin(b, NULL);
    consult(b, "w1", "ann", "0a");
    settle(b);
    goodbye(b, "w1");
    settle(b);
    answers(b, b->hook, "{\"allow\":true}");
    consult(b, "w2", "ann", "0a"); /* not welcome */
    expect(b, "app",
           "{\"ask\":\"channel\",\"user\":\"ann\",\"action\":\"subscribe\",\"channel\":\"a\"}");
}

/* ---- the notices ---- */

static void open_as(struct bench *b, const char *client, const char *user, const char *channels)
{
    open_with(b, "w1", (struct msg_open){.client = str_of(client), .user = str_of(user)}, channels);
}

/* What it was told, an event and a name each; all of it is heard. */
static const char *told(struct bench *b)
{
    static char text[4000];
    struct buf out;
    Str rest;
    buf_init(&out, sizeof text - 1);
    for (;;) {
        elapse(b, 100);
        rest = str_of(heard(b, "app"));
        if (!rest.len)
            break;
        Json *whole = json_parse(rest, NULL);
        const Json *all = json_get(whole, "tell");
        for (size_t i = 0; i < json_len(all); i++) {
            const Json *one = json_at(all, i), *user = json_get(one, "user");
            const Json *name = user ? user : json_get(one, "channel");
            buf_printf(&out, "%s%.*s %.*s", out.len ? ", " : "",
                       FMT(json_str(json_get(one, "event"))), name ? (int)json_str(name).len : 0,
                       name ? json_str(name).p : "");
            if (json_get(one, "count"))
                buf_printf(&out, "%.0f", json_num(json_get(one, "count")));
        }
        json_free(whole);
        answers(b, b->hook, "");
    }
    snprintf(text, sizeof text, "%.*s", FMT(buf_str(&out)));
    buf_fini(&out);
    return text;
}

static void users_and_channels_come_and_go(void **state)
{
    struct bench *b = *state;
    begin_untold(b, NULL);
    open_as(b, "client-of-ann-00", "ann", "a,user:ann,all");
    open_as(b, "client-of-bob-00", "bob", "a,user:bob,user:ann,all");
    open_as(b, "client-of-nobody", "", "b,all");
    assert_string_equal(told(b), "start , occupied a, connect ann, connect bob, occupied b");
    assert_string_equal(told(b), "");
    goodbye(b, "w1");
    settle(b);
    elapse(b, 1100);
    const char *gone = told(b);
    assert_true(strstr(gone, "leave ann") && strstr(gone, "leave bob") &&
                strstr(gone, "vacant a") && strstr(gone, "vacant b"));
}

static void notices_wait_in_order_until_they_are_heard(void **state)
{
    struct bench *b = *state;
    begin_untold(b, "--hook_events=connect");
    elapse(b, 100);
    assert_true(*heard(b, "app"));
    open_as(b, "client-of-ann-00", "ann", "a,user:ann");
    elapse(b, 100);
    expect(b, "app", ""); /* one after the other */
    fails(b, b->hook);
    elapse(b, 900);
    expect(b, "app", "");
    pulse(b, "w1");
    elapse(b, 100);
    assert_true(*heard(b, "app"));
    fails(b, b->hook);
    elapse(b, 1000);
    pulse(b, "w1");
    expect(b, "app", ""); /* the pause is longer now */
    elapse(b, 900);
    expect(b, "app", "");
    assert_string_equal(told(b), "start , connect ann");
}

static void what_there_is_no_room_for_is_told_of_as_lost(void **state)
{
    struct bench *b = *state;
    char client[40], channel[16];
    begin_untold(b, NULL);
    for (int i = 0; i < 20; i++) {
        snprintf(client, sizeof client, "client-number-%02d", i);
        snprintf(channel, sizeof channel, "c%d", i);
        open_as(b, client, "", channel);
    }
    heard(b, "w1");
    const char *all = told(b);
    assert_true(strstr(all, "occupied c14, lost 5"));
    assert_false(strstr(all, "c15"));
    assert_int_equal(b->hub->counters[COUNT_HOOK_LOST], 5);
    open_as(b, "client-number-20", "", "c20");
    assert_string_equal(told(b), "occupied c20");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_read_or_is_none),
        cmocka_unit_test(one_that_is_too_long_is_none),
        BENCH(a_question_is_asked_once_for_all_who_want_to_know),
        BENCH(an_answer_is_remembered_for_as_long_as_it_says),
        BENCH(several_wishes_are_answered_together),
        BENCH(it_is_asked_again_and_given_up_in_time),
        BENCH(who_a_connection_is_from),
        BENCH(without_an_application_nothing_is_allowed),
        BENCH(a_link_that_is_gone_is_answered_nothing),
        BENCH(users_and_channels_come_and_go),
        BENCH(notices_wait_in_order_until_they_are_heard),
        BENCH(what_there_is_no_room_for_is_told_of_as_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
