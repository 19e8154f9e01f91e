/* What tools say on publish.ipc, intake.ipc and admin.ipc. */
#include "hub_bench.h"

static void frames_are_a_publish(void **state)
{
    struct bench *b = *state;
    tool(b, "t", "a", "e", "x", NULL);
    tool(b, "t", "", "a", "e", "{\"ttl\":1}", NULL); /* a REQ whose data looks like options */
    tool(b, "t", "a", "", "{\"k\": 1}", "{\"json\":true,\"ref\":\"r1\"}", NULL);
    tool(b, "t", "", "a", "", "x", "{\"ref\":\"r2\",\"ttl\":60}", NULL);
    tool(b, "t", "user:ann", "", "x", NULL);
    tool(b, "t", "a", "typing", "x", "{\"ephemeral\":true}", NULL);
    expect(b, "t", "ok #1 |  ok #2 | ok #3 r1 |  ok #4 r2 | ok #5 | ok ");
    expect(b, "tap", "1:a=x | 2:a={\"ttl\":1} | 3:a={\"k\":1} | 4:a=x | 5:user:ann=x");
}

static void what_is_wrong_is_named(void **state)
{
    struct bench *b = *state;
    static const char *const options[][2] = {
        {"nonsense", "error malformed options: JSON, line 1"},
        {"[]", "error wrong_field options: not an object"},
        {"{\"tll\":1}", "error wrong_field options: tll is not known"},
        {"{\"ttl\":0}", "error wrong_field ttl: "},
        {"{\"ttl\":\"1\"}", "error wrong_field ttl: "},
        {"{\"json\":1}", "error wrong_field json: not true or false"},
        {"{\"json\":true}", "error malformed data: JSON, line 1"},
        {"{\"exclude\":\"me\"}", "error wrong_field exclude"},
        {"{\"idempotencyKey\":\"a b\"}", "error wrong_field idempotencyKey"},
        {"{\"idempotencyKey\":\"\"}",
         "error wrong_field idempotencyKey: has 0 characters, 1 to 128 are allowed"},
        {"{\"ref\":1}", "error wrong_field ref: not a string"},
    };
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        tool(b, "t", "a", "", "no json", options[i][0], NULL);
        Str said = str_of(heard(b, "t"));
        if (!str_starts(said, str_of(options[i][1])))
            fail_msg("%s: %s", options[i][0], said.p);
    }
    tool(b, "t", "a", NULL);
    tool(b, "t", "", NULL);
    tool(b, "t", "a", "b", "c", "d", "e", NULL);
    tool(b, "t", "", "", "x", NULL);
    tool(b, "t", NULL);
    expect(b, "t",
           "error malformed 1 frames, not 3 or 4 | error malformed 1 frames, not 3 or 4 | "
           "error malformed 5 frames, not 3 or 4 |  error malformed 2 frames, not 3 or 4 | "
           "error malformed 0 frames, not 3 or 4");
}

static void the_intake_answers_nothing(void **state)
{
    struct bench *b = *state;
    static const char *const lines[] = {"a hello world", "a", "b* x", ""};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        Str line = str_of(lines[i]);
        hub_on_intake(b->hub, &line, 1, b->now);
    }
    Str frames[] = {STR("a"), STR("e"), STR("x"), STR("{\"json\":true}")};
    hub_on_intake(b->hub, frames, 3, b->now);
    hub_on_intake(b->hub, frames, 4, b->now);
    expect(b, "tap", "1:a=hello world | 2:a= | 3:a=x");
    expect(b, "", "");
    assert_int_equal(b->hub->counters[COUNT_INTAKE_REFUSED], 3);
}

static void channels_are_listed_in_pages(void **state)
{
    struct bench *b = *state;
    static const char *const channels[] = {"b:2", "a", "b:1", "c", "b:3"};
    for (size_t i = 0; i < COUNT_OF(channels); i++)
        tool(b, "t", channels[i], "", "x", NULL);
    settle(b);
    admin(b, "{\"do\":\"channels\",\"prefix\":\"b\",\"limit\":2}");
    const char *said = heard(b, "admin");
    assert_non_null(strstr(said, "[{\"channel\":\"b:1\",\"events\":1,"));
    assert_non_null(strstr(said, "{\"channel\":\"b:2\""));
    assert_null(strstr(said, "b:3"));
    assert_non_null(strstr(said, "\"next\":\"b:2\""));
    admin(b, "{\"do\":\"channels\",\"prefix\":\"b\",\"after\":\"b:2\",\"limit\":2}");
    said = heard(b, "admin");
    assert_non_null(strstr(said, "[{\"channel\":\"b:3\""));
    assert_non_null(strstr(said, "\"next\":null"));
}

static void questions_that_are_none_are_refused(void **state)
{
    struct bench *b = *state;
    static const char *const questions[] = {
        "",
        "[]",
        "{}",
        "{\"do\":1}",
        "{\"do\":\"fly\"}",
        "{\"do\":\"channels\",\"limit\":0}",
        "{\"do\":\"channels\",\"prefix\":7}",
        "{\"do\":\"log\",\"channels\":\"a\"}",
        "{\"do\":\"log\",\"channels\":[\"a*b\"]}",
        "{\"do\":\"log\",\"after\":\"x\"}",
        "{\"do\":\"log\",\"order\":\"up\"}",
        "{\"do\":\"backup\"}",
        "{\"do\":\"backup\",\"path\":\"here\"}",
        "{\"do\":\"streams\",\"limit\":-1}",
    };
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        admin(b, questions[i]);
        Str said = str_of(heard(b, "admin"));
        if (!str_starts(said, STR("{\"ok\":false,\"code\":\"")))
            fail_msg("%s: %s", questions[i], said.p);
    }
}

static void the_log_is_paged_both_ways(void **state)
{
    struct bench *b = *state;
    for (int i = 0; i < 3; i++)
        tool(b, "t", "$x" + !i, "", "d", NULL); /* x, and two that are refused */
    tool(b, "t", "user:ann", "", "{\"a\":1}", "{\"json\":true}", NULL);
    settle(b);
    admin(b, "{\"do\":\"log\",\"channels\":[],\"limit\":1}");
    const char *said = heard(b, "admin");
    assert_non_null(strstr(said, "\"channel\":\"x\",\"event\":\"\",\"data\":\"d\",\"user\":null"));
    assert_non_null(strstr(said, "\"more\":true,\"gap\":null"));
    admin(b, "{\"do\":\"log\",\"channels\":[\"user:ann\"],\"order\":\"desc\"}");
    said = heard(b, "admin");
    assert_non_null(strstr(said, "\"data\":{\"a\":1},"));
    assert_non_null(strstr(said, "\"more\":false"));
}

static void every_worker_is_asked_for_its_streams(void **state)
{
    struct bench *b = *state;
    struct buf body;
    admin(b, "{\"do\":\"streams\"}");
    expect(b, "admin", "{\"ok\":true,\"streams\":[]}");
    hello(b, "w1", 0, "");
    hello(b, "w2", 0, "");
    admin(b, "{\"do\":\"streams\"}");
    expect(b, "w1", "WELCOME from=0 | ASK");
    for (int more = 1; more >= 0; more--) {
        buf_init(&body, 1000);
        msg_told_pack(&body, &(struct msg_told){b->hub->next_ref, (uint8_t)more,
                                                more ? STR("[{\"kind\":\"sse\"},{}]") : STR("[]")});
        say(b, "w1", VERB_TOLD, &body);
    }
    expect(b, "admin", "");
    goodbye(b, "w2");
    expect(b, "admin",
           "{\"ok\":true,\"streams\":[{\"worker\":\"w1\",\"kind\":\"sse\"},{\"worker\":\"w1\"}]}");
    admin(b, "{\"do\":\"streams\"}");
    elapse(b, 1000);
    expect(b, "admin", "{\"ok\":true,\"streams\":[]}");
}

static void a_backup_opens_and_checks_out(void **state)
{
    struct bench *b = *state;
    char question[200];
    tool(b, "t", "a", "", "x", NULL);
    settle(b);
    snprintf(question, sizeof question, "{\"do\":\"backup\",\"path\":\"%s/copy.db\"}", b->folder);
    admin(b, question);
    assert_true(str_starts(str_of(heard(b, "admin")), STR("{\"ok\":true,\"pages\":")));
    admin(b, question);
    assert_true(str_starts(str_of(heard(b, "admin")), STR("{\"ok\":false,")));
    admin(b, "{\"do\":\"check\"}");
    expect(b, "admin", "{\"ok\":true,\"report\":[\"ok\"]}");
}

static void a_stop_waits_for_no_check_and_no_backup(void **state)
{
    struct bench *b = *state;
    char question[200];
    tool(b, "t", "a", "", "x", NULL);
    settle(b);
    const char *said = heard(b, "t");
    assert_true(str_starts(str_of(said), STR("ok")));
    snprintf(question, sizeof question, "{\"do\":\"backup\",\"path\":\"%s/copy.db\"}", b->folder);
    admin(b, "{\"do\":\"check\"}");
    admin(b, question);
    hub_turn(b->hub, b->now); /* both are under way, and neither is back */
    hub_stop(b->hub, b->now);
    assert_int_equal(b->hub->ops, 0);
    said = heard(b, "admin");
    assert_non_null(strstr(said, "\"code\":\"stopping\""));
    assert_null(strstr(said, "\"ok\":true"));
    assert_true(hub_is_stopped(b->hub));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(frames_are_a_publish),
        BENCH(what_is_wrong_is_named),
        BENCH(the_intake_answers_nothing),
        BENCH(channels_are_listed_in_pages),
        BENCH(questions_that_are_none_are_refused),
        BENCH(the_log_is_paged_both_ways),
        BENCH(every_worker_is_asked_for_its_streams),
        BENCH(a_backup_opens_and_checks_out),
        BENCH(a_stop_waits_for_no_check_and_no_backup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
