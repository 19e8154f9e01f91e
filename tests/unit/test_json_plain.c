#include "base/json.h"
#include "base/memory.h"

#include <jansson.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* What is read without jansson is what jansson reads: every text that differs from a good one by a
 * byte, too. */
static void plain_texts_are_read_as_jansson_reads_them(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"channel\":\"a\",\"data\":{\"n\":[1,20,null,true,false,{}],\"t\":\"\xc3\xa4\"}}",
        " [ 0 , 10 , 123456789012345 , 1234567890123456 , \"\" , [ ] ] ",
        "[-1,1.5,2e3,\"a\\u0041\\n\",[[[{\"a\":{\"b\":1}}]]]]",
        "\"text\"",
        "17",
    };
    static const char bytes[] = "\"\\{}[],:01-ee.tn \t\x01\x7f\x80\xc3\xff";
    size_t flags =
        JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        Str whole = str_of(texts[i]);
        char *text = must_copy(whole.p, whole.len);
        for (size_t at = 0; at < whole.len; at++) {
            for (size_t b = 0; b < sizeof bytes - 1; b++) {
                text[at] = bytes[b];
                Json *ours = json_parse(str_make(text, whole.len), NULL);
                json_t *theirs = json_loadb(text, whole.len, flags, NULL);
                assert_int_equal(ours != NULL, theirs != NULL);
                assert_true(!ours || json_equal((json_t *)(void *)ours, theirs));
                json_free(ours);
                json_decref(theirs);
            }
            text[at] = whole.p[at];
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_texts_are_read_as_jansson_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
