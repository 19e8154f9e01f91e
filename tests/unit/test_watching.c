/* Who is on a channel, as a stream is told: the state after `connected`, then what changes. */
#include "desk.h"

#include "link.h"

#include <stdio.h>

/* Says of a channel: items of `came` and `left` between commas, each item `uann` or, where it only
 * changed, `~uann`. */
static void hub_tells(struct desk *d, const char *channel, uint64_t version, bool whole,
                      const char *came, const char *left)
{
    struct buf list, item, keys;
    char json[40];
    buf_init(&list, 10000);
    buf_init(&item, 1000);
    buf_init(&keys, 1000);
    Str rest = str_of(came);
    for (Str key; str_cut(&rest, ',', &key);) {
        bool fresh = !str_starts(key, STR("~"));
        key = fresh ? key : str_skip(key, 1);
        snprintf(json, sizeof json, "{%.*s}", FMT(key));
        buf_clear(&item);
        msg_person_pack(&item, &(struct msg_person){key, str_of(json), fresh});
        if (key.len)
            list_put(&list, buf_str(&item));
    }
    rest = str_of(left);
    for (Str key; str_cut(&rest, ',', &key);)
        if (key.len)
            list_put(&keys, key);
    HUB_SAYS(d, PRESENCE, presence, .channel = str_of(channel), .version = version, .whole = whole,
             .count = 2, .came = buf_str(&list), .left = buf_str(&keys));
    buf_fini(&list);
    buf_fini(&item);
    buf_fini(&keys);
}

#define EVENT(rest) "event: presence\ndata: {\"channel\":\"a\",\"version\":" rest "}\n\n"
#define STATE(version, users)                                                                      \
    EVENT(#version ",\"state\":{\"count\":2,\"anonymous\":0,\"users\":[" users "]}")
#define CHANGE(version, join, update, leave)                                                       \
    EVENT(#version ",\"count\":2,\"anonymous\":0,\"join\":[" join "],\"update\":[" update          \
                   "],\"leave\":[" leave "]")

static struct browser *watcher(struct desk *d, const char *channels)
{
    struct stream_request q = want(channels);
    q.presence = true;
    struct browser *b = browser_open(d, &q);
    hub_opens(d, 100, 100);
    turn(d);
    browser_got(b);
    return b;
}

static Str watched(struct desk *d)
{
    const struct said *s = worker_said(d, VERB_WATCH);
    struct msg_watch m;
    Str name = STR_NONE;
    if (!s)
        return name;
    assert_true(msg_watch_unpack(buf_str(&s->body), &m));
    list_next(&m.channels, &name);
    return name;
}

static void the_state_comes_first_then_changes(void **state)
{
    struct desk *d = *state;
    struct browser *b = watcher(d, "a");
    assert_true(str_eq(watched(d), STR("a")));
    struct browser *other = browser_live(d, "a", 100);
    pass(d, 500);
    assert_string_equal(browser_got(b), "");
    hub_tells(d, "a", 7, true, "uann,nzoe", "");
    pass(d, 500);
    assert_string_equal(browser_got(b), STATE(7, "{uann},{nzoe}"));
    hub_tells(d, "a", 8, false, "ubob,~uann", "nzoe");
    pass(d, 500);
    assert_string_equal(browser_got(b),
                        CHANGE(8, "{ubob}", "{uann}", "{\"user\":\"zoe\",\"verified\":false}"));
    pass(d, 1000);
    assert_string_equal(browser_got(b), "");
    assert_string_equal(browser_got(other), "");
    struct browser *late = watcher(d, "a");
    assert_non_null(strstr(late->text.p, STATE(8, "{uann},{ubob}")));
    assert_int_equal(watched(d).len, 0);
}

static void who_could_not_take_a_change_gets_the_state(void **state)
{
    struct desk *d = *state;
    struct browser *b = watcher(d, "a");
    hub_tells(d, "a", 7, true, "uann", "");
    pass(d, 500);
    browser_got(b);
    b->is_full = true;
    hub_tells(d, "a", 8, false, "ubob", "");
    pass(d, 500);
    assert_string_equal(browser_got(b), CHANGE(8, "{ubob}", "", ""));
    hub_tells(d, "a", 9, false, "", "uann");
    hub_tells(d, "a", 10, false, "ucid", "");
    pass(d, 500);
    assert_string_equal(browser_got(b), "");
    browser_unblock(b);
    pass(d, 500);
    assert_string_equal(browser_got(b), STATE(10, "{ubob},{ucid}"));
    hub_tells(d, "a", 12, false, "udan", ""); /* something is missing: it asks */
    watched(d);
    assert_true(str_eq(watched(d), STR("a")));
}

static void it_is_asked_again_of_a_new_hub(void **state)
{
    struct desk *d = *state;
    struct browser *b = watcher(d, "a");
    watched(d);
    hub_tells(d, "a", 7, true, "uann", "");
    pass(d, 500);
    browser_got(b);
    link_on_disconnected(d->link, d->now);
    link_on_connected(d->link, d->now);
    hub_welcomes(d, at(100), GAP_NONE);
    assert_true(str_eq(watched(d), STR("a")));
    pass(d, 1000);
    assert_string_equal(browser_got(b), "");
    hub_tells(d, "a", 90, true, "uann,ubob", "");
    pass(d, 500);
    assert_string_equal(browser_got(b), STATE(90, "{uann},{ubob}"));
    stream_close(b->stream);
    turn(d);
    assert_non_null(worker_said(d, VERB_UNWATCH));
}

/* Who is on a, only who may is told. */
static struct stream_request want_guarded(const char *channels)
{
    static const struct channel_rule rule = {.pattern = {"a", 1},
                                             .access = {[MAY_PRESENCE] = ACCESS_GRANTED}};
    struct stream_request q = want(channels);
    q.presence = true;
    q.rights.rules = &rule;
    q.rights.rule_count = 1;
    return q;
}

static void only_who_asked_and_may_is_told(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want_guarded("a,b*");
    browser_open(d, &q);
    hub_opens(d, 100, 100);
    turn(d);
    assert_int_equal(watched(d).len, 0);
    q.rights.grants.presence = (Str){"\0\0\0\1a", 5};
    browser_open(d, &q);
    hub_opens(d, 100, 100);
    turn(d);
    assert_true(str_eq(watched(d), STR("a")));
}

static void who_may_no_longer_see_is_told_no_more(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want_guarded("a");
    q.rights.grants.presence = (Str){"\0\0\0\1a", 5};
    struct browser *other = browser_open(d, &q);
    hub_opens(d, 100, 100);
    q.client = STR("client-blinded-1");
    q.user = q.rights.user = STR("zoe");
    q.expires = link_wall(d->link) + 90000;
    struct browser *b = browser_open(d, &q);
    hub_opens(d, 100, 100);
    hub_tells(d, "a", 7, true, "uann", "");
    pass(d, 500);
    assert_non_null(strstr(browser_got(b), STATE(7, "{uann}")));
    browser_got(other);
    struct buf grants;
    buf_init(&grants, 100);
    for (int i = 0; i < 3; i++)
        list_put(&grants, STR_NONE);
    HUB_SAYS(d, ADD, add, .ref = 5, .client = q.client, .user = q.user, .grants = buf_str(&grants),
             .expires = q.expires);
    buf_fini(&grants);
    hub_tells(d, "a", 8, false, "ubob", "");
    pass(d, 500);
    assert_string_equal(browser_got(b), "");
    assert_string_equal(browser_got(other), CHANGE(8, "{ubob}", "", ""));
}

static void the_hub_hears_what_a_client_carries(void **state)
{
    struct desk *d = *state;
    struct stream_request q = want("a,r*");
    q.label = STR("zoe");
    q.public = STR("{}");
    browser_open(d, &q);
    struct msg_open m = next_open(d);
    assert_true(str_eq(m.label, STR("zoe")) && str_eq(m.public, STR("{}")));
    (void)m;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, desk_setup, desk_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_state_comes_first_then_changes),
        TEST(who_could_not_take_a_change_gets_the_state),
        TEST(it_is_asked_again_of_a_new_hub),
        TEST(only_who_asked_and_may_is_told),
        TEST(who_may_no_longer_see_is_told_no_more),
        TEST(the_hub_hears_what_a_client_carries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
