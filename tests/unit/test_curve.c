#include "wire/curve.h"
#include "wire/place.h"
#include "wire/refusal.h"
#include "wire/socket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* The pair in the manual page of zmq_curve. */
#define ONE "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define TWO "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"

static struct fault why;
static char path[] = "/tmp/belfry-curve-XXXXXX";

static CurveKey key(const char *text)
{
    CurveKey k;
    assert_true(curve_parse(str_of(text), &k));
    return k;
}

static void a_key_has_one_text(void **state)
{
    (void)state;
    char text[CURVE_TEXT];
    const CurveKey one = key(ONE);
    static const unsigned char begin[] = {0xBB, 0x88, 0x47, 0x1D};
    assert_memory_equal(one.at, begin, 4);
    assert_string_equal(curve_print(one, text), ONE);
    assert_string_equal(curve_print(key(TWO), text), TWO);
    static const char *const bad[] = {"",
                                      "short",
                                      ONE "0",
                                      ONE " ",
                                      "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hI",
                                      "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hI\\",
                                      "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{h\xff\xff",
                                      "#####e@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{"};
    CurveKey k;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(curve_parse(str_of(bad[i]), &k));
    assert_false(curve_parse(str_make("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hI\0", 40), &k));
}

static void keys_that_are_made_are_keys(void **state)
{
    (void)state;
    char public[CURVE_TEXT], secret[CURVE_TEXT];
    socket_make_keys(public, secret);
    (void)key(public);
    (void)key(secret);
    assert_string_not_equal(public, secret);
}

static struct curve_clients *parse(const char *text)
{
    struct curve_clients *c = curve_clients_parse(str_of(text), &why);
    assert_non_null(c);
    return c;
}

static void a_list_says_who_may_what(void **state)
{
    (void)state;
    struct curve_clients *c =
        parse("# who\n\nworker,"
              "publish\t " ONE "  web1 # in the rack\n#admin " TWO "\ntap " TWO);
    assert_int_equal(curve_clients_len(c), 2);
    assert_int_equal(curve_clients_roles(c, key(ONE)), CURVE_WORKER | CURVE_PUBLISH);
    assert_int_equal(curve_clients_roles(c, key(TWO)), CURVE_TAP);
    assert_int_equal(curve_clients_roles(c, (CurveKey){{0}}), 0);
    curve_clients_free(c);
    curve_clients_free(parse(""));
}

static void what_is_no_list_is_refused_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"worker " ONE "\nroot " TWO, "line 2: \"root\" is no role"},
        {"worker, " ONE, "line 1: \"\" is no role"},
        {" worker " ONE, "line 1: \"\" is no role"},
        {ONE " worker", "is no role"},
        {"worker", "must stand a key"},
        {"worker #" ONE, "must stand a key"},
        {"worker " ONE "\n\nadmin " ONE "\n", "line 3: this key is in an earlier line"},
        {"worker " ONE "\r\n", "must stand a key"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_null(curve_clients_parse(str_of(bad[i].text), &why));
        assert_int_equal(why.code, REFUSE_CONFIG);
        assert_non_null(strstr(why.text, bad[i].says));
    }
}

static void a_list_is_bounded(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, SIZE_MAX);
    for (unsigned i = 0; i <= CURVE_CLIENTS; i++) {
        char line[CURVE_TEXT];
        CurveKey k = {{(unsigned char)(i >> 8), (unsigned char)i}};
        assert_true(buf_printf(&text, "tap %s\n", curve_print(k, line)));
    }
    assert_null(curve_clients_parse(buf_str(&text), &why));
    assert_string_equal(why.text, "line 1025: more than 1024 keys");
    buf_fini(&text);
}

static void what_is_taken_away_is_noticed(void **state)
{
    (void)state;
    struct curve_clients *both = parse("worker,tap " ONE "\nadmin " TWO "\n"),
                         *less = parse("worker,tap " ONE "\n"),
                         *role = parse("worker " ONE "\nadmin " TWO "\n");
    assert_true(curve_clients_keep(both, both));
    assert_true(curve_clients_keep(both, less));
    assert_true(curve_clients_keep(both, role));
    assert_false(curve_clients_keep(less, both));
    assert_false(curve_clients_keep(role, both));
    curve_clients_free(both);
    curve_clients_free(less);
    curve_clients_free(role);
}

static void put(const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static void a_secret_that_others_may_read_is_refused(void **state)
{
    (void)state;
    char text[CURVE_TEXT];
    static const mode_t good[] = {0400, 0600, 0440, 0640}, bad[] = {0644, 0660, 0604, 0602, 0610};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        put(ONE "\n", good[i]);
        assert_true(curve_read_secret(path, text, &why));
        assert_string_equal(text, ONE);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        put(ONE "\n", bad[i]);
        assert_false(curve_read_secret(path, text, &why));
        assert_non_null(strstr(why.text, path));
        assert_non_null(strstr(why.text, "0600 or 0640"));
        assert_true(curve_read_public(path, text, &why));
    }
    static const char *const none[] = {"", "\n", ONE "\n\n", ONE "\n" TWO "\n", "worker " ONE "\n"};
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        put(none[i], 0600);
        assert_false(curve_read_secret(path, text, &why));
        assert_null(strstr(why.text, "Yne@"));
    }
    struct stamp stamp;
    put("tap " ONE "\n", 0666);
    assert_null(curve_clients_read(path, &stamp, &why));
    assert_non_null(strstr(why.text, "everybody may write it"));
}

static void places_have_ports_in_a_row(void **state)
{
    (void)state;
    char out[PLACE_ENDPOINT];
    static const char *const bad[] = {"",           "tcp://",      "tcp://a",       "tcp://a:",
                                      "tcp://a:0",  "tcp://a:b",   "tcp://a:65532", "ipc://a:5",
                                      "tcp://:700", "tcp://a:-70", "tcp://a:70 "};
    assert_true(place_tcp(PLACE_HUB, "listen", "tcp://[::1]:65531", out, &why));
    assert_string_equal(out, "tcp://[::1]:65531");
    assert_true(place_tcp(PLACE_ADMIN, "listen", "tcp://[::1]:65531", out, &why));
    assert_string_equal(out, "tcp://[::1]:65535");
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(place_tcp(PLACE_HUB, "listen", bad[i], out, &why));
        assert_non_null(strstr(why.text, "listen: "));
    }
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    close(fd);
    return fd < 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_has_one_text),
        cmocka_unit_test(keys_that_are_made_are_keys),
        cmocka_unit_test(a_list_says_who_may_what),
        cmocka_unit_test(what_is_no_list_is_refused_with_its_line),
        cmocka_unit_test(a_list_is_bounded),
        cmocka_unit_test(what_is_taken_away_is_noticed),
        cmocka_unit_test_setup_teardown(a_secret_that_others_may_read_is_refused, make_file,
                                        remove_file),
        cmocka_unit_test(places_have_ports_in_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
