#include "history.h"
#include "opening.h"
#include "route.h"
#include "send.h"
#include "wire/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Where a path leads; `name` is what stands in the place of NAME. */
static const struct route *find(const char *mount, const char *path, const char *name)
{
    struct buf found;
    const struct route *r;
    buf_init(&found, 1024);
    bool ok = route_find(str_of(mount), str_of(path), false, &found, &r, NULL);
    if (ok)
        assert_true(str_eq(buf_str(&found), str_of(name)));
    buf_fini(&found);
    return ok ? r : NULL;
}

static int refusal(const char *path)
{
    struct buf name;
    struct fault why = {0};
    const struct route *r;
    buf_init(&name, 1024);
    bool ok = route_find(STR("/events"), str_of(path), false, &name, &r, &why);
    buf_fini(&name);
    return ok ? REFUSE_NOT : why.code;
}

static void the_table_is_below_the_mount(void **state)
{
    (void)state;
    assert_ptr_equal(find("/events", "/events", "")->handle, opening_stream);
    assert_ptr_equal(find("/events", "/events/", "")->handle, opening_stream);
    assert_ptr_equal(find("/events", "/events/poll", "")->handle, opening_poll);
    assert_ptr_equal(find("/events", "/events/send", "")->handle, send_publish);
    assert_ptr_equal(find("/events", "/events/history/", "")->handle, history_page);
    assert_ptr_equal(find("/live/push", "/live/push/send", "")->handle, send_publish);
    assert_ptr_equal(find("/", "/send", "")->handle, send_publish);
    assert_ptr_equal(find("/", "/", "")->handle, opening_stream);
    assert_string_equal(find("/events", "/events/send", "")->method, "POST");
}

static void a_name_is_a_channel(void **state)
{
    (void)state;
    assert_ptr_equal(find("/events", "/events/news", "news")->handle, opening_stream);
    assert_ptr_equal(find("/events", "/events/room%3A1", "room:1")->handle, opening_stream);
    assert_ptr_equal(find("/events", "/events/a%2Fb", "a/b")->handle, opening_stream);
    assert_ptr_equal(find("/events", "/events/a+b", "a+b")->handle, opening_stream);
    assert_ptr_equal(find("/events", "/events/user/alice", "user:alice")->handle, opening_stream);
    assert_ptr_equal(find("/events", "/%65vents/s%65nd", "")->handle, send_publish);
    /* Decoded once. */
    assert_ptr_equal(find("/events", "/events/a%2525", "a%25")->handle, opening_stream);
}

static void other_paths_are_not_there(void **state)
{
    (void)state;
    assert_int_equal(refusal("/"), REFUSE_NOT_FOUND);
    assert_int_equal(refusal("/event"), REFUSE_NOT_FOUND);
    assert_int_equal(refusal("/eventsx"), REFUSE_NOT_FOUND);
    assert_int_equal(refusal("/other/send"), REFUSE_NOT_FOUND);
    assert_int_equal(refusal("/events/a/b"), REFUSE_NOT_FOUND);
    assert_int_equal(refusal("/events/user/a/b"), REFUSE_NOT_FOUND);
    assert_int_equal(refusal("/events/1/2/3/4/5/6/7/8/9"), REFUSE_NOT_FOUND);
}

static void broken_paths_are_malformed(void **state)
{
    (void)state;
    assert_int_equal(refusal("/events/%"), REFUSE_MALFORMED);
    assert_int_equal(refusal("/events/%4"), REFUSE_MALFORMED);
    assert_int_equal(refusal("/events/a%00b"), REFUSE_MALFORMED);
    assert_int_equal(refusal("/events/a%0d%0ab"), REFUSE_MALFORMED);
    assert_int_equal(refusal("/events/%ff"), REFUSE_MALFORMED);
}

static void a_path_that_the_server_decoded_is_taken_as_it_is(void **state)
{
    (void)state;
    struct buf name;
    const struct route *r;
    buf_init(&name, 1024);
    assert_true(route_find(STR("/events"), STR("/events/50%"), true, &name, &r, NULL));
    assert_true(str_eq(buf_str(&name), STR("50%")));
    buf_fini(&name);
}

static void a_mount_is_a_path_as_urls_have_it(void **state)
{
    (void)state;
    struct fault why;
    static const char *const good[] = {
        "", "/", "/events", "/~me/events/", "/cgi-bin/events.cgi", "/1/2/3/4/5/6"};
    static const char *const wrong[] = {"events", "//a",       "/a?b", "/a#b",          "/a b",
                                        "/a%20b", "/\xc3\xa9", "/a\n", "/1/2/3/4/5/6/7"};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (!mount_check(str_of(good[i]), &why))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        if (mount_check(str_of(wrong[i]), &why))
            fail_msg("%s", wrong[i]);
        assert_int_equal(why.code, REFUSE_CONFIG);
    }
    assert_ptr_equal(find("/1/2/3/4/5/6", "/1/2/3/4/5/6/user/al", "user:al")->handle,
                     opening_stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_below_the_mount),
        cmocka_unit_test(a_name_is_a_channel),
        cmocka_unit_test(other_paths_are_not_there),
        cmocka_unit_test(broken_paths_are_malformed),
        cmocka_unit_test(a_path_that_the_server_decoded_is_taken_as_it_is),
        cmocka_unit_test(a_mount_is_a_path_as_urls_have_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
