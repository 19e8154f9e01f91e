#include "base/buf.h"
#include "base/config.h"
#include "base/log.h"
#include "base/manual.h"
#include "base/options.h"
#include "wire/refusal.h"
#include "wire/rights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* What one test loads: a file of its own, and the flags behind it. */
struct world {
    char file[64];
    struct options o;
    struct fault why;
};

static int setup(void **state)
{
    struct world *w = must_alloc(sizeof *w);
    snprintf(w->file, sizeof w->file, "/tmp/belfry-options-XXXXXX");
    int fd = mkstemp(w->file);
    assert_true(fd >= 0);
    close(fd);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    unlink(w->file);
    options_fini(&w->o);
    free(w);
    return 0;
}

static void put_file(struct world *w, Str text)
{
    FILE *file = fopen(w->file, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text.p, 1, text.len, file), text.len);
    fclose(file);
}

/* Up to three flags, NULL where there is none. */
static bool load(struct world *w, enum program program, const char *const flags[3])
{
    char *argv[8], name[] = "program", config[] = "--config";
    int argc = 0;
    argv[argc++] = name;
    argv[argc++] = config;
    argv[argc++] = w->file;
    for (int i = 0; i < 3 && flags[i]; i++)
        argv[argc++] = str_dup(str_of(flags[i]));
    options_fini(&w->o);
    w->why = (struct fault){0};
    bool ok = options_load(&w->o, program, argc, argv, &w->why);
    for (int i = 3; i < argc; i++)
        free(argv[i]);
    return ok;
}

#define LOAD(w, program, ...) load(w, program, (const char *const[3]){__VA_ARGS__})

static bool load_text(struct world *w, const char *text)
{
    put_file(w, str_of(text));
    return LOAD(w, PROGRAM_HUB, NULL);
}

static void expect_refusal(struct world *w, const char *part)
{
    if (w->why.code != REFUSE_CONFIG || !strstr(w->why.text, part))
        fail_msg("\"%s\" does not say \"%s\"", w->why.text, part);
}

static void refuses(struct world *w, const char *text, const char *part)
{
    if (load_text(w, text))
        fail_msg("taken: %s", text);
    expect_refusal(w, part);
}

static void test_defaults(void **state)
{
    struct world *w = *state;
    assert_true(load_text(w, ""));
    assert_string_equal(w->o.run, "/run/belfry");
    assert_string_equal(w->o.group, "");
    assert_int_equal(w->o.max_event, 256 * 1024);
    assert_int_equal(w->o.age, 7 * 86400000ull);
    assert_int_equal(w->o.log_level, LOG_LEVEL_INFO);
    assert_int_equal(w->o.access, ACCESS_GRANTED);
    assert_false(w->o.trust_remote_user);
}

static void test_values_of_every_type(void **state)
{
    struct world *w = *state;
    assert_true(load_text(w, "\xef\xbb\xbf# belfry.conf\r\n"
                             "[belfry]\n"
                             "run = /tmp/a b\n"
                             "access=open\r\n"
                             "log_level : debug\n"
                             "max_event = 64k\n"
                             "max_body = 16M\n"
                             "channels_for_all =\n"
                             "[log]\n"
                             "max_log = 1G\n"
                             "keep = 1000000000\n"
                             "age = 1h\n"
                             "bytes = 1025\n"
                             "[worker]\n"
                             "trust_remote_user = on\n"
                             "head_timeout = 500ms\n"
                             "hub_wait = 0s\n"));
    assert_string_equal(w->o.run, "/tmp/a b");
    assert_string_equal(w->o.channels_for_all, "");
    assert_int_equal(w->o.access, ACCESS_OPEN);
    assert_int_equal(w->o.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(w->o.max_event, 65536);
    assert_int_equal(w->o.max_body, 16777216);
    assert_int_equal(w->o.max_log, 1073741824);
    assert_int_equal(w->o.keep, 1000000000);
    assert_int_equal(w->o.age, 3600000);
    assert_int_equal(w->o.bytes, 1025);
    assert_true(w->o.trust_remote_user);
    assert_int_equal(w->o.head_timeout, 500);
    assert_int_equal(w->o.hub_wait, 0);
}

static void test_malformed_values_name_file_line_and_range(void **state)
{
    struct world *w = *state;
    refuses(w, "[belfry]\n\nmax_event = 2M\n", "line 3: max_event must be a size from 1k to 1M");
    expect_refusal(w, w->file);
    expect_refusal(w, "\"2M\"");
    refuses(w, "[belfry]\nmax_event = 64 k\n", "max_event");
    refuses(w, "[belfry]\nmax_event = -1\n", "max_event");
    refuses(w, "[belfry]\nmax_event =\n", "max_event");
    refuses(w, "[belfry]\nmax_event = 18446744073709551615G\n", "max_event");
    refuses(w, "[log]\nkeep = 1k\n", "keep must be a number from 1 to 1000000000");
    refuses(w, "[log]\nage = 15\n", "age must be a time from 1s to 3650d (like 500ms");
    refuses(w, "[belfry]\naccess = maybe\n", "closed, granted, ask, authenticated or open");
    refuses(w, "[belfry]\nlog_level = loud\n", "error, warn, info or debug");
    refuses(w, "[worker]\ntrust_remote_user = perhaps\n", "yes or no");
    refuses(w, "[belfry]\nrun =\n", "run must be a path");
    refuses(w, "[belfry]\ngroup = \xff\n", "group must be a text");
    refuses(w, "[belfry]\ngroup = a\tb\n", "group must be a text");
    refuses(w,
            "[belfry]\nrun = /012345678901234567890123456789012345678901234567890123456789"
            "0123456789012345678901234567890\n",
            "at most 90 bytes");
}

static void test_unknown_and_misplaced_entries_are_refused(void **state)
{
    struct world *w = *state;
    refuses(w, "[belfry]\nmax_events = 1k\n", "line 2: there is no option max_events");
    refuses(w, "[belfry]\nmax-event = 1k\n", "there is no option max-event");
    refuses(w, "[log]\nmax_event = 1k\n", "max_event belongs in section [belfry]");
    refuses(w, "max_event = 1k\n", "line 1: max_event belongs in section [belfry]");
    refuses(w, "[channel a*b]\n", "line 1: [channel]: ");
    refuses(w, "[belfry]\nmax_event = 1k\n[belfry]\nmax_event = 2k\n",
            "line 4: max_event is given twice");
    refuses(w, "[belfry]\nnothing\n", "line 2: is neither [section] nor name = value");
    refuses(w, "[nobody]\n", "line 1: there is no section [nobody]");
    refuses(w, "[belfry\n", "line 1: a section is a line [NAME]");
    refuses(w, "[belfry]\ngroup = a\n [log]\n", "line 3: a section is a line [NAME]");
}

/* Debian's inih splits a line of 200 bytes and more, and takes `;` for a comment within a line. */
static void test_lines_that_inih_would_misread_are_refused(void **state)
{
    struct world *w = *state;
    char line[CONFIG_LINE + 2] = "group = ";
    memset(line + strlen(line), 'x', CONFIG_LINE - strlen(line));
    assert_true(strlen(line) == CONFIG_LINE);
    struct buf text;
    buf_init(&text, CONFIG_BYTES);
    buf_printf(&text, "[belfry]\n%s\n%c", line, '\0');
    text.len--;
    assert_true(load_text(w, text.p));
    assert_int_equal(strlen(w->o.group), CONFIG_LINE - strlen("group = "));
    line[CONFIG_LINE] = 'x';
    buf_clear(&text);
    buf_printf(&text, "[belfry]\n%s%c", line, '\0');
    refuses(w, text.p, "line 2: longer than 198 bytes");
    buf_fini(&text);
    refuses(w, "[belfry]\ngroup = a ; the group\n", "line 2: `;` cannot be part of a value");
    refuses(w, "[belfry]\ngroup = a;b\n", "`;` cannot be part of a value");
    refuses(w, "[belfry]\ngroup = a # the group\n", "a comment has a line of its own");
    put_file(w, STR("[belfry]\ngroup = a\0b\n"));
    assert_false(LOAD(w, PROGRAM_HUB, NULL));
    expect_refusal(w, "NUL");
}

static void test_lists_go_on_in_indented_lines(void **state)
{
    struct world *w = *state;
    assert_true(load_text(w,
                          "[belfry]\nchannels_for_all = all,\n  news,\n# and\n\tweather\n  sport\n"
                          "[worker]\n  origins = a\n  b\n"));
    assert_string_equal(w->o.channels_for_all, "all,news,weather,sport");
    assert_string_equal(w->o.origins, "a,b");
    refuses(w, "[belfry]\nmax_event = 1k\n  2k\n", "line 3: max_event has one value");
}

static void test_channel_sections_say_who_may(void **state)
{
    struct world *w = *state;
    assert_true(load_text(w, "[channel room:*]\nsubscribe = authenticated\npublish = closed\n"
                             "[channel a]\nkeep = 5\n[channel user:*]\npresence = open\n"));
    assert_int_equal(w->o.section_count, 3);
    const struct channel_rule *room = &w->o.rules[0];
    assert_true(str_eq(room->pattern, STR("room:*")));
    assert_int_equal(room->access[MAY_SUBSCRIBE], ACCESS_AUTHENTICATED);
    assert_int_equal(room->access[MAY_PUBLISH], ACCESS_CLOSED);
    assert_int_equal(room->access[MAY_HISTORY], ACCESS_UNSAID);
    assert_int_equal(w->o.rules[2].access[MAY_PRESENCE], ACCESS_OPEN);
    refuses(w, "[channel a]\nsubscribe = all\n",
            "subscribe must be closed, granted, ask, authenticated or open, not \"all\"");
    refuses(w, "[channel a]\npublish = open\npublish = open\n", "publish is given twice");
}

static void test_channel_sections_set_retention(void **state)
{
    struct world *w = *state;
    assert_true(load_text(w, "[log]\nkeep = 7\n[channel room:lobby]\nkeep = 5\n"
                             "[channel room:*]\nage = 1d\nbytes = 1M\n[channel *]\nkeep = 9\n"));
    struct retention lobby = options_retention(&w->o, STR("room:lobby"));
    assert_int_equal(lobby.keep, 5);
    assert_int_equal(lobby.age, 7 * 86400000ull);
    struct retention room = options_retention(&w->o, STR("room:b"));
    assert_int_equal(room.keep, 7);
    assert_int_equal(room.age, 86400000);
    assert_int_equal(room.bytes, 1048576);
    assert_int_equal(options_retention(&w->o, STR("news")).keep, 9);
    assert_int_equal(options_retention(&w->o, STR("user:ann")).keep, 7);

    refuses(w, "[channel a*b]\nkeep = 5\n", "line 1: [channel]: ");
    refuses(w, "[channel a]\nmax_event = 5k\n",
            "[channel] takes keep, age, bytes, subscribe, publish, history and presence, not");
    refuses(w, "[channel a]\nkeep = 0\n", "keep must be a number from 1");
    refuses(w, "[channel a]\nkeep = 5\nkeep = 6\n", "keep is given twice");
    refuses(w, "[channel a]\nkeep = 5\n  6\n", "keep is given twice; it has one value");
}

/* inih keeps 49 bytes of a section's name. */
static void test_a_long_pattern_is_kept_whole(void **state)
{
    struct world *w = *state;
    static const char name[] = "room:0123456789012345678901234567890123456789012345678901234567890";
    struct buf text;
    buf_init(&text, CONFIG_BYTES);
    buf_printf(&text, "[channel %s]\nkeep = 5\n%c", name, '\0');
    assert_true(load_text(w, text.p));
    assert_int_equal(options_retention(&w->o, str_of(name)).keep, 5);
    assert_int_equal(
        options_retention(&w->o, STR("room:012345678901234567890123456789012345678")).keep, 10000);
    buf_fini(&text);
}

static void test_environment_stands_above_the_file_and_flags_above_both(void **state)
{
    struct world *w = *state;
    put_file(w, STR("[log]\nkeep = 1\nmax_channels = 1\n[hub]\nmax_links = 1\n"));
    setenv("BELFRY_KEEP", "2", 1);
    setenv("BELFRY_MAX_CHANNELS", "2", 1);
    bool ok = LOAD(w, PROGRAM_HUB, "--keep", "3", NULL);
    assert_true(ok && w->o.keep == 3 && w->o.max_channels == 2 && w->o.max_links == 1);
    setenv("BELFRY_KEEP", "none", 1);
    assert_false(LOAD(w, PROGRAM_HUB, NULL));
    expect_refusal(w, "environment, BELFRY_KEEP: keep must be a number");
    unsetenv("BELFRY_KEEP");
    unsetenv("BELFRY_MAX_CHANNELS");
}

static void test_unknown_variables_are_refused(void **state)
{
    struct world *w = *state;
    const char *const names[] = {"BELFRY_KEEPS", "BELFRY_keep", "BELFRY_", "BELFRY_MAX-EVENT"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        setenv(names[i], "1", 1);
        bool ok = LOAD(w, PROGRAM_HUB, NULL);
        unsetenv(names[i]);
        assert_false(ok);
        expect_refusal(w, names[i]);
    }
}

static void test_the_file_may_come_from_the_environment(void **state)
{
    struct world *w = *state;
    char name[] = "belfryd", *argv[] = {name};
    put_file(w, STR("[log]\nkeep = 11\n"));
    setenv("BELFRY_CONFIG", w->file, 1);
    bool ok = options_load(&w->o, PROGRAM_HUB, 1, argv, &w->why);
    unsetenv("BELFRY_CONFIG");
    assert_true(ok);
    assert_int_equal(w->o.keep, 11);
    unlink(w->file);
    assert_false(LOAD(w, PROGRAM_HUB, NULL));
    expect_refusal(w, "No such file");
}

static void test_flags(void **state)
{
    struct world *w = *state;
    assert_true(LOAD(w, PROGRAM_WORKER, "--max-event=2k", "--trust_remote_user=yes", "left"));
    assert_int_equal(w->o.max_event, 2048);
    assert_true(w->o.trust_remote_user);
    assert_int_equal(w->o.argc, 1);
    assert_true(LOAD(w, PROGRAM_WORKER, "--", "--mount", "/x"));
    assert_int_equal(w->o.argc, 2);
    assert_string_equal(w->o.mount, "/events");
    assert_true(LOAD(w, PROGRAM_WORKER, "--mount="));
    assert_string_equal(w->o.mount, "");

    assert_false(LOAD(w, PROGRAM_HUB, "--max_events", "1k"));
    expect_refusal(w, "--max_events: there is no such option");
    assert_false(LOAD(w, PROGRAM_HUB, "--mount", "/x"));
    expect_refusal(w, "--mount: not an option of this program");
    assert_false(LOAD(w, PROGRAM_HUB, "--keep"));
    expect_refusal(w, "--keep: needs a value");
    assert_false(LOAD(w, PROGRAM_HUB, "--keep=0"));
    expect_refusal(w, "--keep: keep must be a number from 1");
    assert_false(LOAD(w, PROGRAM_HUB, "-x"));
    expect_refusal(w, "-x: there is no such option");
    assert_false(LOAD(w, PROGRAM_HUB, "--help=yes"));
    assert_false(LOAD(w, PROGRAM_HUB, "--check-configs"));
}

static char *answer(struct world *w, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);
    assert_non_null(out);
    bool asked = options_answer(&w->o, out, PROGRAM_HUB, "usage: belfryd\n");
    fclose(out);
    assert_true(asked);
    return text;
}

static void expect_answer(struct world *w, const char *flag, const char *part)
{
    size_t len;
    assert_true(LOAD(w, PROGRAM_HUB, flag));
    char *text = answer(w, &len);
    if (!strstr(text, part))
        fail_msg("%s does not say \"%s\"", flag, part);
    free(text);
}

static void test_questions_are_answered_whatever_the_file_holds(void **state)
{
    struct world *w = *state;
    put_file(w, STR("nonsense\n"));
    expect_answer(w, "--help", "--max_log VALUE");
    expect_answer(w, "-h", "usage: belfryd");
    expect_answer(w, "--version", "belfryd 0.");
    expect_answer(w, "--print-config", "#keep = 10000");
    expect_answer(w, "--print-manual", ".Nm belfryd");
    assert_false(LOAD(w, PROGRAM_HUB, "--check-config"));
    put_file(w, STR(""));
    assert_true(LOAD(w, PROGRAM_HUB, "--check-config"));
    assert_true(w->o.check_config && options_answer(&w->o, stdout, PROGRAM_HUB, ""));
    assert_true(LOAD(w, PROGRAM_HUB, NULL));
    assert_false(options_answer(&w->o, stdout, PROGRAM_HUB, ""));
}

/* The printed file, with every `#name = value` made an entry, gives the defaults again. */
static void test_the_sample_is_the_defaults(void **state)
{
    struct world *w = *state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    options_print_config(out);
    fclose(out);
    for (size_t i = 0; i + 1 < len; i++)
        if (text[i] == '#' && text[i + 1] != ' ' && (i == 0 || text[i - 1] == '\n'))
            memmove(text + i, text + i + 1, len-- - i);
    put_file(w, str_make(text, len));
    free(text);
    if (!LOAD(w, PROGRAM_HUB, NULL))
        fail_msg("%s", w->why.text);
    assert_int_equal(w->o.linger, 30000);
    assert_int_equal(options_retention(&w->o, STR("room:a")).keep, 1000);
}

static void test_manual_pages_are_whole(void **state)
{
    const char *const pages[] = {"belfryd.8", "belfry-fcgi.8", "belfry.1", "belfry.conf.5"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);
        assert_true(manual_print(out, pages[i]));
        fclose(out);
        assert_non_null(strstr(text, ".Sh NAME"));
        assert_null(strstr(text, "OPTIONS@"));
        free(text);
    }
    assert_false(manual_print(stdout, "nobody.1"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_values_of_every_type),
        TEST(test_malformed_values_name_file_line_and_range),
        TEST(test_unknown_and_misplaced_entries_are_refused),
        TEST(test_lines_that_inih_would_misread_are_refused),
        TEST(test_lists_go_on_in_indented_lines),
        TEST(test_channel_sections_say_who_may),
        TEST(test_channel_sections_set_retention),
        TEST(test_a_long_pattern_is_kept_whole),
        TEST(test_environment_stands_above_the_file_and_flags_above_both),
        TEST(test_unknown_variables_are_refused),
        TEST(test_the_file_may_come_from_the_environment),
        TEST(test_flags),
        TEST(test_questions_are_answered_whatever_the_file_holds),
        TEST(test_the_sample_is_the_defaults),
        TEST(test_manual_pages_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
