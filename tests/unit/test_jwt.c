#include "base/base64url.h"
#include "base/json.h"
#include "mint.h"
#include "wire/keyring.h"
#include "wire/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const enum jwt_alg algs[] = {JWT_HS256, JWT_HS384, JWT_HS512,
                                    JWT_RS256, JWT_PS256, JWT_ES256};
static struct fault fault;

static void base64url_has_one_text_for_each_bytes(void **state)
{
    (void)state;
    struct buf b;
    static const char *const bad[] = {"A",
                                      "AB=",
                                      "AA==",
                                      "A+AA",
                                      "A/AA",
                                      "AA AA",
                                      "AAA\n",
                                      "AB",
                                      "AAB",
                                      "A.AA",
                                      "\xff\x41\x41\x41"};
    buf_init(&b, 16);
    assert_true(base64url_decode(&b, STR("")) && b.len == 0);
    assert_true(base64url_decode(&b, STR("-_8A")));
    assert_memory_equal(b.p, "\xfb\xff\0", 3);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(base64url_decode(&b, str_of(bad[i])));
    buf_clear(&b);
    for (int i = 0; i < 256; i++) {
        char byte = (char)i;
        struct buf text;
        buf_init(&text, 8);
        mint_base64(&text, str_make(&byte, 1));
        buf_clear(&b);
        assert_true(base64url_decode(&b, buf_str(&text)) && b.len == 1 && b.p[0] == byte);
        buf_fini(&text);
    }
    assert_false(base64url_decode(&b, STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")));
    buf_fini(&b);
}

/* RFC 7515, A.1 to A.3. */
static void the_examples_of_the_standard_verify(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct keyring *r = keyring_read(str_of(mint_rfc_keys[i]), &fault);
        assert_non_null(r);
        static const enum jwt_alg of[] = {JWT_HS256, JWT_RS256, JWT_ES256};
        for (size_t k = 0; k < 3; k++) {
            Msec until = 1;
            bool ok =
                keyring_verify(r, str_of(mint_rfc_tokens[k]), of[k], STR_NONE, 1, &until, &fault);
            assert_int_equal(ok, k == i);
            assert_true(ok ? until == 0 : fault.code == REFUSE_INVALID_TOKEN);
        }
        keyring_free(r);
    }
}

static void a_key_signs_and_verifies_in_its_own_way(void **state)
{
    (void)state;
    struct jwt_key *keys[COUNT_OF(algs)];
    for (size_t i = 0; i < COUNT_OF(algs); i++) {
        keys[i] = jwt_key_new(algs[i], STR("k"), &fault);
        assert_non_null(keys[i]);
    }
    for (size_t i = 0; i < COUNT_OF(algs); i++) {
        struct buf token;
        buf_init(&token, MINT_BYTES);
        assert_true(jwt_sign(&token, keys[i], STR("k"), STR("{}"), &fault));
        for (size_t k = 0; k < COUNT_OF(algs); k++)
            assert_int_equal(jwt_verify(keys[k], buf_str(&token)), i == k);
        /* Each bit of the signature counts. */
        size_t begin = token.len - 8;
        for (size_t at = begin; at < token.len; at++) {
            char was = token.p[at];
            token.p[at] = was == 'A' ? 'Q' : 'A';
            assert_false(jwt_verify(keys[i], buf_str(&token)) && at + 1 < token.len);
            token.p[at] = was;
        }
        buf_fini(&token);
    }
    for (size_t i = 0; i < COUNT_OF(algs); i++)
        jwt_key_free(keys[i]);
}

static void signatures_that_begin_or_end_elsewhere_are_none(void **state)
{
    (void)state;
    struct jwt_key *key = jwt_key_new(JWT_ES256, STR_NONE, &fault);
    struct buf token;
    buf_init(&token, MINT_BYTES);
    static const size_t sizes[] = {0, 1, 32, 63, 64, 65, 70, 71, 72, 96, 128};
    static const char fills[] = {0, 1, (char)0xff, 0x30};
    for (size_t i = 0; i < COUNT_OF(sizes) * COUNT_OF(fills); i++) {
        char bytes[128];
        memset(bytes, fills[i % COUNT_OF(fills)], sizeof bytes);
        buf_clear(&token);
        buf_putz(&token, "eyJhbGciOiJFUzI1NiJ9.e30.");
        mint_base64(&token, str_make(bytes, sizes[i / COUNT_OF(fills)]));
        assert_false(jwt_verify(key, buf_str(&token)));
    }
    assert_false(jwt_verify(key, STR("")));
    assert_false(jwt_verify(key, STR("no dot")));
    buf_fini(&token);
    jwt_key_free(key);
}

static void refuse_keys(const char *text, const char *reason)
{
    fault = (struct fault){0};
    struct keyring *r = keyring_read(str_of(text), &fault);
    assert_null(r);
    assert_int_equal(fault.code, REFUSE_CONFIG);
    if (!strstr(fault.text, reason))
        fail_msg("%s: %s", text, fault.text);
}

static void keys_that_would_be_weak_are_refused(void **state)
{
    (void)state;
    refuse_keys("", "the secret has 0 bytes, at least 32");
    refuse_keys("thirty-one bytes are not enough", "the secret has 31 bytes");
    refuse_keys("{\"kty\":\"oct\",\"k\":\"\"}", "");
    refuse_keys("{\"kty\":\"oct\"}", "");
    refuse_keys("{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}", "the secret has 5 bytes");
    refuse_keys("{\"kty\":\"oct\",\"alg\":\"none\",\"k\":\"c2hvcnQ\"}", "no key for signatures");
    refuse_keys("{\"kty\":\"oct\",\"alg\":\"RS256\",\"k\":\"c2hvcnRhbmRsb25nZW5vdWdoZm9ydGhpcnR5"
                "dHdvYnl0ZXM\"}",
                "kty: is not one of RS256");
    refuse_keys("{\"keys\":[]}", "no key for signatures");
    refuse_keys("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}]}", "no key for");
    refuse_keys("{\"keys\":", "is not valid JSON");
    refuse_keys(
        "{\"kty\":\"RSA\",\"n\":\"sXchDaQebHnPiGvyDOAT4saGEUetSyo9MKLOoWFsueri23bOdgWp4Dy1W"
        "lUzewbgBHod5pcM9H95GQRV3JDXboIRROSBigeC5yjU1hGzHHyXss8UDprecbAYxknTcQkhslANGRUZmdTOQ5"
        "qTRsLAt6BTYuyvVRdhS8exSZEy\",\"e\":\"AQAB\"}",
        "bits, at least 2048");
    refuse_keys("{\"kty\":\"EC\",\"alg\":\"ES256\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}",
                "");
}

static void a_key_that_is_for_something_else_is_passed_over(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 8192);
    buf_printf(&text,
               "{\"keys\":[{\"use\":\"enc\",%s,{\"alg\":\"RSA-OAEP\",%s,{\"kid\":\"a\",%s,"
               "{\"kid\":\"b\",\"use\":\"sig\",\"key_ops\":[\"verify\"],%s,"
               "{\"key_ops\":[\"encrypt\"],%s]}",
               mint_rfc_keys[1] + 1, mint_rfc_keys[1] + 1, mint_rfc_keys[1] + 1,
               mint_rfc_keys[2] + 1, mint_rfc_keys[2] + 1);
    struct keyring *r = keyring_read(buf_str(&text), &fault);
    assert_non_null(r);
    assert_int_equal(keyring_len(r), 2);
    assert_false(keyring_is_secret(r));
    keyring_free(r);
    buf_clear(&text);
    buf_printf(&text, "{\"keys\":[{\"kid\":\"a\",%s,{\"kid\":\"a\",%s]}", mint_rfc_keys[1] + 1,
               mint_rfc_keys[2] + 1);
    buf_putc(&text, '\0');
    refuse_keys(text.p, "key 2: kid: two keys have the same");
    buf_fini(&text);
}

static void an_old_key_is_valid_until_its_date(void **state)
{
    (void)state;
    struct buf text;
    Str token = str_of(mint_rfc_tokens[2]);
    Msec until;
    buf_init(&text, 8192);
    buf_printf(&text, "{\"exp\":1000,%s", mint_rfc_keys[2] + 1);
    struct keyring *r = keyring_read(buf_str(&text), &fault);
    assert_true(keyring_verify(r, token, JWT_ES256, STR_NONE, 999999, &until, &fault));
    assert_int_equal(until, 1000000);
    assert_false(keyring_verify(r, token, JWT_ES256, STR_NONE, 1000000, &until, &fault));
    keyring_free(r);
    buf_fini(&text);
}

static void without_a_kid_it_must_be_clear_which_key_is_meant(void **state)
{
    (void)state;
    struct buf text;
    Str token = str_of(mint_rfc_tokens[2]);
    Msec until;
    buf_init(&text, 8192);
    buf_printf(&text, "{\"keys\":[{\"kid\":\"a\",%s,{\"kid\":\"b\",%s]}", mint_rfc_keys[2] + 1,
               mint_rfc_keys[2] + 1);
    struct keyring *r = keyring_read(buf_str(&text), &fault);
    assert_false(keyring_verify(r, token, JWT_ES256, STR_NONE, 1, &until, &fault));
    assert_true(keyring_verify(r, token, JWT_ES256, STR("a"), 1, &until, &fault));
    assert_false(keyring_verify(r, token, JWT_ES256, STR("c"), 1, &until, &fault));
    assert_false(keyring_verify(r, token, JWT_HS256, STR("a"), 1, &until, &fault));
    keyring_free(r);
    buf_fini(&text);
}

static void what_is_written_down_is_read_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(algs); i++) {
        struct jwt_key *key = jwt_key_new(algs[i], STR("k"), &fault);
        struct buf json, token;
        buf_init(&json, 65536);
        buf_init(&token, MINT_BYTES);
        assert_true(jwt_key_put(&json, key, true));
        /* cjose does not write what the key is for. */
        Json *jwk = json_parse(buf_str(&json), &fault);
        assert_true(json_is_object(jwk) && !json_get(jwk, "alg"));
        json_free(jwk);
        struct jwt_key *again = jwt_key_of_jwk(buf_str(&json), algs[i], &fault);
        assert_non_null(again);
        assert_true(jwt_sign(&token, again, STR("k"), STR("{}"), &fault));
        assert_true(jwt_verify(key, buf_str(&token)));
        jwt_key_free(key);
        jwt_key_free(again);
        buf_fini(&json);
        buf_fini(&token);
    }
}

static void a_ring_that_is_written_is_read_again(void **state)
{
    (void)state;
    struct keyring *r = keyring_new();
    struct buf json, token;
    char kid[] = "k0";
    Msec until;
    buf_init(&json, KEYRING_BYTES);
    buf_init(&token, MINT_BYTES);
    for (size_t i = 0; i < COUNT_OF(algs); i++, kid[1]++) {
        keyring_retire(r, 1000000 + i * 1000, 1);
        assert_true(keyring_add(r, algs[i], str_of(kid), &fault));
    }
    assert_int_equal(keyring_put(&json, r, true), COUNT_OF(algs));
    struct keyring *again = keyring_read(buf_str(&json), &fault);
    assert_non_null(again);
    assert_true(keyring_sign(again, STR("{}"), 1, &token, &fault));
    assert_true(keyring_verify(r, buf_str(&token), JWT_ES256, STR("k5"), 1, &until, &fault));
    assert_int_equal(until, 0);
    buf_clear(&json);
    assert_int_equal(keyring_put(&json, r, false), 3); /* secrets are nobody else's */
    assert_null(memmem(json.p, json.len, "\"d\"", 3));
    struct keyring *public = keyring_read(buf_str(&json), &fault);
    assert_true(keyring_verify(public, buf_str(&token), JWT_ES256, STR("k5"), 1, &until, &fault));
    assert_false(keyring_sign(public, STR("{}"), 1, &token, &fault));
    keyring_retire(r, 2000000, 1010000); /* the old ones are over */
    assert_int_equal(keyring_len(r), 1);
    keyring_free(r);
    keyring_free(again);
    keyring_free(public);
    buf_fini(&json);
    buf_fini(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64url_has_one_text_for_each_bytes),
        cmocka_unit_test(the_examples_of_the_standard_verify),
        cmocka_unit_test(a_key_signs_and_verifies_in_its_own_way),
        cmocka_unit_test(signatures_that_begin_or_end_elsewhere_are_none),
        cmocka_unit_test(keys_that_would_be_weak_are_refused),
        cmocka_unit_test(a_key_that_is_for_something_else_is_passed_over),
        cmocka_unit_test(an_old_key_is_valid_until_its_date),
        cmocka_unit_test(without_a_kid_it_must_be_clear_which_key_is_meant),
        cmocka_unit_test(what_is_written_down_is_read_again),
        cmocka_unit_test(a_ring_that_is_written_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
