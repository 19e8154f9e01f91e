/* Events as lines and as JSON: no byte of a publisher becomes a field of its own. */
#include "render.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct buf out;

static const char *text(void)
{
    buf_putc(&out, '\0');
    return out.p;
}

static int setup(void **state)
{
    (void)state;
    buf_init(&out, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&out);
    return 0;
}

static struct event model(const char *name, Str data)
{
    return (struct event){
        .id = {1, 5}, .time = 7, .channel = STR("c"), .name = str_of(name), .data = data};
}

static void text_is_split_at_every_kind_of_line_end(void **state)
{
    (void)state;
    struct event e = model("", STR("a\r\nb\rc\nd\n\r"));
    render_plain(&out, &e, false);
    assert_string_equal(text(), "id: aaaaaaab-5\ndata: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: "
                                "\n\n");
}

static void empty_text_is_one_empty_line(void **state)
{
    (void)state;
    struct event e = model("ping", STR(""));
    render_plain(&out, &e, true);
    assert_string_equal(text(), "event: ping\ndata: \n\n");
}

static void a_name_of_two_lines_is_never_written(void **state)
{
    (void)state;
    struct event e = model("a\ndata: forged", STR("x"));
    render_plain(&out, &e, false);
    assert_string_equal(text(), "id: aaaaaaab-5\ndata: x\n\n");
    buf_clear(&out);
    e.name = str_make("a\0b", 3);
    render_plain(&out, &e, false);
    assert_string_equal(text(), "id: aaaaaaab-5\ndata: x\n\n");
}

static void an_envelope_is_an_object_on_one_line(void **state)
{
    (void)state;
    struct event e = model("n", STR("l1\nl2"));
    e.user = STR("alice");
    e.exclude = STR("a-client-that-is-never-shown");
    render_envelope(&out, &e, false);
    assert_string_equal(text(),
                        "id: aaaaaaab-5\ndata: {\"id\":\"aaaaaaab-5\",\"channel\":\"c\","
                        "\"event\":\"n\",\"data\":\"l1\\nl2\",\"user\":\"alice\",\"time\":7}"
                        "\n\n");
}

static void json_stays_what_it_was_and_ephemeral_events_have_no_id(void **state)
{
    (void)state;
    struct event e = model("typing", STR("{\"n\":1.0e1}"));
    e.flags = EVENT_JSON | EVENT_EPHEMERAL;
    e.id = CURSOR_NONE;
    render_envelope(&out, &e, false);
    assert_string_equal(text(),
                        "data: {\"id\":null,\"channel\":\"c\",\"event\":\"typing\",\"data\":"
                        "{\"n\":1.0e1},\"user\":null,\"time\":7}\n\n");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(text_is_split_at_every_kind_of_line_end),
        T(empty_text_is_one_empty_line),
        T(a_name_of_two_lines_is_never_written),
        T(an_envelope_is_an_object_on_one_line),
        T(json_stays_what_it_was_and_ephemeral_events_have_no_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
