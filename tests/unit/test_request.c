#include "record.h"
#include "request.h"

#include <signal.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct request_parser *parser;

static int open_parser(void **state)
{
    (void)state;
    parser = request_parser_new(NULL);
    return 0;
}

static int close_parser(void **state)
{
    (void)state;
    request_parser_free(parser);
    return 0;
}

static struct request *parse(Str params, Str text)
{
    struct buf body;
    buf_init(&body, 1000);
    buf_put(&body, text);
    struct request *r = request_parse(parser, params, &body);
    buf_fini(&body);
    return r;
}

static void variables_and_body_are_copied_out(void **state)
{
    (void)state;
    struct buf params;
    buf_init(&params, 1000);
    pair_put(&params, STR("REQUEST_METHOD"), STR("POST"));
    pair_put(&params, STR("EMPTY"), STR_NONE);
    struct request *r = parse(buf_str(&params), STR("body"));
    assert_non_null(r);
    assert_true(str_eq(request_var(r, "REQUEST_METHOD"), STR("POST")));
    assert_int_equal(request_var(r, "EMPTY").len, 0);
    assert_int_equal(request_var(r, "REQUEST").len, 0);
    assert_true(str_eq(request_body(r), STR("body")));
    request_free(r);
    buf_fini(&params);
}

/* nginx sends both where a configuration has both; the first may be the client's own word. */
static void the_last_of_two_counts(void **state)
{
    (void)state;
    struct buf params;
    buf_init(&params, 1000);
    pair_put(&params, STR("REMOTE_USER"), STR("bob"));
    pair_put(&params, STR("REMOTE_USER"), STR_NONE);
    struct request *r = parse(buf_str(&params), STR_NONE);
    assert_int_equal(request_var(r, "REMOTE_USER").len, 0);
    request_free(r);
    buf_fini(&params);
}

static void one_after_the_other_and_large_ones(void **state)
{
    (void)state;
    static char text[60000];
    struct buf params;
    memset(text, 'x', sizeof text);
    buf_init(&params, 65536);
    for (size_t len = 0; len <= sizeof text; len += 7500) {
        buf_clear(&params);
        pair_put(&params, STR("LONG"), str_make(text, len));
        pair_put(&params, STR("AFTER"), STR("it"));
        struct request *r = parse(buf_str(&params), STR_NONE);
        assert_non_null(r);
        assert_int_equal(request_var(r, "LONG").len, len);
        assert_true(str_eq(request_var(r, "AFTER"), STR("it")));
        request_free(r);
    }
    buf_fini(&params);
}

static void no_variables_are_a_request_too(void **state)
{
    (void)state;
    struct request *r = parse(STR_NONE, STR_NONE);
    assert_non_null(r);
    assert_int_equal(request_var(r, "REQUEST_METHOD").len, 0);
    request_free(r);
}

static void an_environment_is_a_request(void **state)
{
    (void)state;
    struct buf body;
    buf_init(&body, 10);
    buf_put(&body, STR("hi"));
    struct request *r = request_of_environment(STR("A=1\0B=2\0A=3\0broken\0"), &body);
    assert_true(str_eq(request_var(r, "A"), STR("3")));
    assert_true(str_eq(request_var(r, "B"), STR("2")));
    assert_int_equal(request_var(r, "broken").len, 0);
    assert_true(str_eq(request_body(r), STR("hi")));
    request_free(r);
}

static void signals_do_what_they_did(void **state)
{
    static const int those[] = {SIGPIPE, SIGTERM, SIGUSR1};
    sigset_t blocked;
    (void)state;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    for (size_t i = 0; i < COUNT_OF(those); i++) {
        struct sigaction is;
        sigaction(those[i], NULL, &is);
        assert_ptr_equal(is.sa_handler, SIG_DFL);
        assert_false(sigismember(&blocked, those[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_and_body_are_copied_out),
        cmocka_unit_test(the_last_of_two_counts),
        cmocka_unit_test(one_after_the_other_and_large_ones),
        cmocka_unit_test(no_variables_are_a_request_too),
        cmocka_unit_test(an_environment_is_a_request),
        cmocka_unit_test(signals_do_what_they_did),
    };
    return cmocka_run_group_tests(tests, open_parser, close_parser);
}
