#include "scan.h"
#include "wire/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct scan_limits limits = {.max_body = 100, .max_connections = 50};

/* A peer, and the scanner it talks to. */
struct talk {
    struct scan scan;
    struct buf bytes, reply;
    struct fault why;
};

static void begin(struct talk *t)
{
    *t = (struct talk){0};
    scan_init(&t->scan);
    buf_init(&t->bytes, 1000000);
    buf_init(&t->reply, 1000);
}

static void end(struct talk *t)
{
    scan_fini(&t->scan);
    buf_fini(&t->bytes);
    buf_fini(&t->reply);
}

static void put_begin(struct talk *t, uint16_t id, char role, char flags)
{
    record_put(&t->bytes, RECORD_BEGIN, id, str_make((char[8]){0, role, flags}, 8));
}

static void put_params(struct talk *t, uint16_t id, const char *method, const char *length)
{
    struct buf pairs;
    buf_init(&pairs, 1000);
    pair_put(&pairs, STR("REQUEST_METHOD"), str_of(method));
    if (length)
        pair_put(&pairs, STR("CONTENT_LENGTH"), str_of(length));
    record_put(&t->bytes, RECORD_PARAMS, id, buf_str(&pairs));
    record_put(&t->bytes, RECORD_PARAMS, id, STR_NONE);
    buf_fini(&pairs);
}

static void put_request(struct talk *t, const char *method, const char *length, const char *body)
{
    put_begin(t, 1, ROLE_RESPONDER, KEEP_CONN);
    put_params(t, 1, method, length);
    if (body[0])
        record_put(&t->bytes, RECORD_STDIN, 1, str_of(body));
    record_put(&t->bytes, RECORD_STDIN, 1, STR_NONE);
}

/* Says what was put, `piece` bytes at a time, up to the first event. */
static enum scan_event say(struct talk *t, size_t piece)
{
    enum scan_event event = SCAN_MORE;
    while (t->bytes.len && event == SCAN_MORE) {
        size_t n = t->bytes.len < piece ? t->bytes.len : piece;
        Str bytes = str_make(t->bytes.p, n);
        event = scan_feed(&t->scan, &limits, &bytes, &t->reply, &t->why);
        buf_drop(&t->bytes, n - bytes.len);
    }
    return event;
}

static enum scan_event say_all(struct talk *t)
{
    return say(t, SIZE_MAX);
}

static void a_get_is_whole_with_its_params(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    put_begin(&t, 1, ROLE_RESPONDER, 0);
    put_params(&t, 1, "GET", "");
    assert_int_equal(say_all(&t), SCAN_REQUEST);
    assert_int_equal(t.scan.id, 1);
    assert_false(t.scan.keep);
    assert_true(scan_params(&t.scan).len > 0);
    end(&t);
}

static void a_post_is_whole_with_its_body(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 40; piece++) {
        struct talk t;
        begin(&t);
        put_request(&t, "POST", "5", "hello");
        assert_int_equal(say(&t, piece), SCAN_REQUEST);
        assert_true(str_eq(buf_str(scan_body(&t.scan)), STR("hello")));
        assert_true(t.scan.keep);
        assert_int_equal(t.bytes.len, 0);
        end(&t);
    }
}

static void nothing_is_kept_under_a_stream(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    put_begin(&t, 1, ROLE_RESPONDER, 0);
    put_params(&t, 1, "GET", "");
    record_put(&t.bytes, RECORD_STDIN, 1, STR_NONE);
    assert_int_equal(say_all(&t), SCAN_REQUEST);
    assert_non_null(t.scan.intake);
    scan_drop(&t.scan);
    assert_null(t.scan.intake);
    assert_int_equal(say(&t, 1), SCAN_MORE);
    assert_null(t.scan.intake);
    assert_true(t.scan.is_ended);
    record_put(&t.bytes, RECORD_ABORT, 1, STR_NONE);
    assert_int_equal(say(&t, 3), SCAN_ABORTED);
    end(&t);
}

static void a_body_of_unknown_size_goes_to_its_end(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    put_request(&t, "POST", "-1", "hello");
    assert_int_equal(say_all(&t), SCAN_REQUEST);
    assert_int_equal(scan_body(&t.scan)->len, 5);
    end(&t);
}

static void a_body_of_another_size_is_refused(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    put_request(&t, "POST", "6", "hello");
    assert_int_equal(say_all(&t), SCAN_REFUSED);
    assert_int_equal(t.why.code, REFUSE_MALFORMED);
    end(&t);
}

static void a_body_over_the_limit_is_refused_before_it_comes(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    put_begin(&t, 1, ROLE_RESPONDER, 0);
    put_params(&t, 1, "POST", "101");
    assert_int_equal(say_all(&t), SCAN_REFUSED);
    assert_int_equal(t.why.code, REFUSE_TOO_LARGE);
    assert_non_null(strstr(t.why.text, "max_body"));
    record_put(&t.bytes, RECORD_STDIN, 1, STR("what still comes is let go"));
    assert_int_equal(say_all(&t), SCAN_MORE);
    assert_int_equal(scan_body(&t.scan)->len, 0);
    end(&t);
}

static void what_comes_of_a_refused_request_is_not_of_the_next(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 60; piece++) {
        struct talk t;
        begin(&t);
        put_begin(&t, 1, ROLE_RESPONDER, KEEP_CONN);
        put_params(&t, 1, "POST", "101");
        assert_int_equal(say(&t, piece), SCAN_REFUSED);
        record_put(&t.bytes, RECORD_STDIN, 1, STR("half of what comes before, "));
        record_put(&t.bytes, RECORD_STDIN, 1, STR("and half of it after the answer"));
        Str before = str_make(t.bytes.p, piece);
        assert_int_equal(scan_feed(&t.scan, &limits, &before, &t.reply, &t.why), SCAN_MORE);
        buf_drop(&t.bytes, piece);
        scan_next(&t.scan);
        record_put(&t.bytes, RECORD_STDIN, 1, STR_NONE);
        put_request(&t, "POST", "5", "hello");
        assert_int_equal(say(&t, piece), SCAN_REQUEST);
        assert_true(str_eq(buf_str(scan_body(&t.scan)), STR("hello")));
        end(&t);
    }
}

static void a_body_that_grows_over_the_limit_is_refused(void **state)
{
    (void)state;
    char text[60];
    struct talk t;
    memset(text, 'x', sizeof text);
    begin(&t);
    put_begin(&t, 1, ROLE_RESPONDER, 0);
    put_params(&t, 1, "POST", "-1");
    record_put(&t.bytes, RECORD_STDIN, 1, str_make(text, sizeof text));
    record_put(&t.bytes, RECORD_STDIN, 1, str_make(text, sizeof text));
    assert_int_equal(say_all(&t), SCAN_REFUSED);
    assert_int_equal(t.why.code, REFUSE_TOO_LARGE);
    end(&t);
}

static void a_head_over_the_limit_is_refused(void **state)
{
    (void)state;
    char text[40000];
    struct talk t;
    memset(text, 'x', sizeof text);
    begin(&t);
    put_begin(&t, 1, ROLE_RESPONDER, 0);
    record_put(&t.bytes, RECORD_PARAMS, 1, str_make(text, sizeof text));
    record_put(&t.bytes, RECORD_PARAMS, 1, str_make(text, sizeof text));
    assert_int_equal(say_all(&t), SCAN_REFUSED);
    assert_int_equal(t.why.code, REFUSE_TOO_LARGE);
    record_put(&t.bytes, RECORD_PARAMS, 1, STR_NONE);
    assert_int_equal(say_all(&t), SCAN_MORE);
    end(&t);
}

static void padding_is_skipped(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    put_begin(&t, 1, ROLE_RESPONDER, 0);
    buf_put(&t.bytes, STR("\x01\x04\x00\x01\x00\x00\x03\x00"
                          "???"));
    assert_int_equal(say(&t, 2), SCAN_REQUEST);
    assert_int_equal(t.bytes.len, 0);
    end(&t);
}

static void management_is_answered(void **state)
{
    (void)state;
    struct talk t;
    struct record r = {0};
    begin(&t);
    record_put(&t.bytes, RECORD_GET_VALUES, 0,
               STR("\x0e\x00"
                   "FCGI_MAX_CONNS"));
    assert_int_equal(say(&t, 3), SCAN_MORE);
    assert_true(t.reply.len > RECORD_HEADER && record_unpack(t.reply.p, &r));
    assert_int_equal(r.type, RECORD_GET_VALUES_RESULT);
    assert_int_equal(t.reply.len, RECORD_HEADER + (size_t)r.length);
    Str name, value, rest = str_skip(buf_str(&t.reply), RECORD_HEADER);
    assert_true(pair_next(&rest, &name, &value));
    assert_true(str_eq(name, STR("FCGI_MAX_CONNS")) && str_eq(value, STR("50")));
    buf_clear(&t.reply);
    record_put(&t.bytes, (enum record_type)77, 0, STR("body"));
    assert_int_equal(say_all(&t), SCAN_MORE);
    assert_true(record_unpack(t.reply.p, &r));
    assert_int_equal(r.type, RECORD_UNKNOWN_TYPE);
    assert_int_equal(t.reply.p[RECORD_HEADER], 77);
    end(&t);
}

/* A flood of questions fills the reply, which its owner sees, and no more. */
static void replies_are_bounded(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    for (int i = 0; i < 1000; i++)
        record_put(&t.bytes, RECORD_GET_VALUES, 0, STR_NONE);
    assert_int_equal(say_all(&t), SCAN_MORE);
    assert_true(t.reply.full);
    assert_true(t.reply.len <= 1000);
    end(&t);
}

static void a_second_request_is_turned_away(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    put_begin(&t, 1, ROLE_RESPONDER, 0);
    put_begin(&t, 2, ROLE_RESPONDER, 0);
    put_params(&t, 2, "GET", "");
    put_params(&t, 1, "GET", "");
    assert_int_equal(say_all(&t), SCAN_REQUEST);
    assert_int_equal(t.scan.id, 1);
    assert_int_equal(t.reply.len, 16);
    assert_int_equal(t.reply.p[1], RECORD_END);
    assert_int_equal(t.reply.p[3], 2);
    assert_int_equal(t.reply.p[12], END_CANNOT_MULTIPLEX);
    end(&t);
}

static void an_unknown_role_is_turned_away(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    put_begin(&t, 1, 2, 0);
    put_params(&t, 1, "GET", "");
    assert_int_equal(say_all(&t), SCAN_MORE);
    assert_int_equal(t.reply.p[12], END_UNKNOWN_ROLE);
    put_request(&t, "GET", "", "");
    assert_int_equal(say_all(&t), SCAN_REQUEST);
    end(&t);
}

static void an_abort_is_told(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    put_request(&t, "GET", "", "");
    assert_int_equal(say_all(&t), SCAN_REQUEST);
    record_put(&t.bytes, RECORD_ABORT, 2, STR_NONE);
    assert_int_equal(say_all(&t), SCAN_MORE);
    record_put(&t.bytes, RECORD_ABORT, 1, STR_NONE);
    assert_int_equal(say_all(&t), SCAN_ABORTED);
    end(&t);
}

static void a_kept_connection_serves_again(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    for (int i = 0; i < 3; i++) {
        put_request(&t, "POST", "2", "ok");
        assert_int_equal(say_all(&t), SCAN_REQUEST);
        assert_true(str_eq(buf_str(scan_body(&t.scan)), STR("ok")));
        scan_next(&t.scan);
    }
    end(&t);
}

/* The empty STDIN of a GET comes after it is answered. */
static void late_input_does_not_matter(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    put_request(&t, "GET", "", "");
    assert_int_equal(say_all(&t), SCAN_REQUEST);
    scan_next(&t.scan);
    assert_int_equal(say_all(&t), SCAN_MORE);
    put_request(&t, "GET", "", "");
    assert_int_equal(say_all(&t), SCAN_REQUEST);
    end(&t);
}

static bool is_broken_by(Str bytes)
{
    struct talk t;
    begin(&t);
    buf_put(&t.bytes, bytes);
    bool is_broken = say_all(&t) == SCAN_BROKEN;
    end(&t);
    return is_broken;
}

static void what_is_no_fastcgi_is_broken(void **state)
{
    (void)state;
    assert_true(is_broken_by(STR("GET / HTTP/1.1\r\n\r\n")));
    assert_true(is_broken_by(STR("\x02\x01\x00\x01\x00\x08\x00\x00")));
    assert_true(is_broken_by(STR("\x01\x06\x00\x01\x00\x00\x00\x00"))); /* STDOUT */
    assert_true(is_broken_by(STR("\x01\x01\x00\x01\x00\x07\x00\x00"))); /* a short BEGIN */
}

static bool params_break(Str pairs)
{
    struct talk t;
    begin(&t);
    put_begin(&t, 1, ROLE_RESPONDER, 0);
    record_put(&t.bytes, RECORD_PARAMS, 1, pairs);
    record_put(&t.bytes, RECORD_PARAMS, 1, STR_NONE);
    bool is_broken = say_all(&t) == SCAN_BROKEN;
    end(&t);
    return is_broken;
}

static void variables_that_are_none_are_broken(void **state)
{
    (void)state;
    assert_false(params_break(STR("\x01\x01"
                                  "Ab")));
    assert_true(params_break(STR("\x01\xff\xff\xff\xff"
                                 "A")));
    assert_true(params_break(STR("\x01\x02"
                                 "Ab")));
    assert_true(params_break(STR("\x01\x01"
                                 "A\0")));
    assert_true(params_break(STR("\x03\x00"
                                 "A=B")));
    assert_true(params_break(STR("\x00\x01"
                                 "b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_get_is_whole_with_its_params),
        cmocka_unit_test(a_post_is_whole_with_its_body),
        cmocka_unit_test(nothing_is_kept_under_a_stream),
        cmocka_unit_test(a_body_of_unknown_size_goes_to_its_end),
        cmocka_unit_test(a_body_of_another_size_is_refused),
        cmocka_unit_test(a_body_over_the_limit_is_refused_before_it_comes),
        cmocka_unit_test(what_comes_of_a_refused_request_is_not_of_the_next),
        cmocka_unit_test(a_body_that_grows_over_the_limit_is_refused),
        cmocka_unit_test(a_head_over_the_limit_is_refused),
        cmocka_unit_test(padding_is_skipped),
        cmocka_unit_test(management_is_answered),
        cmocka_unit_test(replies_are_bounded),
        cmocka_unit_test(a_second_request_is_turned_away),
        cmocka_unit_test(an_unknown_role_is_turned_away),
        cmocka_unit_test(an_abort_is_told),
        cmocka_unit_test(a_kept_connection_serves_again),
        cmocka_unit_test(late_input_does_not_matter),
        cmocka_unit_test(what_is_no_fastcgi_is_broken),
        cmocka_unit_test(variables_that_are_none_are_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
