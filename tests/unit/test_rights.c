#include "base/buf.h"
#include "base/random.h"
#include "wire/message.h"
#include "wire/refusal.h"
#include "wire/rights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const enum action actions[] = {MAY_SUBSCRIBE, MAY_PUBLISH, MAY_HISTORY, MAY_PRESENCE};

static const struct rights bob_open = {.access = ACCESS_OPEN, .user = {"bob", 3}};
static const struct rights bob_closed = {
    .access = ACCESS_CLOSED, .user = {"bob", 3}, .for_all = {"lobby, news", 11}};
static const struct rights nobody_open = {.access = ACCESS_OPEN};
static const struct rights nobody_closed = {.access = ACCESS_CLOSED,
                                            .for_all = {"lobby,,user:x", 13}};

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
    const struct rights unsaid = {0};
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        assert_false(may(&nobody_closed, actions[i], STR("secret")));
        assert_false(may(&nobody_closed, actions[i], STR("*")));
        assert_false(may(&nobody_closed, actions[i], STR("user:bob")));
        assert_false(may(&nobody_closed, actions[i], STR("")));
        assert_false(may(&unsaid, actions[i], STR("secret")));
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

static void the_first_rule_that_takes_a_channel_in_decides(void **state)
{
    (void)state;
    const struct channel_rule rules[] = {
        {STR("room:vip:*"),
         {[MAY_SUBSCRIBE] = ACCESS_CLOSED, [MAY_PUBLISH] = ACCESS_GRANTED},
         false},
        {STR("room:*"),
         {[MAY_SUBSCRIBE] = ACCESS_OPEN, [MAY_PUBLISH] = ACCESS_AUTHENTICATED},
         false},
        {STR("user:*"), {[MAY_PUBLISH] = ACCESS_AUTHENTICATED}, false},
    };
    struct rights r = {.access = ACCESS_GRANTED, .rules = rules, .rule_count = COUNT_OF(rules)};
    assert_true(may(&r, MAY_SUBSCRIBE, STR("room:1")));
    assert_true(may(&r, MAY_HISTORY, STR("room:1"))); /* as subscribe */
    assert_true(may(&r, MAY_SUBSCRIBE, STR("room:*")));
    assert_false(may(&r, MAY_SUBSCRIBE, STR("room:vip:1")));
    assert_false(may(&r, MAY_HISTORY, STR("room:vip:*")));
    assert_false(may(&r, MAY_PUBLISH, STR("room:1")));
    assert_false(may(&r, MAY_PRESENCE, STR("room:1"))); /* as the default */
    assert_false(may(&r, MAY_PUBLISH, STR("user:alice")));
    r.user = STR("bob");
    assert_true(may(&r, MAY_PUBLISH, STR("room:1")));
    assert_true(may(&r, MAY_PUBLISH, STR("user:alice")));
    assert_false(may(&r, MAY_PUBLISH, STR("room:vip:1")));
}

static void grants_let_in_where_a_channel_is_granted(void **state)
{
    (void)state;
    const struct channel_rule rules[] = {
        {STR("room:shut"), {[MAY_SUBSCRIBE] = ACCESS_CLOSED}, false}};
    struct rights r = {
        .access = ACCESS_GRANTED,
        .rules = rules,
        .rule_count = COUNT_OF(rules),
        .grants = {.subscribe = {"\0\0\0\6room:*\0\0\0\4news", 18},
                   .publish = {"\0\0\0\6user:*", 10},
                   .presence = {"\0\0\0\6room:1", 10}},
    };
    assert_true(may(&r, MAY_SUBSCRIBE, STR("room:7")));
    assert_true(may(&r, MAY_HISTORY, STR("news")));
    assert_true(may(&r, MAY_SUBSCRIBE, STR("room:7*")));
    assert_false(may(&r, MAY_SUBSCRIBE, STR("roo*")));
    assert_false(may(&r, MAY_SUBSCRIBE, STR("*")));
    assert_false(may(&r, MAY_SUBSCRIBE, STR("news*")));
    assert_false(may(&r, MAY_SUBSCRIBE, STR("room:shut"))); /* nobody means nobody */
    assert_false(may(&r, MAY_PUBLISH, STR("room:7")));
    assert_true(may(&r, MAY_PUBLISH, STR("user:alice")));
    assert_true(may(&r, MAY_PRESENCE, STR("room:1")));
    assert_false(may(&r, MAY_PRESENCE, STR("room:2")));
}

/* The model: channels are few letters, a pattern is spelled out as the set of all it takes in, and
 * what is allowed is looked up in tables. */
enum { ALPHABET = 4, CHANNELS = ALPHABET * ALPHABET, ROUNDS = 2000, RULES = 4, GRANTS = 4 };

static const char *const heads[ALPHABET] = {"a", "b", "user:", "$"};
static const char *const tails[ALPHABET] = {"x", "xy", "y", "bob"};
static char names[CHANNELS][16];

struct sample {
    char text[16];
    bool takes[CHANNELS];
};

/* An exact name, `*`, or a head with a star. */
static void any_pattern(struct sample *s)
{
    size_t head = random_u64() % ALPHABET, tail = random_u64() % ALPHABET;
    unsigned kind = random_u64() % 4;
    const char *end = kind == 0 ? "*" : kind == 1 ? "x*" : tails[tail];
    snprintf(s->text, sizeof s->text, "%s%s", kind == 2 ? "" : heads[head], kind == 2 ? "*" : end);
    for (size_t i = 0; i < CHANNELS; i++) {
        size_t h = i / ALPHABET, t = i % ALPHABET;
        bool is_common = h < 2;
        if (kind == 0)
            s->takes[i] = h == head;
        else if (kind == 1)
            s->takes[i] = h == head && tails[t][0] == 'x';
        else if (kind == 2)
            s->takes[i] = is_common;
        else
            s->takes[i] = h == head && t == tail;
    }
}

struct world {
    struct sample rule[RULES], grant[ACTION_COUNT][GRANTS];
    enum access access[RULES][ACTION_COUNT];
    size_t rule_count, grant_count[ACTION_COUNT];
    enum access otherwise;
    bool is_bob;
};

static bool model_may(const struct world *w, enum action a, size_t channel)
{
    enum action by = a == MAY_HISTORY ? MAY_SUBSCRIBE : a;
    bool is_granted = false;
    enum access access = ACCESS_UNSAID;
    for (size_t i = 0; i < w->grant_count[by]; i++)
        is_granted |= w->grant[by][i].takes[channel];
    for (size_t i = 0; i < w->rule_count; i++) {
        if (!w->rule[i].takes[channel])
            continue;
        access = w->access[i][a];
        if (access == ACCESS_UNSAID && a == MAY_HISTORY)
            access = w->access[i][MAY_SUBSCRIBE];
        break;
    }
    if (access == ACCESS_UNSAID)
        access = channel / ALPHABET >= 2 && w->otherwise > ACCESS_GRANTED ? ACCESS_GRANTED
                                                                          : w->otherwise;
    bool reads = a == MAY_SUBSCRIBE || a == MAY_HISTORY;
    if (reads && w->is_bob && strcmp(names[channel], "user:bob") == 0)
        return true;
    return access == ACCESS_OPEN || (access == ACCESS_AUTHENTICATED && w->is_bob) ||
           (access >= ACCESS_GRANTED && is_granted);
}

static void any_world(struct world *w)
{
    w->rule_count = random_u64() % (RULES + 1);
    w->otherwise = (enum access)(1 + random_u64() % 4);
    w->is_bob = random_u64() % 2;
    for (size_t i = 0; i < w->rule_count; i++) {
        any_pattern(&w->rule[i]);
        for (size_t a = 0; a < ACTION_COUNT; a++)
            w->access[i][a] = (enum access)(random_u64() % 5);
    }
    for (size_t a = 0; a < ACTION_COUNT; a++) {
        w->grant_count[a] = random_u64() % (GRANTS + 1);
        for (size_t i = 0; i < w->grant_count[a]; i++)
            any_pattern(&w->grant[a][i]);
    }
}

static Str put_grants(struct buf *room, const struct world *w, enum action a)
{
    size_t at = room->len;
    for (size_t i = 0; i < w->grant_count[a]; i++)
        list_put(room, str_of(w->grant[a][i].text));
    return str_make(room->p + at, room->len - at);
}

static size_t compare(const struct world *w, struct buf *room)
{
    struct channel_rule rules[RULES];
    size_t asked = 0;
    buf_clear(room);
    buf_room(room, 1024); /* so that it does not move */
    for (size_t i = 0; i < w->rule_count; i++) {
        rules[i].pattern = str_of(w->rule[i].text);
        memcpy(rules[i].access, w->access[i], sizeof rules[i].access);
    }
    struct rights r = {
        .access = w->otherwise,
        .rules = rules,
        .rule_count = w->rule_count,
        .user = w->is_bob ? STR("bob") : STR_NONE,
        .grants.subscribe = put_grants(room, w, MAY_SUBSCRIBE),
        .grants.publish = put_grants(room, w, MAY_PUBLISH),
        .grants.presence = put_grants(room, w, MAY_PRESENCE),
    };
    for (size_t a = 0; a < ACTION_COUNT; a++)
        for (size_t c = 0; c < CHANNELS; c++, asked++)
            assert_int_equal(may(&r, (enum action)a, str_of(names[c])),
                             model_may(w, (enum action)a, c));
    return asked;
}

static void it_is_as_the_model_says(void **state)
{
    (void)state;
    struct world w;
    struct buf room;
    size_t asked = 0;
    for (size_t i = 0; i < CHANNELS; i++)
        snprintf(names[i], sizeof names[i], "%s%s", heads[i / ALPHABET], tails[i % ALPHABET]);
    buf_init(&room, 4096);
    for (size_t i = 0; i < (size_t)8 * ROUNDS; i++) {
        any_world(&w);
        asked += compare(&w, &room);
    }
    buf_fini(&room);
    assert_true(asked >= 1000000);
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
        cmocka_unit_test(the_first_rule_that_takes_a_channel_in_decides),
        cmocka_unit_test(grants_let_in_where_a_channel_is_granted),
        cmocka_unit_test(it_is_as_the_model_says),
        cmocka_unit_test(actions_have_names),
        cmocka_unit_test(refusals_have_all_their_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
