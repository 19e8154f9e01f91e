#include "send.h"
#include "wire/event.h"
#include "wire/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char for_all[] = "all";
static struct options options = {
    .max_event = 1000,
    .max_body = 100000,
    .max_batch = 5,
    .max_channels_stream = 4,
    .channels_for_all = for_all,
};
static const struct rights rights = {.access = ACCESS_OPEN};
static const struct rights all_rights = {.access = ACCESS_GRANTED,
                                         .grants = {.publish = {"\0\0\0\6user:*", 10}}};

static struct fault fault;

static bool read_as(struct sends *s, enum media media, const char *body)
{
    fault = (struct fault){0};
    return sends_read(s, media, str_of(body), &options, &rights, &fault);
}

/* The refusal of one JSON document. */
static int refusal(const char *body)
{
    struct sends s;
    bool ok = read_as(&s, MEDIA_JSON, body);
    sends_fini(&s);
    return ok ? REFUSE_NOT : fault.code;
}

static struct msg_send first(const struct sends *s)
{
    struct msg_send m;
    Str rest = buf_str(&s->list), item;
    assert_true(list_next(&rest, &item));
    assert_true(msg_send_unpack(item, &m));
    return m;
}

static bool is_only_channel(Str list, Str name)
{
    return list_count(list) == 1 && list_has(list, name);
}

static void a_document_says_everything(void **state)
{
    (void)state;
    struct sends s;
    assert_true(
        read_as(&s, MEDIA_JSON,
                "{\"channel\":\"room:1\",\"event\":\"message.new\",\"data\":{ \"n\" : 1.50 },"
                "\"ttl\":60,\"exclude\":\"0123456789abcdef\",\"idempotencyKey\":\"k-1\"}"));
    struct msg_send m = first(&s);
    assert_true(is_only_channel(m.channels, STR("room:1")));
    assert_true(str_eq(m.event, STR("message.new")));
    assert_true(str_eq(m.data, STR("{\"n\":1.50}")));
    assert_int_equal(m.flags, EVENT_JSON);
    assert_int_equal(m.ttl, 60);
    assert_true(str_eq(m.exclude, STR("0123456789abcdef")));
    assert_true(str_eq(m.key, STR("k-1")));
    assert_true(s.has_keys && !s.is_batch && s.good == 1);
    sends_fini(&s);
}

static void a_string_is_text(void **state)
{
    (void)state;
    struct sends s;
    assert_true(read_as(&s, MEDIA_JSON, "{\"channel\":\"a\",\"data\":\"one\\ntwo \\u00e9\"}"));
    assert_true(str_eq(first(&s).data, STR("one\ntwo \xc3\xa9")));
    assert_int_equal(first(&s).flags, 0);
    sends_fini(&s);
    assert_true(read_as(&s, MEDIA_JSON, "{\"channel\":\"a\",\"data\":\"\"}"));
    assert_int_equal(first(&s).data.len, 0);
    sends_fini(&s);
}

static void several_targets_are_plural(void **state)
{
    (void)state;
    struct sends s;
    assert_true(read_as(&s, MEDIA_JSON, "{\"channels\":[\"a\",\"b\",\"a\"],\"data\":1}"));
    assert_int_equal(list_count(first(&s).channels), 2);
    assert_true(s.v[0].is_plural);
    sends_fini(&s);
    assert_true(sends_read(&s, MEDIA_JSON, STR("{\"users\":[\"al\",\"bo\"],\"data\":1}"), &options,
                           &all_rights, &fault));
    assert_true(list_has(first(&s).channels, STR("user:bo")));
    sends_fini(&s);
}

static void what_is_fleeting_is_marked(void **state)
{
    (void)state;
    struct sends s;
    assert_true(read_as(&s, MEDIA_JSON, "{\"channel\":\"a\",\"event\":\"typing\"}"));
    assert_int_equal(first(&s).flags, EVENT_JSON | EVENT_EPHEMERAL);
    assert_true(str_eq(first(&s).data, STR("null")));
    sends_fini(&s);
    assert_true(read_as(&s, MEDIA_JSON, "{\"client\":\"0123456789abcdef\",\"data\":1}"));
    assert_true(str_eq(first(&s).to, STR("0123456789abcdef")));
    assert_true(first(&s).flags & EVENT_EPHEMERAL);
    sends_fini(&s);
}

static void wrong_fields_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{}",
        "1",
        "{\"data\":1}",
        "{\"channel\":\"a\"}",
        "{\"channel\":\"a\",\"user\":\"b\",\"data\":0}",
        "{\"channel\":1,\"data\":0}",
        "{\"channel\":\"\",\"data\":0}",
        "{\"channel\":\"a*\",\"data\":0}",
        "{\"channel\":\"$a\",\"data\":0}",
        "{\"channel\":\"a\\nb\",\"data\":0}",
        "{\"channels\":\"a\",\"data\":0}",
        "{\"channels\":[],\"data\":0}",
        "{\"channels\":[1],\"data\":0}",
        "{\"channels\":[\"a\",\"b\",\"c\",\"d\",\"e\"],\"data\":0}",
        "{\"channel\":\"a\",\"client\":\"0123456789abcdef\",\"data\":0}",
        "{\"client\":\"short\",\"data\":0}",
        "{\"user\":\"a:b\",\"data\":0}",
        "{\"users\":\"a\",\"data\":0}",
        "{\"users\":[1],\"data\":0}",
        "{\"channel\":\"a\",\"event\":\"gap\",\"data\":0}",
        "{\"channel\":\"a\",\"event\":1,\"data\":0}",
        "{\"channel\":\"a\",\"event\":\"a\\rb\",\"data\":0}",
        "{\"channel\":\"a\",\"ttl\":0,\"data\":0}",
        "{\"channel\":\"a\",\"ttl\":1.5,\"data\":0}",
        "{\"channel\":\"a\",\"ttl\":\"60\",\"data\":0}",
        "{\"channel\":\"a\",\"ttl\":1e300,\"data\":0}",
        "{\"channel\":\"a\",\"ephemeral\":1,\"data\":0}",
        "{\"channel\":\"a\",\"exclude\":\"x\",\"data\":0}",
        "{\"channel\":\"a\",\"idempotencyKey\":\"with blank\",\"data\":0}",
        "{\"channel\":\"a\",\"idempotencyKey\":5,\"data\":0}",
        "{\"channel\":\"a\",\"chanel\":\"b\",\"data\":0}",
        "{\"channel\":\"a\",\"data\":\"\xff\"}",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(refusal(wrong[i]), REFUSE_WRONG_FIELD);
        assert_true(strlen(fault.text) > 0);
    }
}

static void an_empty_key_is_refused_and_null_is_none(void **state)
{
    (void)state;
    static const char says[] = "idempotencyKey: has 0 characters, 1 to 128 are allowed";
    struct sends s;
    assert_int_equal(refusal("{\"channel\":\"a\",\"idempotencyKey\":\"\",\"data\":0}"),
                     REFUSE_WRONG_FIELD);
    assert_string_equal(fault.text, says);
    assert_false(read_as(&s, MEDIA_FORM, "channel=a&idempotencyKey=&data=0"));
    assert_string_equal(fault.text, says);
    sends_fini(&s);
    assert_int_equal(refusal("{\"channel\":\"a\",\"idempotencyKey\":null,\"data\":0}"), REFUSE_NOT);
}

static void what_is_no_json_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(refusal(""), REFUSE_MALFORMED);
    assert_int_equal(refusal("{\"channel\":\"a\""), REFUSE_MALFORMED);
    assert_int_equal(refusal("{\"channel\":\"a\"} {}"), REFUSE_MALFORMED);
    assert_int_equal(refusal("{\"channel\":\"a\",\"channel\":\"b\"}"), REFUSE_MALFORMED);
}

static void foreign_channels_are_forbidden(void **state)
{
    (void)state;
    assert_int_equal(refusal("{\"channel\":\"user:alice\",\"data\":1}"), REFUSE_FORBIDDEN);
    assert_int_equal(refusal("{\"user\":\"alice\",\"data\":1}"), REFUSE_FORBIDDEN);
}

static void data_has_a_limit(void **state)
{
    (void)state;
    char body[2000];
    char data[1001];
    memset(data, '1', sizeof data);
    for (size_t n = 999; n <= 1001; n++) {
        snprintf(body, sizeof body, "{\"channel\":\"a\",\"data\": \"%.*s\" }", (int)n, data);
        assert_int_equal(refusal(body), n <= 1000 ? REFUSE_NOT : REFUSE_TOO_LARGE);
    }
    assert_non_null(strstr(fault.text, "max_event is 1000"));
}

static void a_form_is_text(void **state)
{
    (void)state;
    struct sends s;
    assert_true(read_as(&s, MEDIA_FORM, "channel=a&data=hi+there%0Ayou&event=e&ttl=5&ephemeral=1"));
    struct msg_send m = first(&s);
    assert_true(str_eq(m.data, STR("hi there\nyou")));
    assert_int_equal(m.flags, EVENT_EPHEMERAL);
    assert_int_equal(m.ttl, 5);
    assert_false(s.v[0].is_plural);
    sends_fini(&s);
    assert_true(read_as(&s, MEDIA_FORM, "channel=a,b&data=x"));
    assert_true(s.v[0].is_plural);
    sends_fini(&s);
    assert_false(read_as(&s, MEDIA_FORM, "channel=a&data=%ff"));
    assert_int_equal(fault.code, REFUSE_WRONG_FIELD);
    sends_fini(&s);
    assert_false(read_as(&s, MEDIA_FORM, "channel=a&ttl=x"));
    sends_fini(&s);
    assert_false(read_as(&s, MEDIA_FORM, "channel=a&other=x"));
    sends_fini(&s);
}

static void a_bad_line_is_refused_alone(void **state)
{
    (void)state;
    struct sends s;
    assert_true(read_as(&s, MEDIA_NDJSON,
                        "{\"channel\":\"a\",\"data\":1}\r\n\n{\"channel\":\"b\n"
                        "{\"channel\":\"\xff\"}\n{\"channel\":\"c\",\"data\":0}"));
    assert_true(s.is_batch);
    assert_int_equal(s.n, 4);
    assert_int_equal(s.good, 2);
    assert_null(s.v[0].why);
    assert_int_equal(s.v[1].why->code, REFUSE_MALFORMED);
    assert_int_equal(s.v[2].why->code, REFUSE_WRONG_FIELD);
    assert_int_equal(list_count(buf_str(&s.list)), 2);
    sends_fini(&s);
    assert_true(
        read_as(&s, MEDIA_JSON,
                "[ {\"channel\":\"a\",\"data\":[1, 2]} , 7, {\"channel\":\"b\",\"data\":0} ]"));
    assert_int_equal(s.n, 3);
    assert_int_equal(s.good, 2);
    assert_true(str_eq(first(&s).data, STR("[1,2]")));
    sends_fini(&s);
}

static void a_batch_has_a_limit(void **state)
{
    (void)state;
    struct sends s;
    assert_true(read_as(&s, MEDIA_NDJSON, "1\n2\n3\n4\n5\n"));
    assert_int_equal(s.good, 0);
    sends_fini(&s);
    assert_false(read_as(&s, MEDIA_NDJSON, "1\n2\n3\n4\n5\n6"));
    assert_int_equal(fault.code, REFUSE_TOO_LARGE);
    sends_fini(&s);
    assert_false(read_as(&s, MEDIA_JSON, "[1,2,3,4,5,6]"));
    assert_int_equal(fault.code, REFUSE_TOO_LARGE);
    sends_fini(&s);
    assert_false(read_as(&s, MEDIA_JSON, "[]"));
    assert_int_equal(fault.code, REFUSE_WRONG_FIELD);
    sends_fini(&s);
    assert_false(read_as(&s, MEDIA_NDJSON, "\n\n"));
    sends_fini(&s);
}

static void results_stand_in_order(void **state)
{
    (void)state;
    struct sends s;
    struct buf results, item, json;
    buf_init(&results, 1000);
    buf_init(&item, 1000);
    buf_init(&json, 10000);
    assert_true(read_as(&s, MEDIA_JSON,
                        "[{\"channel\":\"a\",\"data\":0},1,{\"channels\":[\"a\",\"b\"],\"data\":0},"
                        "{\"channel\":\"c\",\"data\":0}]"));
    const struct msg_result found[] = {
        {.first = {1, 5}, .n = 1},
        {.first = {1, 6}, .n = 2},
        {.code = REFUSE_CONFLICT, .detail = STR("idempotencyKey: k")},
    };
    for (size_t i = 0; i < COUNT_OF(found); i++) {
        buf_clear(&item);
        msg_result_pack(&item, &found[i]);
        list_put(&results, buf_str(&item));
    }
    assert_true(send_put_results(&json, &s, buf_str(&results), 77));
    buf_putc(&json, '\0');
    assert_string_equal(
        json.p,
        "{\"results\":[{\"id\":\"aaaaaaab-5\",\"time\":77},"
        "{\"type\":\"about:blank#wrong_field\",\"title\":\"Wrong field\",\"status\":422,"
        "\"detail\":\"body: is not an object\"},"
        "{\"id\":\"aaaaaaab-7\",\"ids\":[\"aaaaaaab-6\",\"aaaaaaab-7\"],\"time\":77},"
        "{\"type\":\"about:blank#conflict\",\"title\":\"Idempotency key used with another body\","
        "\"status\":409,\"detail\":\"idempotencyKey: k\"}]}");
    assert_false(send_put_results(&json, &s, STR_NONE, 77));
    sends_fini(&s);
    buf_fini(&results);
    buf_fini(&item);
    buf_fini(&json);
}

static void media_types_are_known_by_name(void **state)
{
    (void)state;
    enum media m;
    struct fault why;
    assert_true(media_of(STR("application/json"), &m, &why) && m == MEDIA_JSON);
    assert_true(media_of(STR("Application/JSON ; charset=\"UTF-8\""), &m, &why));
    assert_true(media_of(STR("application/x-ndjson"), &m, &why) && m == MEDIA_NDJSON);
    assert_true(media_of(STR("application/x-www-form-urlencoded; charset=utf-8"), &m, &why));
    assert_int_equal(m, MEDIA_FORM);
    assert_false(media_of(STR("text/plain"), &m, &why));
    assert_int_equal(why.code, REFUSE_MEDIA_TYPE);
    assert_false(media_of(STR_NONE, &m, &why));
    assert_false(media_of(STR("application/json; charset=latin-1"), &m, &why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_says_everything),
        cmocka_unit_test(a_string_is_text),
        cmocka_unit_test(several_targets_are_plural),
        cmocka_unit_test(what_is_fleeting_is_marked),
        cmocka_unit_test(wrong_fields_are_refused),
        cmocka_unit_test(an_empty_key_is_refused_and_null_is_none),
        cmocka_unit_test(what_is_no_json_is_malformed),
        cmocka_unit_test(foreign_channels_are_forbidden),
        cmocka_unit_test(data_has_a_limit),
        cmocka_unit_test(a_form_is_text),
        cmocka_unit_test(a_bad_line_is_refused_alone),
        cmocka_unit_test(a_batch_has_a_limit),
        cmocka_unit_test(results_stand_in_order),
        cmocka_unit_test(media_types_are_known_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
