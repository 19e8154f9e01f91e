#include "base/memory.h"
#include "wire/refusal.h"
#include "wire/rights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const enum action actions[] = {MAY_SUBSCRIBE, MAY_PUBLISH, MAY_HISTORY, MAY_PRESENCE};

static const struct rights bob_open = {ACCESS_OPEN, false, {"bob", 3}, {NULL, 0}};
static const struct rights bob_closed = {ACCESS_CLOSED, false, {"bob", 3}, {"lobby, news", 11}};
static const struct rights nobody_open = {ACCESS_OPEN, false, {NULL, 0}, {NULL, 0}};
static const struct rights nobody_closed = {ACCESS_CLOSED, false, {NULL, 0}, {"lobby,,user:x", 13}};

static void open_is_everything_but_users_and_the_hubs_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        assert_true(may(&nobody_open, actions[i], STR("news")));
        assert_false(may(&nobody_open, actions[i], STR("user:bob")));
        assert_false(may(&nobody_open, actions[i], STR("user:")));
        assert_false(may(&nobody_open, actions[i], STR("$presence:news")));
        assert_false(may(&bob_open, actions[i], STR("user:bobby")));
    }
    assert_true(may(&nobody_open, MAY_SUBSCRIBE, STR("*")));
    assert_true(may(&nobody_open, MAY_HISTORY, STR("room:*")));
    assert_false(may(&nobody_open, MAY_SUBSCRIBE, STR("user:*")));
    assert_false(may(&nobody_open, MAY_SUBSCRIBE, STR("$presence:*")));
}

static void closed_is_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        assert_false(may(&nobody_closed, actions[i], STR("secret")));
        assert_false(may(&nobody_closed, actions[i], STR("*")));
        assert_false(may(&nobody_closed, actions[i], STR("user:bob")));
        assert_false(may(&nobody_closed, actions[i], STR("")));
    }
}

static void the_own_channel_is_read_and_not_written(void **state)
{
    (void)state;
    const struct rights *both[] = {&bob_open, &bob_closed};
    for (size_t i = 0; i < COUNT_OF(both); i++) {
        assert_true(may(both[i], MAY_SUBSCRIBE, STR("user:bob")));
        assert_true(may(both[i], MAY_HISTORY, STR("user:bob")));
        assert_false(may(both[i], MAY_PUBLISH, STR("user:bob")));
        assert_false(may(both[i], MAY_SUBSCRIBE, STR("user:bo")));
        assert_false(may(both[i], MAY_SUBSCRIBE, STR("user:bob*")));
        assert_false(may(both[i], MAY_SUBSCRIBE, STR("user:alice")));
    }
}

static void what_is_for_all_is_read_by_all(void **state)
{
    (void)state;
    assert_true(may(&bob_closed, MAY_SUBSCRIBE, STR("lobby")));
    assert_true(may(&bob_closed, MAY_HISTORY, STR("news")));
    assert_true(may(&nobody_closed, MAY_SUBSCRIBE, STR("user:x")));
    assert_false(may(&bob_closed, MAY_PUBLISH, STR("lobby")));
    assert_false(may(&bob_closed, MAY_SUBSCRIBE, STR("lob")));
}

static void a_local_peer_may_everything(void **state)
{
    (void)state;
    const struct rights local = {ACCESS_CLOSED, true, {NULL, 0}, {NULL, 0}};
    for (size_t i = 0; i < COUNT_OF(actions); i++)
        assert_true(may(&local, actions[i], STR("user:bob")));
}

static void actions_have_names(void **state)
{
    (void)state;
    assert_string_equal(action_name(MAY_SUBSCRIBE), "subscribe");
    assert_string_equal(action_name(MAY_PRESENCE), "presence");
}

static void refusals_have_all_their_columns(void **state)
{
    (void)state;
    assert_string_equal(refusal_code(REFUSE_TOO_LARGE), "too_large");
    assert_int_equal(refusal_status(REFUSE_TOO_LARGE), 413);
    assert_int_equal(refusal_retry(REFUSE_HUB_AWAY), 1);
    assert_string_equal(refusal_title(REFUSE_NOT_FOUND), "Not found");
    for (int i = 0; i < REFUSAL_COUNT; i++)
        assert_int_equal(refusal_from_code(str_of(refusal_code(i))), i);
    assert_int_equal(refusal_from_code(STR("nonsense")), REFUSE_INTERNAL);
    assert_string_equal(refusal_code(-1), "internal");
    assert_int_equal(refusal_status(REFUSAL_COUNT), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_is_everything_but_users_and_the_hubs_own),
        cmocka_unit_test(closed_is_nothing),
        cmocka_unit_test(the_own_channel_is_read_and_not_written),
        cmocka_unit_test(what_is_for_all_is_read_by_all),
        cmocka_unit_test(a_local_peer_may_everything),
        cmocka_unit_test(actions_have_names),
        cmocka_unit_test(refusals_have_all_their_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
