#include "auth.h"
#include "mint.h"
#include "wire/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { WALL = 1000000 };

static char origins[] = "https://good.example", none[] = "";
static struct options options;
static struct tokens *tokens;
static struct accounts accounts;
static char *keys;
static struct fault fault;

static int set_up(void **state)
{
    (void)state;
    keys = mint_file(STR(MINT_SECRET));
    options = (struct options){.access = ACCESS_GRANTED,
                               .origins = origins,
                               .token_keys = keys,
                               .token_issuer = none,
                               .token_audience = none,
                               .channels_for_all = none};
    accounts_init(&accounts);
    tokens = tokens_open(&options, &fault);
    return tokens ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    accounts_fini(&accounts);
    tokens_close(tokens);
    mint_drop(keys);
    return 0;
}

/* A request of these variables, each ended by a bar. */
static struct request *request_with(const char *environment)
{
    struct buf nothing, vars;
    buf_init(&nothing, 0);
    buf_init(&vars, MINT_BYTES);
    buf_putz(&vars, environment);
    for (size_t i = 0; i < vars.len; i++)
        vars.p[i] = vars.p[i] == '|' ? '\0' : vars.p[i];
    struct request *r = request_of_environment(buf_str(&vars), &nothing);
    buf_fini(&vars);
    return r;
}

/* Who it is: a name, "" for nobody, "!" for a refusal. */
static const char *who(const char *environment)
{
    static char name[80];
    struct visitor v;
    struct request *r = request_with(environment);
    fault = (struct fault){0};
    bool ok = auth_visitor(&options, tokens, &accounts, r, WALL, false, &v, &fault);
    snprintf(name, sizeof name, "%.*s", ok ? (int)v.user.len : 1, ok ? v.user.p : "!");
    assert_true(!ok || str_eq(v.user, v.rights.user));
    visitor_fini(&v);
    request_free(r);
    return name;
}

static Str token_of(const char *user)
{
    char claims[128];
    snprintf(claims, sizeof claims, "{\"sub\":\"%s\",\"exp\":1100}", user);
    return mint("{\"alg\":\"HS256\"}", claims);
}

static const char *with(const char *before, const char *user, const char *behind)
{
    static char text[2048];
    snprintf(text, sizeof text, "%s%.*s%s", before, FMT(token_of(user)), behind);
    return text;
}

static void a_user_is_believed_only_where_the_server_is(void **state)
{
    (void)state;
    assert_string_equal(who("REMOTE_USER=alice|"), "");
    options.trust_remote_user = true;
    assert_string_equal(who("REMOTE_USER=alice|"), "alice");
    assert_string_equal(who("REMOTE_USER=mallory|REMOTE_USER=alice|"), "alice");
    assert_string_equal(who("REMOTE_USER=a:b|"), "!");
    assert_int_equal(fault.code, REFUSE_FORBIDDEN);
}

static void a_bearer_comes_before_a_cookie_before_a_name(void **state)
{
    (void)state;
    char cookie[1024];
    options.trust_remote_user = true;
    snprintf(cookie, sizeof cookie, "HTTP_COOKIE=a=b; belfry_token=%.*s; c=d|REMOTE_USER=carol|",
             FMT(token_of("bob")));
    assert_string_equal(who(cookie), "bob");
    assert_string_equal(who(with("HTTP_AUTHORIZATION=Bearer ", "alice", "|REMOTE_USER=carol|")),
                        "alice");
    char both[2048];
    snprintf(both, sizeof both, "%sHTTP_AUTHORIZATION=bEARER  %.*s |", cookie,
             FMT(token_of("alice")));
    assert_string_equal(who(both), "alice");
    assert_string_equal(who("HTTP_COOKIE=xbelfry_token=1; belfry_tokens=2|"), "");
    assert_string_equal(who("HTTP_AUTHORIZATION=Basic YTpi|REMOTE_USER=carol|"), "carol");
}

static void one_that_is_no_good_is_not_replaced_by_another(void **state)
{
    (void)state;
    options.trust_remote_user = true;
    static const char *const bad[] = {
        "HTTP_AUTHORIZATION=Bearer|REMOTE_USER=carol|",
        "HTTP_AUTHORIZATION=Bearer x.y.z|REMOTE_USER=carol|",
        "HTTP_COOKIE=belfry_token=|REMOTE_USER=carol|",
        "HTTP_COOKIE=belfry_token=x.y.z|REMOTE_USER=carol|",
        "HTTP_COOKIE=belfry_token|HTTP_AUTHORIZATION=bearer a|",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_string_equal(who(bad[i]), "!");
        assert_int_equal(fault.code, REFUSE_INVALID_TOKEN);
        assert_string_equal(fault.text, "invalid_token");
    }
    assert_string_equal(who(with("HTTP_COOKIE=belfry_token=x; belfry_token=", "bob", "|")), "!");
}

static void rights_end_with_the_token(void **state)
{
    (void)state;
    struct visitor v;
    struct request *r = request_with(with("HTTP_AUTHORIZATION=Bearer ", "alice", "|"));
    assert_true(auth_visitor(&options, tokens, &accounts, r, WALL, false, &v, &fault));
    assert_int_equal(v.expires, 1100000);
    visitor_fini(&v);
    assert_true(auth_visitor(&options, tokens, &accounts, r, 1100000, false, &v, &fault));
    assert_int_equal(v.expires, 1130000); /* in the time that clocks may differ */
    visitor_fini(&v);
    assert_false(auth_visitor(&options, tokens, &accounts, r, 1130000, false, &v, &fault));
    request_free(r);
}

static bool passes(const char *environment)
{
    struct visitor v;
    struct request *r = request_with(environment);
    bool ok = auth_visitor(&options, tokens, &accounts, r, WALL, false, &v, NULL) &&
              auth_origin(&options, r, &v, &fault);
    visitor_fini(&v);
    request_free(r);
    return ok;
}

#define JSON "CONTENT_TYPE=application/json; charset=utf-8|HTTP_HOST=me.example|"

static void whose_address_is_spent_is_known_or_not_looked_at(void **state)
{
    (void)state;
    struct visitor v;
    struct request *r = request_with(with("HTTP_AUTHORIZATION=Bearer ", "alice", "|"));
    struct request *ours = request_with("HTTP_AUTHORIZATION=Bearer guessed|");
    assert_false(auth_visitor(&options, tokens, &accounts, r, WALL, true, &v, &fault));
    assert_int_equal(fault.code, REFUSE_LIMIT);
    assert_int_equal(tokens_counts(tokens).checked, 0);
    assert_false(auth_visitor(&options, tokens, &accounts, ours, WALL, true, &v, &fault));
    assert_int_equal(fault.code, REFUSE_LIMIT);
    for (int is_spent = 0; is_spent < 2; is_spent++) {
        assert_true(auth_visitor(&options, tokens, &accounts, r, WALL, is_spent, &v, &fault));
        assert_true(str_eq(v.user, STR("alice")));
        visitor_fini(&v);
    }
    request_free(r);
    request_free(ours);
}

static void a_strange_site_sends_nothing_in_a_users_name(void **state)
{
    (void)state;
    static const struct {
        const char *origin;
        bool passes;
    } rows[] = {
        {"https://me.example", true},
        {"http://ME.example", true},
        {"https://good.example", true},
        {"https://good.example.evil.example", false},
        {"https://evilgood.example", false},
        {"http://good.example", false},
        {"https://good.example:444", false},
        {"https://evil.example", false},
        {"null", false},
        {"https://me.example.evil.example", false},
        {"https://me.example:8443", false},
        {"me.example", false},
        {"https://", false},
        {"", false},
    };
    options.trust_remote_user = true;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[1024], cookie[2048];
        snprintf(text, sizeof text, JSON "HTTP_ORIGIN=%s|REMOTE_USER=al|", rows[i].origin);
        assert_int_equal(passes(text), rows[i].passes);
        snprintf(cookie, sizeof cookie, JSON "HTTP_ORIGIN=%s|HTTP_COOKIE=belfry_token=%.*s|",
                 rows[i].origin, FMT(token_of("bob")));
        assert_int_equal(passes(cookie), rows[i].passes);
    }
    assert_false(passes(JSON "REMOTE_USER=al|"));
}

static void a_form_needs_what_no_plain_form_has(void **state)
{
    (void)state;
    options.trust_remote_user = true;
#define FROM_HERE "HTTP_ORIGIN=https://me.example|HTTP_HOST=me.example|REMOTE_USER=al|"
    static const char *const plain[] = {
        "CONTENT_TYPE=application/x-www-form-urlencoded|", "CONTENT_TYPE=text/plain|",
        "CONTENT_TYPE=multipart/form-data|", "CONTENT_TYPE=text/plain; application/json|", "A=b|"};
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        char text[512];
        snprintf(text, sizeof text, FROM_HERE "%s", plain[i]);
        assert_false(passes(text));
        assert_int_equal(fault.code, REFUSE_FORBIDDEN);
        snprintf(text, sizeof text, FROM_HERE "%sHTTP_X_REQUESTED_WITH=XMLHttpRequest|", plain[i]);
        assert_true(passes(text));
    }
    assert_true(passes(FROM_HERE "CONTENT_TYPE=Application/X-NDJSON|"));
}

/* Nobody's name, or a name that no browser gives by itself. */
static void who_shows_a_token_needs_no_origin(void **state)
{
    (void)state;
    assert_true(passes("HTTP_ORIGIN=https://evil.example|HTTP_HOST=me.example|"));
    assert_true(passes("CONTENT_TYPE=text/plain|"));
    assert_true(
        passes(with("HTTP_ORIGIN=https://evil.example|HTTP_AUTHORIZATION=Bearer ", "alice", "|")));
}

static void addresses_are_listed(void **state)
{
    (void)state;
    Str list = STR("127.0.0.1,::1");
    assert_true(auth_is_allowed(list, STR("127.0.0.1")));
    assert_true(auth_is_allowed(list, STR("::ffff:127.0.0.1")));
    assert_true(auth_is_allowed(list, STR("::1")));
    assert_false(auth_is_allowed(list, STR("127.0.0.10")));
    assert_false(auth_is_allowed(list, STR("")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_user_is_believed_only_where_the_server_is),
        TEST(a_bearer_comes_before_a_cookie_before_a_name),
        TEST(one_that_is_no_good_is_not_replaced_by_another),
        TEST(rights_end_with_the_token),
        TEST(whose_address_is_spent_is_known_or_not_looked_at),
        TEST(a_strange_site_sends_nothing_in_a_users_name),
        TEST(a_form_needs_what_no_plain_form_has),
        TEST(who_shows_a_token_needs_no_origin),
        TEST(addresses_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
