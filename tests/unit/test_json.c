#include "base/json.h"
#include "base/memory.h"
#include "wire/refusal.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void any_value_is_a_text(void **state)
{
    (void)state;
    static const char *const good[] = {"1",
                                       "\"a\"",
                                       "null",
                                       "true",
                                       " [1, {\"a\" : []}] \n",
                                       "-0.5e3",
                                       "123456789012345678901234567890",
                                       "\"\\u0000\"",
                                       "\"\\ud83d\\ude00\""};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(json_check(str_of(good[i]), NULL));
}

static void what_is_not_json_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      " ",
                                      "{",
                                      "[1,]",
                                      "{\"a\":1,}",
                                      "01",
                                      "1 2",
                                      "[1]x",
                                      "'a'",
                                      "nul",
                                      "\"\x01\"",
                                      "\"\xff\"",
                                      "\"\\ud800\"",
                                      "{\"a\":1,\"a\":2}",
                                      "{\"a\":1,\"\\u0061\":2}",
                                      "[}",
                                      "\"",
                                      "\xef\xbb\xbf[]"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct fault why = {0};
        assert_false(json_check(str_of(bad[i]), &why));
        assert_int_equal(why.code, REFUSE_MALFORMED);
        assert_non_null(strstr(why.text, "line 1"));
        assert_non_null(strstr(why.text, "column "));
    }
}

static void a_nul_byte_is_refused_wherever_it_stands(void **state)
{
    (void)state;
    assert_false(json_check(STR("[1]\0"), NULL));
    assert_false(json_check(STR("[1\0]"), NULL));
    assert_false(json_check(STR("\0[1]"), NULL));
    assert_false(json_check(STR("\"\0\""), NULL));
    assert_false(json_check(STR("{\"a\":1\0,\"b\":2}"), NULL));
}

static bool has_depth(size_t depth)
{
    char text[400] = "";
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    return json_check(str_make(text, 2 * depth), NULL);
}

static void depth_has_a_limit(void **state)
{
    (void)state;
    assert_true(has_depth(JSON_DEPTH));
    assert_false(has_depth(JSON_DEPTH + 1));
    char text[300];
    struct fault why = {0};
    memset(text, '[', sizeof text);
    text[10] = '\n';
    assert_false(json_check(str_make(text, sizeof text), &why));
    assert_non_null(strstr(why.text, "line 2, column 55"));
    memset(text, '[', sizeof text);
    text[0] = text[sizeof text - 1] = '"';
    assert_true(json_check(str_make(text, sizeof text), NULL));
}

static void parts_are_read(void **state)
{
    (void)state;
    Json *v = json_parse(STR("{\"s\":\"a\\u0000b\",\"n\":12,\"t\":true,\"f\":false,\"z\":null,"
                             "\"l\":[1,\"x\"]}"),
                         NULL);
    assert_true(json_is_object(v));
    assert_true(str_eq(json_str(json_get(v, "s")), STR("a\0b")));
    assert_true(json_is_number(json_get(v, "n")) && json_num(json_get(v, "n")) == 12.0);
    assert_true(json_is_bool(json_get(v, "t")) && json_is_true(json_get(v, "t")));
    assert_true(json_is_bool(json_get(v, "f")) && !json_is_true(json_get(v, "f")));
    assert_true(json_is_null(json_get(v, "z")));
    const Json *list = json_get(v, "l");
    assert_true(json_is_array(list) && json_len(list) == 2);
    assert_true(json_is_string(json_at(list, 1)));
    assert_null(json_at(list, 2));
    assert_null(json_get(v, "none"));
    json_free(v);
}

static void what_is_not_there_is_nothing(void **state)
{
    (void)state;
    assert_false(json_is_object(NULL) || json_is_array(NULL) || json_is_string(NULL) ||
                 json_is_number(NULL) || json_is_bool(NULL) || json_is_null(NULL) ||
                 json_is_true(NULL));
    assert_null(json_get(NULL, "a"));
    assert_int_equal(json_len(NULL), 0);
    assert_int_equal(json_str(NULL).len, 0);
    json_free(NULL);
}

static void members_are_walked(void **state)
{
    (void)state;
    Json *v = json_parse(STR("{\"a\":1,\"bb\":2,\"\":3}"), NULL);
    void *at = NULL;
    Str name;
    const Json *value;
    size_t n = 0, letters = 0;
    for (; json_each(v, &at, &name, &value); n++)
        letters += name.len;
    assert_int_equal(n, 3);
    assert_int_equal(letters, 3);
    json_free(v);
    at = NULL;
    v = json_parse(STR("[1]"), NULL);
    assert_false(json_each(v, &at, &name, &value));
    json_free(v);
}

static const char *member(const char *text, const char *name)
{
    static char found[200];
    Str raw;
    if (!json_member_text(str_of(text), name, &raw) || raw.len >= sizeof found)
        return NULL;
    memcpy(found, raw.p, raw.len);
    found[raw.len] = '\0';
    return found;
}

static void a_member_comes_out_as_written(void **state)
{
    (void)state;
    assert_string_equal(member("{\"data\":1.10}", "data"), "1.10");
    assert_string_equal(
        member(" {\n\"x\" : [ \"data\" , {\"data\":1} ] , \"data\" :\t[1, 2] } ", "data"),
        "[1, 2]");
    assert_string_equal(member("{\"d\\u0061ta\":\"\\u00e9\\\"}\"}", "data"), "\"\\u00e9\\\"}\"");
    assert_string_equal(member("{\"a\":{\"data\":2},\"data\":3 }", "data"), "3");
    assert_string_equal(member("{\"a\":\"]}\\\\\",\"data\":{}}", "data"), "{}");
    assert_string_equal(member("{\"\":12345678901234567890}", ""), "12345678901234567890");
    assert_string_equal(member("{\"x\\\\\":1,\"x\":true}", "x"), "true");
    assert_null(member("{}", "data"));
    assert_null(member("{\"dat\":1,\"data2\":2}", "data"));
    assert_null(member("[\"data\"]", "data"));
    assert_null(member("\"data\"", "data"));
    assert_null(member("", "data"));
}

static void a_broken_text_ends_the_search(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "{", "{\"data", "{\"data\"", "{\"a\":[", "{\"a\":1,,\"data\":2}", "{\"a\\", "{\"a\":}"};
    for (size_t i = 0; i < COUNT_OF(broken); i++)
        assert_null(member(broken[i], "data"));
}

static void elements_come_out_as_written(void **state)
{
    (void)state;
    Str text = STR(" [ 1.0 ,\"a,]\", {\"b\":[1,2]} , [] ]"), raw;
    assert_true(json_element_text(text, 0, &raw) && str_eq(raw, STR("1.0")));
    assert_true(json_element_text(text, 1, &raw) && str_eq(raw, STR("\"a,]\"")));
    assert_true(json_element_text(text, 2, &raw) && str_eq(raw, STR("{\"b\":[1,2]}")));
    assert_true(json_element_text(text, 3, &raw) && str_eq(raw, STR("[]")));
    assert_false(json_element_text(text, 4, &raw));
    assert_false(json_element_text(STR("[]"), 0, &raw));
    assert_false(json_element_text(STR("{}"), 0, &raw));
    size_t at = 0, n = 0;
    while (json_each_text(text, &at, &raw))
        n++;
    assert_int_equal(n, 4);
}

static bool compacts(const char *text, const char *expected)
{
    struct buf b;
    buf_init(&b, 200);
    bool ok = json_put_compact(&b, str_of(text)) && str_eq(buf_str(&b), str_of(expected));
    buf_fini(&b);
    return ok;
}

static void compaction_touches_blanks_alone(void **state)
{
    (void)state;
    assert_true(compacts(" [ 1.0 ,\t\"a b\\\" c\" ,\r\n{ \"x y\" : 1E2 } ] ",
                         "[1.0,\"a b\\\" c\",{\"x y\":1E2}]"));
    assert_true(compacts("\"\\\\\" ", "\"\\\\\""));
    assert_true(compacts("1", "1"));
    assert_true(compacts(" ", ""));
    struct buf b;
    buf_init(&b, 4);
    buf_putc(&b, '>');
    assert_false(json_put_compact(&b, STR("[1, 2]")));
    assert_true(b.full && str_eq(buf_str(&b), STR(">")));
    buf_fini(&b);
}

static bool writes(Str text, const char *expected)
{
    struct buf b;
    buf_init(&b, 200);
    bool ok = json_put_str(&b, text) && str_eq(buf_str(&b), str_of(expected)) &&
              json_check(buf_str(&b), NULL);
    buf_fini(&b);
    return ok;
}

static void strings_are_escaped(void **state)
{
    (void)state;
    assert_true(writes(STR(""), "\"\""));
    assert_true(writes(STR("a\"\\/\b\f\n\r\t"), "\"a\\\"\\\\/\\b\\f\\n\\r\\t\""));
    assert_true(writes(STR("\0\x1f\x7f"), "\"\\u0000\\u001f\x7f\""));
    assert_true(writes(STR("\xc3\xa4\xf0\x9f\x98\x80"), "\"\xc3\xa4\xf0\x9f\x98\x80\""));
    assert_true(writes(STR("a\xff\xc3z"), "\"a\\ufffd\\ufffdz\""));
    struct buf b;
    buf_init(&b, 4);
    assert_false(json_put_str(&b, STR("abc")));
    assert_int_equal(b.len, 0);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_value_is_a_text),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(a_nul_byte_is_refused_wherever_it_stands),
        cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(parts_are_read),
        cmocka_unit_test(what_is_not_there_is_nothing),
        cmocka_unit_test(members_are_walked),
        cmocka_unit_test(a_member_comes_out_as_written),
        cmocka_unit_test(a_broken_text_ends_the_search),
        cmocka_unit_test(elements_come_out_as_written),
        cmocka_unit_test(compaction_touches_blanks_alone),
        cmocka_unit_test(strings_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
