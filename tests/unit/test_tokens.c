/* What is refused of tokens, and why: each reason is for the log, and has nothing of the token. */
#include "mint.h"
#include "tokens.h"
#include "wire/message.h"
#include "wire/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW    1800000000LL /* seconds */
#define WALL   ((Msec)NOW * 1000)
#define GOOD   "{\"sub\":\"alice\",\"exp\":1800000100}"
#define HEADER "{\"alg\":\"HS256\"}"

static struct options options;
static struct fault fault;

struct door {
    char *path;
    struct tokens *tokens;
};

static int set_up(void **state)
{
    struct door *d = must_alloc(sizeof *d);
    static char none[] = "";
    d->path = mint_file(STR(MINT_SECRET "\n"));
    options = (struct options){.token_keys = d->path, .token_issuer = none, .token_audience = none};
    d->tokens = tokens_open(&options, &fault);
    *state = d;
    return d->tokens ? 0 : -1;
}

static int tear_down(void **state)
{
    struct door *d = *state;
    tokens_close(d->tokens);
    mint_drop(d->path);
    free(d);
    return 0;
}

static void refuses(struct door *d, Str text, const char *reason)
{
    fault = (struct fault){0};
    struct token *t = tokens_admit(d->tokens, text, WALL, &fault);
    if (t)
        fail_msg("admitted, instead of: %s", reason);
    assert_int_equal(fault.code, REFUSE_INVALID_TOKEN);
    if (!strstr(fault.text, reason))
        fail_msg("'%s', not '%s'", fault.text, reason);
    if (strstr(fault.text, "alice") || strstr(fault.text, "SECRET") || strstr(fault.text, "eyJ"))
        fail_msg("a reason that tells of the token: %s", fault.text);
}

static struct token *admits(struct door *d, Str text)
{
    fault = (struct fault){0};
    struct token *t = tokens_admit(d->tokens, text, WALL, &fault);
    if (!t)
        fail_msg("refused: %s", fault.text);
    return t;
}

static void a_good_one_says_who_and_what(void **state)
{
    struct door *d = *state;
    struct token *t = admits(
        d, mint(HEADER, "{\"sub\":\"alice\",\"exp\":1800000100.5,\"nbf\":1799999999,\"iat\":1,"
                        "\"more\":[{}],\"belfry\":{\"subscribe\":[\"room:*\",\"a\"],\"publish\":"
                        "[\"b\"],\"presence\":[],\"later\":1}}"));
    assert_true(str_eq(t->user, STR("alice")));
    assert_int_equal(t->expires, 1800000100500);
    assert_true(list_has(t->grants.subscribe, STR("room:*")));
    assert_int_equal(list_count(t->grants.subscribe), 2);
    assert_true(list_has(t->grants.publish, STR("b")));
    assert_int_equal(t->grants.presence.len, 0);
    token_unref(t);
    token_unref(admits(d, mint("{\"typ\":\"jwt\",\"alg\":\"HS256\",\"x5t\":\"abc\"}", GOOD)));
}

struct row {
    const char *text, *reason;
};

static void texts_of_another_shape(void **state)
{
    static const struct row rows[] = {
        {"", "three parts"},
        {".", "three parts"},
        {"..", "three parts"},
        {"...", "three parts"},
        {"SECRET", "three parts"},
        {"eyJhbGciOiJIUzI1NiJ9.e30", "three parts"},
        {"eyJhbGciOiJIUzI1NiJ9.e30.", "three parts"},
        {"eyJhbGciOiJIUzI1NiJ9.e30.AA.AA", "three parts"},
        {"eyJhbGciOiJIUzI1NiJ9.e30.AA.AA.AA", "three parts"},
        {".e30.AA", "header: is not valid JSON"},
        {"eyJhbGciOiJIUzI1NiJ9=.e30.AA", "header: is not base64url"},
        {"eyJhbGciOiJIUzI1NiJ9==.e30.AA", "header: is not base64url"},
        {"eyJhbGci+iJIUzI1NiJ9.e30.AA", "header: is not base64url"},
        {"eyJhbGciOiJI UzI1NiJ9.e30.AA", "header: is not base64url"},
        {"eyJhbGciOiJIUzI1NiJ9.e30=.AA", "payload: is not base64url"},
        {"eyJhbGciOiJIUzI1NiJ9.e3.AA", "payload: is not base64url"},
        {"eyJhbGciOiJIUzI1NiJ9.e30.AA", "signature: does not fit"},
        {"eyJhbGciOiJIUzI1NiJ9.e30.AA==", "signature: does not fit"},
        {"eyJhbGciOiJIUzI1NiJ9..dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "signature: does"},
        {"{\"alg\":\"HS256\"}.{}.x", "header: is not base64url"},
        {"\xff\xfe\xfd.e30.AA", "header: is not base64url"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        refuses(*state, str_of(rows[i].text), rows[i].reason);
    refuses(*state, STR("eyJhbGciOiJIUzI1NiJ9\0.e30.AA"), "header: is not base64url");
}

static void sizes_beyond_what_is_read(void **state)
{
    struct buf claims;
    buf_init(&claims, MINT_BYTES);
    buf_putz(&claims, "{\"sub\":\"alice\",\"exp\":1800000100,\"x\":\"");
    while (claims.len < 6000)
        buf_putc(&claims, 'x');
    buf_putz(&claims, "\"}");
    buf_putc(&claims, '\0');
    token_unref(admits(*state, mint(HEADER, claims.p)));
    while (claims.len < 7000)
        buf_putc(&claims, ' ');
    for (size_t i = 0; i < claims.len; i++)
        claims.p[i] = claims.p[i] ? claims.p[i] : ' ';
    buf_putc(&claims, '\0');
    refuses(*state, mint(HEADER, claims.p), "at most 8192 are read");
    buf_fini(&claims);
}

static void headers_that_say_something_else(void **state)
{
    static const struct row rows[] = {
        {"{\"alg\":\"none\"}", "alg: is none of"},
        {"{\"alg\":\"None\"}", "alg: is none of"},
        {"{\"alg\":\"nOnE\"}", "alg: is none of"},
        {"{\"alg\":\"\"}", "alg: is none of"},
        {"{\"alg\":\"hs256\"}", "alg: is none of"},
        {"{\"alg\":\"HS256 \"}", "alg: is none of"},
        {"{\"alg\":\"HS256\\u0000\"}", "alg: is none of"},
        {"{\"alg\":\"EdDSA\"}", "alg: is none of"},
        {"{\"alg\":\"dir\"}", "alg: is none of"},
        {"{\"alg\":\"RS256\"}", "alg: no key that is valid has it"},
        {"{\"alg\":\"ES256\"}", "alg: no key that is valid has it"},
        {"{\"alg\":\"HS384\"}", "alg: no key that is valid has it"},
        {"{\"alg\":\"HS512\"}", "alg: no key that is valid has it"},
        {"{}", "alg: is missing"},
        {"{\"alg\":null}", "alg: is missing"},
        {"{\"alg\":256}", "alg: is missing"},
        {"{\"alg\":[\"HS256\"]}", "alg: is missing"},
        {"[\"HS256\"]", "header: is not an object"},
        {"\"HS256\"", "header: is not an object"},
        {"null", "header: is not an object"},
        {"", "header: is not valid JSON"},
        {"{\"alg\":\"HS256\"", "header: is not valid JSON"},
        {"{\"alg\":\"HS256\"} x", "header: is not valid JSON"},
        {"{\"alg\":\"HS256\",\"alg\":\"none\"}", "header: is not valid JSON"},
        {"{\"alg\":\"none\",\"alg\":\"HS256\"}", "header: is not valid JSON"},
        {"\xef\xbb\xbf{\"alg\":\"HS256\"}", "header: is not valid JSON"},
        {"{\"alg\":\"HS256\",\"x\":\"\xff\"}", "header: is not valid JSON"},
        {"{'alg':'HS256'}", "header: is not valid JSON"},
        {"{\"alg\":\"HS256\",\"typ\":\"JOSE\"}", "typ: is neither"},
        {"{\"alg\":\"HS256\",\"typ\":1}", "typ: is neither"},
        {"{\"alg\":\"HS256\",\"typ\":null}", "typ: is neither"},
        {"{\"alg\":\"HS256\",\"kid\":\"SECRET\"}", "kid: no key has it"},
        {"{\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}", "kid: no key has it"},
        {"{\"alg\":\"HS256\",\"kid\":\"' OR 1=1 --\"}", "kid: no key has it"},
        {"{\"alg\":\"HS256\",\"kid\":\"\"}", "kid: is no text"},
        {"{\"alg\":\"HS256\",\"kid\":7}", "kid: is no text"},
        {"{\"alg\":\"HS256\",\"kid\":null}", "kid: is no text"},
        {"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", "crit is not taken"},
        {"{\"alg\":\"HS256\",\"b64\":false}", "b64 is not taken"},
        {"{\"alg\":\"HS256\",\"jku\":\"https://evil.example/keys\"}", "jku is not taken"},
        {"{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"}}", "jwk is not taken"},
        {"{\"alg\":\"HS256\",\"x5u\":\"https://evil.example/\"}", "x5u is not taken"},
        {"{\"alg\":\"HS256\",\"x5c\":[]}", "x5c is not taken"},
        {"{\"alg\":\"HS256\",\"zip\":\"DEF\"}", "zip is not taken"},
        {"{\"alg\":\"HS256\",\"enc\":\"A128GCM\"}", "enc is not taken"},
        {"{\"alg\":\"HS256\",\"cty\":\"JWT\"}", "cty is not taken"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        refuses(*state, mint(rows[i].text, GOOD), rows[i].reason);
}

static void nested(char *out, size_t size, const char *open, const char *close, size_t levels)
{
    struct buf b = {.p = out, .cap = size, .max = size - 1};
    for (size_t i = 0; i < levels; i++)
        buf_putz(&b, open);
    for (size_t i = 0; i < levels; i++)
        buf_putz(&b, close);
    out[b.len] = '\0';
}

static void bombs(void **state)
{
    static char text[16384];
    nested(text, sizeof text, "[", "]", 2500);
    refuses(*state, mint(text, GOOD), "header: is not valid JSON");
    refuses(*state, mint(HEADER, text), "payload: is not valid JSON");
    nested(text, sizeof text, "{\"a\":", "}", 65);
    refuses(*state, mint(text, GOOD), "header: is not valid JSON");
    refuses(*state, mint(HEADER, text), "payload: is not valid JSON");
}

static void claims_that_are_not_good(void **state)
{
    static const struct row rows[] = {
        {"{\"sub\":\"alice\"}", "exp: is missing"},
        {"{\"sub\":\"alice\",\"exp\":null}", "exp: is no number"},
        {"{\"sub\":\"alice\",\"exp\":\"1800000100\"}", "exp: is no number"},
        {"{\"sub\":\"alice\",\"exp\":true}", "exp: is no number"},
        {"{\"sub\":\"alice\",\"exp\":-1}", "exp: is no number"},
        {"{\"sub\":\"alice\",\"exp\":1e300}", "exp: is no number"},
        {"{\"sub\":\"alice\",\"exp\":253402300800}", "exp: is no number"},
        {"{\"sub\":\"alice\",\"exp\":[1800000100]}", "exp: is no number"},
        {"{\"sub\":\"alice\",\"exp\":1e999}", "payload: is not valid JSON"},
        {"{\"sub\":\"alice\",\"exp\":0}", "exp: is over"},
        {"{\"sub\":\"alice\",\"exp\":1300819380}", "exp: is over"},
        {"{\"sub\":\"alice\",\"exp\":1799999969}", "exp: is over"},
        {"{\"sub\":\"alice\",\"exp\":1799999970}", "exp: is over"},
        {"{\"sub\":\"alice\",\"exp\":1800000100,\"nbf\":1800000031}", "nbf: is still to come"},
        {"{\"sub\":\"alice\",\"exp\":1800000100,\"nbf\":\"0\"}", "nbf: is no number"},
        {"{\"sub\":\"alice\",\"exp\":1800000100,\"nbf\":null}", "nbf: is no number"},
        {"{\"sub\":\"alice\",\"exp\":1800000100,\"iat\":1800000031}", "iat: is still to come"},
        {"{\"sub\":\"alice\",\"exp\":1800000100,\"iat\":{}}", "iat: is no number"},
        {"{\"sub\":\"alice\",\"exp\":1,\"exp\":1800000100}", "payload: is not valid JSON"},
        {"{\"sub\":\"alice\",\"sub\":\"root\",\"exp\":1800000100}", "payload: is not valid JSON"},
        {"{\"exp\":1800000100}", "sub: is missing"},
        {"{\"sub\":null,\"exp\":1800000100}", "sub: is missing"},
        {"{\"sub\":7,\"exp\":1800000100}", "sub: is missing"},
        {"{\"sub\":[\"alice\"],\"exp\":1800000100}", "sub: is missing"},
        {"{\"sub\":\"\",\"exp\":1800000100}", "sub: is empty"},
        {"{\"sub\":\"alice:x\",\"exp\":1800000100}", "sub: has a ':'"},
        {"{\"sub\":\"alice*\",\"exp\":1800000100}", "sub: is a pattern"},
        {"{\"sub\":\"a,b\",\"exp\":1800000100}", "sub: has a ','"},
        {"{\"sub\":\"$alice\",\"exp\":1800000100}", "sub: begins with '$'"},
        {"{\"sub\":\" alice\",\"exp\":1800000100}", "sub: begins with a blank"},
        {"{\"sub\":\"alice\\u0000\",\"exp\":1800000100}", "sub: has a control"},
        {"{\"sub\":\"alice\\r\\nid: 1\",\"exp\":1800000100}", "sub: has a control"},
        {"{\"sub\":\"\\ud800\",\"exp\":1800000100}", "payload: is not valid JSON"},
        {"{\"sub\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
         "\"exp\":1800000100}",
         "sub: has 65 bytes, at most 64"},
        {"[]", "payload: is not an object"},
        {"null", "payload: is not an object"},
        {"\"alice\"", "payload: is not an object"},
        {"", "payload: is not valid JSON"},
        {"SECRET", "payload: is not valid JSON"},
        {"{\"sub\":\"alice\",\"exp\":1800000100}{}", "payload: is not valid JSON"},
        {"{\"sub\":\"alice\",\"exp\":1800000100,\"aud\":\"x\"}", "token_audience is not set"},
        {"{\"sub\":\"alice\",\"exp\":1800000100,\"aud\":null}", "token_audience is not set"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        refuses(*state, mint(HEADER, rows[i].text), rows[i].reason);
    token_unref(admits(*state, mint(HEADER, "{\"sub\":\"alice\",\"exp\":1799999971}")));
    token_unref(
        admits(*state, mint(HEADER, "{\"sub\":\"alice\",\"exp\":1800000100,\"nbf\":1800000030}")));
}

static void grants_that_are_none(void **state)
{
    static const struct row rows[] = {
        {"[]", "belfry: is not an object"},
        {"null", "belfry: is not an object"},
        {"\"*\"", "belfry: is not an object"},
        {"{\"subscribe\":\"*\"}", "belfry.subscribe: is not an array"},
        {"{\"subscribe\":{}}", "belfry.subscribe: is not an array"},
        {"{\"publish\":[1]}", "belfry.publish: has something that is no string"},
        {"{\"presence\":[null]}", "belfry.presence: has something that is no string"},
        {"{\"subscribe\":[[\"a\"]]}", "belfry.subscribe: has something"},
        {"{\"subscribe\":[\"a*b\"]}", "belfry.subscribe: has a '*'"},
        {"{\"subscribe\":[\"**\"]}", "belfry.subscribe: has a '*'"},
        {"{\"subscribe\":[\"\"]}", "belfry.subscribe: is empty"},
        {"{\"publish\":[\"a,b\"]}", "belfry.publish: has a ','"},
        {"{\"publish\":[\"a\\u0000\"]}", "belfry.publish: has a control"},
        {"{\"publish\":[\" a\"]}", "belfry.publish: begins with a blank"},
    };
    struct buf claims;
    buf_init(&claims, MINT_BYTES);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buf_clear(&claims);
        buf_printf(&claims, "{\"sub\":\"alice\",\"exp\":1800000100,\"belfry\":%s}", rows[i].text);
        buf_putc(&claims, '\0');
        refuses(*state, mint(HEADER, claims.p), rows[i].reason);
    }
    buf_clear(&claims);
    buf_putz(&claims, "{\"sub\":\"alice\",\"exp\":1800000100,\"belfry\":{\"subscribe\":[\"x\"");
    for (int i = 0; i < TOKEN_GRANTS; i++)
        buf_putz(&claims, ",\"x\"");
    buf_putz(&claims, "]}}");
    buf_putc(&claims, '\0');
    refuses(*state, mint(HEADER, claims.p), "has 257 names, at most 256");
    buf_fini(&claims);
}

static void issuer_and_audience_are_asked_for(void **state)
{
    struct door *d = *state;
    static char iss[] = "https://login.example", aud[] = "push";
    static const struct row rows[] = {
        {"\"aud\":\"push\"", "iss: is not"},
        {"\"iss\":\"https://evil.example\",\"aud\":\"push\"", "iss: is not"},
        {"\"iss\":[\"https://login.example\"],\"aud\":\"push\"", "iss: is not"},
        {"\"iss\":\"https://login.example\"", "aud: is not token_audience"},
        {"\"iss\":\"https://login.example\",\"aud\":\"pus\"", "aud: is not token_audience"},
        {"\"iss\":\"https://login.example\",\"aud\":\"push \"", "aud: is not token_audience"},
        {"\"iss\":\"https://login.example\",\"aud\":[]", "aud: is not token_audience"},
        {"\"iss\":\"https://login.example\",\"aud\":[\"mail\",\"shop\"]", "aud: is not token_aud"},
        {"\"iss\":\"https://login.example\",\"aud\":[\"push\",7]", "aud: is neither"},
        {"\"iss\":\"https://login.example\",\"aud\":{\"push\":1}", "aud: is not token_audience"},
    };
    char claims[512];
    tokens_close(d->tokens);
    options.token_issuer = iss;
    options.token_audience = aud;
    d->tokens = tokens_open(&options, &fault);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(claims, sizeof claims, "{\"sub\":\"alice\",\"exp\":1800000100,%s}", rows[i].text);
        refuses(d, mint(HEADER, claims), rows[i].reason);
    }
    const char *good = "{\"sub\":\"alice\",\"exp\":1800000100,\"iss\":\"https://login.example\","
                       "\"aud\":[\"mail\",\"push\"]}";
    token_unref(admits(d, mint(HEADER, good)));
}

/* Signed with what an attacker knows: nothing, another secret, the text of a public key. */
static void keys_that_are_not_ours(void **state)
{
    struct door *d = *state;
    struct buf token;
    buf_init(&token, MINT_BYTES);
    const Str secrets[] = {STR(""), STR("secret"), STR("\0"), STR(MINT_SECRET "\n"),
                           str_of(mint_rfc_keys[1])};
    for (size_t i = 0; i < COUNT_OF(secrets); i++) {
        buf_clear(&token);
        mint_put(&token, STR(HEADER), STR(GOOD), secrets[i]);
        refuses(d, buf_str(&token), "signature: does not fit");
    }
    struct buf keys;
    buf_init(&keys, 8192);
    buf_printf(&keys, "{\"keys\":[{\"kid\":\"rsa\",%s,{\"kid\":\"old\",\"exp\":1799999999,%s]}",
               mint_rfc_keys[1] + 1, mint_rfc_keys[2] + 1);
    mint_write(d->path, buf_str(&keys));
    tokens_tick(d->tokens, 5000);
    buf_clear(&token);
    mint_put(&token, STR("{\"alg\":\"HS256\",\"kid\":\"rsa\"}"), STR(GOOD),
             str_of(mint_rfc_keys[1]));
    refuses(d, buf_str(&token), "alg: is not the key's, which is RS256");
    buf_clear(&token);
    mint_put(&token, STR("{\"alg\":\"PS256\",\"kid\":\"rsa\"}"), STR(GOOD), STR(""));
    refuses(d, buf_str(&token), "alg: is not the key's, which is RS256");
    buf_clear(&token);
    mint_put(&token, STR("{\"alg\":\"RS256\",\"kid\":\"rsa\"}"), STR(GOOD), STR(""));
    refuses(d, buf_str(&token), "signature: does not fit");
    buf_clear(&token);
    mint_put(&token, STR(HEADER), STR(GOOD), STR(""));
    refuses(d, buf_str(&token), "alg: no key that is valid has it");
    buf_clear(&token);
    mint_put(&token, STR("{\"alg\":\"ES256\",\"kid\":\"old\"}"), STR(GOOD), STR(""));
    refuses(d, buf_str(&token), "kid: the key is no longer valid");
    refuses(d, str_of(mint_rfc_tokens[1]), "exp: is over"); /* its signature is good */
    buf_fini(&keys);
    buf_fini(&token);
}

static void one_that_is_known_is_remembered_until_it_is_over(void **state)
{
    struct door *d = *state;
    struct buf token;
    buf_init(&token, MINT_BYTES);
    buf_put(&token, mint(HEADER, GOOD));
    struct token *first = admits(d, buf_str(&token)), *again = admits(d, buf_str(&token));
    assert_ptr_equal(first, again);
    assert_int_equal(tokens_counts(d->tokens).checked, 1);
    assert_int_equal(tokens_counts(d->tokens).remembered, 1);
    assert_null(tokens_admit(d->tokens, buf_str(&token), WALL + 130000, &fault));
    assert_string_equal(fault.text, "exp: is over");
    assert_int_equal(tokens_counts(d->tokens).remembered, 0);
    assert_true(str_eq(again->user, STR("alice"))); /* whoever has it may go on reading it */
    token_unref(first);
    token_unref(again);
    refuses(d, mint(HEADER, "{}"), "exp: is missing");
    assert_int_equal(tokens_counts(d->tokens).remembered, 0);
    buf_fini(&token);
}

static void what_is_remembered_is_bounded(void **state)
{
    struct door *d = *state;
    for (long long i = 0; i < 70000; i++) {
        Str text = mint_claims("{\"sub\":\"u%\",\"exp\":1800000100}", i);
        token_unref(admits(d, text));
    }
    assert_int_equal(tokens_counts(d->tokens).remembered, 65536);
}

static void new_keys_count_at_once_and_bad_ones_not_at_all(void **state)
{
    struct door *d = *state;
    struct buf token, keys;
    buf_init(&token, MINT_BYTES);
    buf_init(&keys, 4096);
    buf_put(&token, mint(HEADER, GOOD));
    token_unref(admits(d, buf_str(&token)));
    mint_write(d->path, STR("short"));
    tokens_tick(d->tokens, 5000);
    token_unref(admits(d, buf_str(&token)));
    buf_printf(&keys, "{\"keys\":[{\"kid\":\"new\",%s,{\"kty\":\"oct\",\"exp\":1800000050,\"k\":\"",
               mint_rfc_keys[0] + 1);
    mint_base64(&keys, STR(MINT_SECRET));
    buf_putz(&keys, "\",\"kid\":\"old\"}]}");
    mint_write(d->path, buf_str(&keys));
    tokens_tick(d->tokens, 5500); /* too soon */
    token_unref(admits(d, buf_str(&token)));
    tokens_tick(d->tokens, 6000);
    assert_int_equal(tokens_counts(d->tokens).remembered, 0);
    refuses(d, buf_str(&token), "kid: is missing, and several keys");
    buf_clear(&token);
    buf_put(&token, mint("{\"alg\":\"HS256\",\"kid\":\"old\"}", GOOD));
    token_unref(admits(d, buf_str(&token)));
    assert_null(tokens_admit(d->tokens, buf_str(&token), WALL + 50000, &fault));
    assert_string_equal(fault.text, "kid: the key is no longer valid");
    buf_fini(&keys);
    buf_fini(&token);
}

static void a_token_may_not_hold_for_longer_than_its_life(void **state)
{
    struct door *d = *state;
    options.token_life = 1000000;
    tokens_close(d->tokens);
    d->tokens = tokens_open(&options, &fault);
    refuses(d, mint(HEADER, "{\"sub\":\"alice\",\"exp\":1800001001}"),
            "exp: is further away than token_life");
    refuses(d, mint(HEADER, "{\"sub\":\"alice\",\"exp\":1800000100,\"iat\":1799999099}"),
            "exp: is further away than token_life");
    token_unref(admits(d, mint(HEADER, "{\"sub\":\"alice\",\"exp\":1800001000}")));
    token_unref(
        admits(d, mint(HEADER, "{\"sub\":\"alice\",\"exp\":1800000100,\"iat\":1799999100}")));
}

static void without_keys_no_token_is_taken(void **state)
{
    struct door *d = *state;
    static char none[] = "", gone[] = "/nowhere/keys", folder[] = "/tmp";
    tokens_close(d->tokens);
    options.token_keys = none;
    d->tokens = tokens_open(&options, &fault);
    refuses(d, mint(HEADER, GOOD), "token_keys is not set");
    options.token_keys = gone;
    assert_null(tokens_open(&options, &fault));
    assert_non_null(strstr(fault.text, "token_keys: /nowhere/keys: No such file"));
    options.token_keys = folder;
    assert_null(tokens_open(&options, &fault));
    assert_non_null(strstr(fault.text, "Is a directory"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_good_one_says_who_and_what),
        TEST(texts_of_another_shape),
        TEST(sizes_beyond_what_is_read),
        TEST(headers_that_say_something_else),
        TEST(bombs),
        TEST(claims_that_are_not_good),
        TEST(grants_that_are_none),
        TEST(issuer_and_audience_are_asked_for),
        TEST(keys_that_are_not_ours),
        TEST(one_that_is_known_is_remembered_until_it_is_over),
        TEST(what_is_remembered_is_bounded),
        TEST(new_keys_count_at_once_and_bad_ones_not_at_all),
        TEST(a_token_may_not_hold_for_longer_than_its_life),
        TEST(without_keys_no_token_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
