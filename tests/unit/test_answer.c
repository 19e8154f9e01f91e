#include "answer.h"
#include "wire/refusal.h"

#include <stdio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool has(const struct buf *b, const char *text)
{
    return b->len && memmem(b->p, b->len, text, strlen(text));
}

static void put(struct buf *b, const struct answer *a)
{
    buf_init(b, ANSWER_HEAD_MAX);
    assert_true(answer_put(b, a));
}

static void a_short_answer_has_its_length(void **state)
{
    (void)state;
    struct buf b;
    put(&b, &(struct answer){
                .status = 200, .title = "OK", .type = "application/json", .body = STR("{}")});
    assert_true(
        str_starts(buf_str(&b), STR("Status: 200 OK\r\nContent-Type: application/json\r\n")));
    assert_true(has(&b, "\r\nContent-Length: 2\r\n"));
    assert_true(has(&b, "\r\nCache-Control: no-store\r\n"));
    assert_true(str_ends(buf_str(&b), STR("\r\n\r\n{}")));
    assert_false(has(&b, "Connection"));
    buf_fini(&b);
}

static void a_head_alone_has_the_same_head(void **state)
{
    (void)state;
    struct buf b;
    put(&b, &(struct answer){.status = 200,
                             .title = "OK",
                             .type = "application/json",
                             .has_no_content = true,
                             .body = STR("{}")});
    assert_true(has(&b, "Content-Length: 2\r\n"));
    assert_true(str_ends(buf_str(&b), STR("\r\n\r\n")));
    buf_fini(&b);
}

static void a_refusal_is_a_problem(void **state)
{
    (void)state;
    struct fault why = {REFUSE_TOO_LARGE, "data: 9 bytes, \"max_event\" is 8"};
    struct buf b, body;
    buf_init(&body, 1000);
    struct answer a = answer_problem(&why, &body);
    put(&b, &a);
    assert_true(has(&b, "Status: 413 Too large\r\nContent-Type: application/problem+json\r\n"));
    assert_true(has(&b,
                    "{\"type\":\"about:blank#too_large\",\"title\":\"Too large\",\"status\":413,"
                    "\"detail\":\"data: 9 bytes, \\\"max_event\\\" is 8\"}"));
    assert_false(has(&b, "Retry-After"));
    buf_fini(&b);
    buf_fini(&body);
}

static void each_refusal_says_what_helps(void **state)
{
    (void)state;
    for (int code = REFUSE_NOT + 1; code < REFUSAL_COUNT; code++) {
        struct fault why = {code, "x"};
        struct buf b, body;
        buf_init(&body, 1000);
        struct answer a = answer_problem(&why, &body);
        put(&b, &a);
        assert_true(has(&b, "Retry-After: ") == is_passing(&why));
        assert_true(has(&b, "WWW-Authenticate: Bearer") == (refusal_status(code) == 401));
        assert_true(has(&b, "\"outcome\":\"unknown\"") == (code == REFUSE_UNKNOWN_OUTCOME));
        buf_fini(&b);
        buf_fini(&body);
    }
}

static void an_event_source_is_sent_away_by_a_stream(void **state)
{
    (void)state;
    struct fault why = {REFUSE_LIMIT, "streams: too many"};
    struct buf b, body;
    buf_init(&body, 1000);
    assert_true(is_passing(&why));
    struct answer a = answer_bye(&why, &body);
    put(&b, &a);
    assert_true(has(&b, "Status: 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"));
    assert_true(has(&b, "event: bye\ndata: {\"reason\":\"limit\"}\n\n"));
    unsigned retry = 0;
    assert_int_equal(sscanf(body.p, "retry: %u", &retry), 1);
    assert_in_range(retry, 10000, 60000);
    buf_fini(&b);
    buf_fini(&body);
}

static void only_known_origins_may_read(void **state)
{
    (void)state;
    Str origins = STR("https://a.example, https://b.example:8443");
    struct buf b;
    struct answer a = {.status = 200, .title = "OK"};
    a.cors = cors_judge(origins, STR("https://b.example:8443"));
    put(&b, &a);
    assert_true(has(&b, "Access-Control-Allow-Origin: https://b.example:8443\r\n"));
    assert_true(has(&b, "Access-Control-Allow-Credentials: true\r\n"));
    assert_true(has(&b, "Vary: Origin\r\n"));
    buf_fini(&b);
    static const char *const others[] = {"https://b.example",
                                         "http://a.example",
                                         "null",
                                         "",
                                         "https://a.example.evil.example",
                                         "https://a.example\r\nX: y"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        a.cors = cors_judge(origins, str_of(others[i]));
        put(&b, &a);
        assert_false(has(&b, "Access-Control"));
        buf_fini(&b);
    }
}

static void everybody_may_read_without_credentials(void **state)
{
    (void)state;
    struct buf b;
    struct answer a = {.status = 204, .title = "No Content"};
    a.cors = cors_judge(STR("*"), STR("https://c.example"));
    a.cors.is_preflight = true;
    put(&b, &a);
    assert_true(has(&b, "Access-Control-Allow-Origin: *\r\n"));
    assert_false(has(&b, "Credentials"));
    assert_true(has(&b, "Access-Control-Allow-Headers: Authorization, "));
    buf_fini(&b);
}

static void an_origin_is_as_browsers_send_it(void **state)
{
    (void)state;
    struct fault why;
    static const char *const wrong[] = {"a.example", "https://a.example/",
                                        "https://",  "://a",
                                        "**",        "https://a.example, b.example"};
    assert_true(cors_check(STR(""), &why));
    assert_true(cors_check(STR("*, null,https://a.example , http://b.example:8080"), &why));
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        if (cors_check(str_of(wrong[i]), &why))
            fail_msg("%s", wrong[i]);
        assert_int_equal(why.code, REFUSE_CONFIG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_answer_has_its_length),
        cmocka_unit_test(a_head_alone_has_the_same_head),
        cmocka_unit_test(a_refusal_is_a_problem),
        cmocka_unit_test(each_refusal_says_what_helps),
        cmocka_unit_test(an_event_source_is_sent_away_by_a_stream),
        cmocka_unit_test(only_known_origins_may_read),
        cmocka_unit_test(everybody_may_read_without_credentials),
        cmocka_unit_test(an_origin_is_as_browsers_send_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
