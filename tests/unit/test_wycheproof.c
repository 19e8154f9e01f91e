/* Signatures that others have thought of: from json_web_signature_test.json of Project Wycheproof
 * (testvectors_v1; Copyright 2016-2024 Google LLC and contributors, Apache License 2.0), those for
 * the algorithms that are taken here; the case's number stands before each. */
#include "mint.h"
#include "token.h"
#include "wire/keyring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define HS_KEY(more)                                                                               \
    "{" more "\"k\":\"-ebuDNsVZ2iJtoZ-akfXTSCt4UO2cruLCsbWlBinggE\",\"kid\":\"kid-aes-sign\","     \
    "\"kty\":\"oct\"}"
#define EC_KEY(more)                                                                               \
    "{" more "\"x\":\"04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY\",\"y\":\"UI8exy-C06a7DUnjIdENk" \
    "xeFtHM4-l_41LqEw9nVgmw\",\"crv\":\"P-256\",\"kid\":\"kid-ec-sign\",\"kty\":\"EC\"}"
#define RSA_KEY(more)                                                                              \
    "{" more "\"n\":\"kqGboBfAWttWPCA-0cGRgsY6SaYoIARt0B_PkaEcIq9HPYNdu9n6UuWHuuTHrjF_ZoQW97r5HaA" \
    "orNvrMEGTGdxCHZdEtkHvNVVmrtxTBLiQCbCozXhFoIrVcr3qUBrdGnNn_M3jJi7Wg7p_-"                       \
    "x62nS5gNG875oyheRkutHsQ"                                                                      \
    "XikFZwsN3q_TsPNOVlCiHy8mxzaFTUQGm-"                                                           \
    "X8UYexFyAivlDSjgDJLAZSWfxd7k9Gxuwa3AUfQqQcVcegmgKGCaErQ3qQb"                                  \
    "h1x7WB6iopE3_-GZ8HMAVtR9AmrVscqYsnjhaCehfAI0iKKs8zXr8tISc0ORbaalrkk03H1ZrsEnDKEWQ\",\"e\":\"" \
    "AQAB\",\"kid\":\"kid-rsa-sign\",\"kty\":\"RSA\"}"

#define HS      "eyJhbGciOiJIUzI1NiIsImtpZCI6ImtpZC1hZXMtc2lnbiJ9"
#define HS_SIGN "D37p4c_0jmreSrBSDmE0F3mYSPtkZ3WrSyI5wb_KTg"
#define EC      "eyJhbGciOiJFUzI1NiIsImtpZCI6ImtpZC1lYy1zaWduIn0"
#define EC_R    "cA0OHyMP7ezamUd5c9kV-FrGxdx4hbGXOdplQkutr"
#define EC_SIGN EC_R "qWrte5P-pAvsE3Ve6xSyU3YDQwUHjVVOtvcrEbbnZ8yA"
#define RS      "eyJhbGciOiJSUzI1NiIsImtpZCI6ImtpZC1yc2Etc2lnbiJ9"
#define RS_SIGN                                                                                    \
    "UwxI1-cZrZgcuOgBQ7G7NE-"                                                                      \
    "GrqK79l6GV1KT4DKXnSMFwC8pfZCzE7pmLE7mYpLCIvzC87yuOjuhT0uW5oe6aaAEtR978"                       \
    "cm-q8dfly45flqMrd_ifhi9GCsMlyi8dpQ42Ou1etZljFZuWjfyk8CN1c5DaHRwhqjScAPIFp6xmzKIRUJ_"          \
    "xdQfUSfSlu"                                                                                   \
    "jLaixtScU518EoNP4oo1v7E8RAz6ZO4g2N4Xqs8OvSxYydcoTEg42QnLHe9JnXgI37Q5gSwinwaPsG3Ry56UYiLoL8mC" \
    "U"                                                                                            \
    "a74S51y02VsIgVmmGWgaXjM-i_lCiKQDBiBnvWlka4XhVuvd6ZWibM9cbCPtPg"
#define K0      "eyJraWQiOiJoczI1Ni1rZXkiLCJhbGciOiJIUzI1NiJ9"
#define K0_SIGN "c1LROH7eNQwUT8KMVEO52VC3WZ9e_AnDWbZ7aMmowV8"

static const char *const keys[] = {
    HS_KEY("\"alg\":\"HS256\",\"use\":\"sig\","),
    EC_KEY("\"alg\":\"ES256\",\"use\":\"sig\","),
    RSA_KEY("\"alg\":\"RS256\",\"use\":\"sig\","),
    "{\"kty\":\"oct\",\"kid\":\"hs256-key\",\"use\":\"sig\",\"alg\":\"HS256\","
    "\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
    "{\"kty\":\"oct\",\"kid\":\"018c0ae5-4d9b-471b-bfd6-eef314bc7037\",\"use\":\"sig\","
    "\"alg\":\"HS256\",\"k\":\"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg\"}",
};
enum { K_HS, K_EC, K_RSA, K_ZERO, K_RFC7520 };

static const struct {
    int number, key;
    bool is_valid;
    const char *jws;
} cases[] = {
    {1, K_HS, true, HS ".Zm9v.T" HS_SIGN},
    {2, K_HS, false, HS ".Zm9v.X" HS_SIGN},
    {3, K_HS, false, HS ".Zm9v."},
    {4, K_HS, false, HS ".Zm9v"},
    {5, K_HS, false, HS ".WG9v.T" HS_SIGN},
    {6, K_HS, false, HS "..T" HS_SIGN},
    {7, K_HS, false, HS ".T" HS_SIGN},
    {8, K_HS, false, "eyJhbGciOiJIUzI1NiIsImtpZCI6IlhpZC1hZXMtc2lnbiJ9.Zm9v.T" HS_SIGN},
    {9, K_HS, false, ".Zm9v.T" HS_SIGN},
    {10, K_HS, false, "Zm9v.T" HS_SIGN},
    {11, K_HS, false, ".Zm9v."},
    {12, K_HS, false, "Zm9v"},
    {13, K_HS, false, ""},
    {14, K_HS, false, HS ".Zm9v.T" HS_SIGN "."},
    {15, K_HS, false, HS ".Zm9v.T" HS_SIGN ".foo"},
    {16, K_HS, false, "eyJhbGciOiJub25lIiwia2lkIjoia2lkLWFlcy1zaWduIn0.Zm9v."},
    {17, K_HS, false,
     "{\"payload\":\"Zm9v\",\"signatures\":[{\"protected\":\"" HS "\",\"header\":{\"unknown\":"
     "\"untrustworthy\"},\"signature\":\"T" HS_SIGN "\"}"},
    {18, K_EC, true, EC ".Zm9v.5" EC_SIGN},
    {19, K_EC, false, EC ".Zm9v.X" EC_SIGN},
    {20, K_EC, false, EC ".Zm9v."},
    {21, K_EC, false, EC ".Zm9v"},
    {22, K_EC, false, EC ".WG9v.5" EC_SIGN},
    {23, K_EC, false, EC "..5" EC_SIGN},
    {24, K_EC, false, EC ".5" EC_SIGN},
    {25, K_EC, false, "eyJhbGciOiJFUzI1NiIsImtpZCI6IlhpZC1lYy1zaWduIn0.Zm9v.5" EC_SIGN},
    {26, K_EC, false, ".Zm9v.5" EC_SIGN},
    {27, K_EC, false, "Zm9v.5" EC_SIGN},
    {31, K_EC, false,
     "eyJhbGciOiJIUzI1NiIsImtpZCI6ImtpZC1lYy1zaWduIn0.Zm9v."
     "TgWtz2FIRukBQ_mA5sgHa0Ybtgn7bl-YBPAi7Z0XdHU"},
    {32, K_EC, false,
     "eyJhbGciOiJFUzI1NiIsImtpZCI6ImtpZC1lYy1zaWduIiwiandrIjp7Imt0eSI6IkVDIiwia2lkIjoia2lkLWVjLXNp"
     "Z24iLCJ1c2UiOiJzaWciLCJhbGciOiJFUzI1NiIsIngiOiJNZG5UWkRJaERKYmZBU2RGcWFtY3BPMkNoOUdOS0sybTBN"
     "UWxoNDAyU3BvIiwieSI6Ijdhdko0bHFfV3l4LW5MUERCUTJZcHl0dUh5TWlvMDdCVXl2bDNqYUMtMVkiLCJjcnYiOiJQ"
     "LTI1NiJ9fQ.Zm9v.4jmsollQD8ZxvySzXYnIEYA4fwaZi2ZbC0aI1J4LYmW2Bn31NhKdjms2N6o51Dff5-InWXQF9m4"
     "5VtTexl6yjg"},
    {33, K_RSA, true, RS ".Zm9v.H" RS_SIGN},
    {34, K_RSA, false, RS ".Zm9v.X" RS_SIGN},
    {35, K_RSA, false, RS ".Zm9v."},
    {37, K_RSA, false, RS ".WG9v.H" RS_SIGN},
    {38, K_RSA, false, RS "..H" RS_SIGN},
    {40, K_RSA, false, "eyJhbGciOiJSUzI1NiIsImtpZCI6IlhpZC1yc2Etc2lnbiJ9.Zm9v.H" RS_SIGN},
    {41, K_RSA, false, ".Zm9v.H" RS_SIGN},
    /* Signed with the true key, the padding of PKCS #1 is another one. */
    {46, K_RSA, false,
     RS ".Zm9v.KudI1-Bo-NhWAmNYu-aEGQA3ciNp-gKgGJETRino-l25uRh9peU1GWjmFfnda0SSZK8msCFMQ-ibIZxkwC1C"
        "UjxBRNwG1LqVtBa2mHtedT3lxKaS0nAQAzhsg0XWAEUjgnH1qtsYXknGzh-Vi_uVsu2yfPy6YhH9_8Ian984VRMzit"
        "HDzeNVcm1jc4vcB6iFicSl4cXWSijLxJSlVkDqMi8Neb3Zw-NQI3mQIt_3Eq51MncS-1vLBr0_qdAFREXVduyb-gRz"
        "gGSrE2pMxEO4Bbp5fvYnjaKsSdtNVvzayKwBDO418mfGzRbQyzpR2EeAFGIAkVRb_Mfh7Uil8nhBeg"},
    {352, K_RFC7520, true,
     "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9."
     "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250"
     "byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hl"
     "cmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0"},
    {357, K_ZERO, true, K0 ".VGVzdA." K0_SIGN},
    {358, K_ZERO, true, K0 ".VDIxMzI1NjY4.AAAAtBuQqoI9HuBeAsgjL4nx8sCGYJa5-G2OrureLO4"},
    {359, K_ZERO, true, K0 ".VDgxMjM0MTM.____ETVRY0lRV9XgQeYX6ixdGT0NLHYb-wZem_ifJ5k"},
    {360, K_ZERO, false, K0 ".VGVzdA.    " K0_SIGN},
    {361, K_ZERO, false, K0 ".VGVzdA.?" K0_SIGN},
    {362, K_ZERO, false, K0 ".VGVzdA." K0_SIGN "?"},
    {363, K_ZERO, false, K0 ".VDIxMzI1NjY4.?AAAtBuQqoI9HuBeAsgjL4nx8sCGYJa5-G2OrureLO4"},
    {364, K_ZERO, false, K0 ".VDgxMjM0MTM.\?\?\?\?ETVRY0lRV9XgQeYX6ixdGT0NLHYb-wZem_ifJ5k"},
    {365, K_ZERO, false, K0 "    .VGVzdA.DR-cdw2cCB53b3mpzMfk2gKTeyN0PhXBrTW1atMfSdM"},
    {366, K_ZERO, false, K0 "####.VGVzdA.23srvDiEYo7665_26qKv4D-0E2a149WRWH_av2ki2I4"},
    {368, K_ZERO, false, K0 ".    VGVzdA.AbPJgmXfihyNBUYpbdPK8qRpPjNuTE-Z_wYQyrU2lMQ"},
    {369, K_ZERO, false, K0 ".####VGVzdA.Ixs2CdBkk8qjqe2-hq2dobqVvv9iDcDS6gPNgoXJyFY"},
    {371, K_ZERO, false, K0 ".?VGVzdA.q0zEA3Js33N6HcOFfBK875qJ_nFwSzI9SN9qJnx5sOc"},
    /* Named valid there, for readers that skip what is no letter of base64; this one does not. */
    {372, K_ZERO, false, "eyJraWQiOiJoczI1Ni1rZXkiLCJhbGciOiJIUzI1NiJ?9.VGVzdA." K0_SIGN},
    {373, K_ZERO, false, K0 ".VGVzdA?." K0_SIGN},
    {374, K_ZERO, false, K0 ".AB.8sL_ycV8G_D-K_2A3I0EW3NoPMeQzv13cAzuHlQ5TAE"},
    {375, K_ZERO, false, K0 ".AB.9phoKDvkBMAqTgeVIYeqAi6-lvC0pbKg9ER--3T97w0"},
    {376, K_ZERO, true,
     "eyAia2lkIiA6ICJoczI1Ni1rZXkiLCAiYWxnIiA6ICJIUzI1NiIgfQ.VGVzdA."
     "3nl1C7dKVGLfNyALp4ZKkmNFBJlFP8M9VGzCyil9S1c"},
    {377, K_ZERO, true,
     "eyJraWQiOiJoczI1Ni1rZXkiLAoJImFsZyI6IkhTMjU2In0.VGVzdA."
     "Yxn8cTl7IHpFIoEPOFrWmjm-GQlr_RMqHNJOp1ZuweY"},
    {378, K_EC, true, EC ".Zm9v.5" EC_R "ppUShFwBW_Qj7IqhFOtNrIXLLKXS5CSZmERxmnjeyoiQ"},
    {379, K_EC, false,
     EC ".Zm9v.AOXANDh8jD-3s2plHeXPZFfhaxsXceIWxlznaZUJLra6AJau17k_6kC-wTdV7rFLJTdgNDBQeNVU629ysRt"
        "udnzI"},
    {380, K_EC, false, EC ".Zm9v.5" EC_R "oAlq7XuT_qQL7BN1XusUslN2A0MFB41VTrb3KxG252fMgA"},
    {381, K_EC, false,
     EC ".Zm9v.AeXANDd8jD-4s2plHeXPZFeeUhXFGPm1S1ChNFgFkdwLAJau17k_6kC-wTdV7rFLJTdgNDBQeNVU629ysRt"
        "udnzI"},
    {382, K_EC, false,
     EC ".Zm9v.AOXANDh8jD-3s2plHeXPZFfhaxsXceIWxlznaZUJLra6AZau17g_6kC_wTdV7rFLJTcdGyr-H-zzcGMse95"
        "q2aIZ"},
    {383, K_EC, false,
     EC ".Zm9v.AeXANDh8jD-3s2plHeXPZFfhaxsXceIWxlznaZUJLra6AJau17k_6kC-wTdV7rFLJTdgNDBQeNVU629ysRt"
        "udnzI"},
    {384, K_EC, false,
     EC ".Zm9v.AOXANDh8jD-3s2plHeXPZFfhaxsXceIWxlznaZUJLra6AZau17k_6kC-wTdV7rFLJTdgNDBQeNVU629ysRt"
        "udnzI"},
};

static bool is_taken(const char *key, Str jws, struct fault *why)
{
    struct token_parts parts;
    struct fault none;
    Msec until;
    struct keyring *r = keyring_read(str_of(key), &none);
    assert_non_null(r);
    bool ok = token_open(&parts, jws, why) &&
              keyring_verify(r, jws, parts.alg, buf_str(&parts.kid), 1, &until, why);
    token_close(&parts);
    keyring_free(r);
    return ok;
}

static void each_case_is_judged_as_it_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fault why = {0};
        if (is_taken(keys[cases[i].key], str_of(cases[i].jws), &why) != cases[i].is_valid)
            fail_msg("%d: %s", cases[i].number, cases[i].is_valid ? why.text : "is taken");
        if (!cases[i].is_valid)
            assert_true(why.text[0]);
    }
}

/* 386 to 401: r and s at the ends of what they may be, each with each. */
static void no_signature_of_the_ends_of_the_range_is_one(void **state)
{
    (void)state;
    static const char order[] =
        "\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xbc\xe6\xfa"
        "\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";
    char ends[4][32] = {{0}};
    ends[1][31] = 1;
    memcpy(ends[2], order, 32);
    ends[2][31]--;
    memcpy(ends[3], order, 32);
    for (size_t i = 0; i < 16; i++) {
        struct buf jws;
        char pair[64];
        struct fault why;
        memcpy(pair, ends[i / 4], 32);
        memcpy(pair + 32, ends[i % 4], 32);
        buf_init(&jws, MINT_BYTES);
        buf_putz(&jws, EC ".Zm9v.");
        mint_base64(&jws, str_make(pair, sizeof pair));
        assert_false(is_taken(keys[K_EC], buf_str(&jws), &why));
        buf_fini(&jws);
    }
}

/* 353 to 356: what is for encryption signs nothing. */
static void a_key_for_something_else_is_none(void **state)
{
    (void)state;
    static const char *const others[] = {RSA_KEY("\"use\":\"enc\","), EC_KEY("\"use\":\"enc\","),
                                         RSA_KEY("\"key_ops\":[\"encrypt\"],"),
                                         EC_KEY("\"key_ops\":[\"encrypt\"],")};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct fault why;
        assert_null(keyring_read(str_of(others[i]), &why));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case_is_judged_as_it_should),
        cmocka_unit_test(no_signature_of_the_ends_of_the_range_is_one),
        cmocka_unit_test(a_key_for_something_else_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
