#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char written[8192];

static FILE *catch_stderr(int *before)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    *before = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    return file;
}

static void give_back(FILE *file, int before)
{
    dup2(before, STDERR_FILENO);
    close(before);
    rewind(file);
    size_t n = fread(written, 1, sizeof written - 1, file);
    written[n] = '\0';
    fclose(file);
}

static void a_line_is_a_fact(void **state)
{
    (void)state;
    int before;
    unsetenv("JOURNAL_STREAM");
    log_init("belfryd", LOG_LEVEL_INFO);
    FILE *file = catch_stderr(&before);
    log_info("publish", kz("channel", "news"), kn("position", 4711));
    log_warn("slow", kn("ms", 9));
    log_debug("hidden", kn("n", 1));
    give_back(file, before);
    assert_string_equal(written, "belfryd: publish channel=news position=4711\n"
                                 "belfryd: warning: slow ms=9\n");
}

static void values_cannot_forge_lines(void **state)
{
    (void)state;
    int before;
    FILE *file = catch_stderr(&before);
    log_error("odd", kv("a", STR("x\ny")), kv("b", STR("two words")), kz("c", "\xff"), kz("d", ""),
              kz("e", "q\"\\"), kz("f", "caf\xc3\xa9"));
    give_back(file, before);
    assert_string_equal(written, "belfryd: error: odd a=x\\x0ay b=\"two words\" c=\\xff d=\"\" "
                                 "e=\"q\\\"\\\\\" f=caf\xc3\xa9\n");
}

static void long_values_are_cut(void **state)
{
    (void)state;
    static char text[5000];
    int before;
    memset(text, 'a', sizeof text);
    FILE *file = catch_stderr(&before);
    log_info("long", kv("text", str_make(text, sizeof text)));
    give_back(file, before);
    assert_int_equal(strlen(written), strlen("belfryd: long text=") + 1024 + strlen("...\n"));
}

static void systemd_gets_levels(void **state)
{
    (void)state;
    int before;
    setenv("JOURNAL_STREAM", "1:2", 1);
    log_init("belfryd", LOG_LEVEL_DEBUG);
    FILE *file = catch_stderr(&before);
    log_debug("seen", kn("n", 1));
    log_error("bad", kn("n", 2));
    give_back(file, before);
    assert_string_equal(written, "<7>seen n=1\n<3>bad n=2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_a_fact),
        cmocka_unit_test(values_cannot_forge_lines),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(systemd_gets_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
