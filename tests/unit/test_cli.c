/* The parts of the command line that do no I/O: flags, tables, moments, lines, requests, events as
 * lines, remedies. */
#include "base/buf.h"
#include "cli/flags.h"
#include "cli/lines.h"
#include "cli/outcome.h"
#include "cli/publish.h"
#include "cli/remedy.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/when.h"
#include "wire/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* flags */

struct some {
    bool json;
    const char *event;
    uint64_t limit, count;
    Msec ttl;
};

static const struct flag some_flags[] = {
    {"json", FLAG_SWITCH, offsetof(struct some, json), NULL, "as JSON"},
    {"event", FLAG_TEXT, offsetof(struct some, event), "NAME", "its name"},
    {"limit", FLAG_NUMBER, offsetof(struct some, limit), "N", "at most"},
    {"count", FLAG_COUNT, offsetof(struct some, count), "N", "so many"},
    {"ttl", FLAG_DURATION, offsetof(struct some, ttl), "TIME", "how long"},
};
static const struct flag_table some_table = FLAG_TABLE(some_flags);

/* Words between blanks; `left` gets the operands, between commas. */
static bool parse(const char *text, struct some *s, char left[200], bool *help, struct fault *why)
{
    static char words[20][64];
    char *argv[20];
    int argc = 0, operands;
    Str rest = str_of(text), word;
    while (str_cut(&rest, ' ', &word)) {
        snprintf(words[argc], sizeof words[argc], "%.*s", FMT(word));
        argv[argc] = words[argc];
        argc++;
    }
    *s = (struct some){0};
    left[0] = '\0';
    if (!flags_parse(some_table, argc, argv, s, &operands, help, why))
        return false;
    for (int i = 0; i < operands; i++) {
        size_t len = strlen(left);
        snprintf(left + len, 200 - len, "%s,", argv[i]);
    }
    return true;
}

static void flags_are_read_wherever_they_stand(void **state)
{
    (void)state;
    struct some s;
    struct fault why;
    char left[200];
    bool help;
    assert_true(parse("room --event=a hi --limit 7 --json --ttl 2m", &s, left, &help, &why));
    assert_string_equal(left, "room,hi,");
    assert_string_equal(s.event, "a");
    assert_int_equal(s.limit, 7);
    assert_true(parse("--limit 0 --count 1", &s, left, &help, &why));
    assert_true(s.limit == 0 && s.count == 1);
    assert_true(parse("room --event=a hi --limit 7 --json --ttl 2m", &s, left, &help, &why));
    assert_true(s.json);
    assert_int_equal(s.ttl, 120000);
    assert_false(help);
    assert_true(parse("a --event -x - -- --json --help", &s, left, &help, &why));
    assert_string_equal(left, "a,-,--json,--help,");
    assert_string_equal(s.event, "-x");
    assert_false(s.json);
    assert_true(parse("--help", &s, left, &help, &why));
    assert_true(help);
    assert_true(parse("--event=", &s, left, &help, &why));
    assert_string_equal(s.event, "");
}

static void flags_that_are_wrong_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *words, *text;
    } wrong[] = {
        {"--colour red", "unknown option --colour"},
        {"-j", "unknown option -j (options are long; after -- everything is an operand)"},
        {"--limit", "--limit needs a value: N"},
        {"--limit 7x", "--limit: a number is needed, not \"7x\""},
        {"--limit 99999999999999999999",
         "--limit: a number is needed, not \"99999999999999999999\""},
        {"--count 0", "--count: a number from 1 is needed, not \"0\""},
        {"--json=yes", "--json takes no value"},
        {"--ttl 5w", "--ttl: a time such as 90, 90s, 500ms, 10m, 2h or 7d is needed, not \"5w\""},
        {"--ttl 0", "--ttl: a time such as 90, 90s, 500ms, 10m, 2h or 7d is needed, not \"0\""},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct some s;
        struct fault why;
        char left[200];
        bool help;
        assert_false(parse(wrong[i].words, &s, left, &help, &why));
        assert_string_equal(why.text, wrong[i].text);
        assert_int_equal(why.code, REFUSE_MALFORMED);
    }
}

static void durations_have_units(void **state)
{
    (void)state;
    uint64_t ms;
    assert_true(flags_duration("90", &ms) && ms == 90000);
    assert_true(flags_duration("500ms", &ms) && ms == 500);
    assert_true(flags_duration("7d", &ms) && ms == 604800000);
    assert_false(flags_duration("", &ms));
    assert_false(flags_duration("s", &ms));
    assert_false(flags_duration("1.5s", &ms));
    assert_false(flags_duration("999999999999999999d", &ms));
}

/* What `print` writes to a file. */
static char *printed(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    print(out);
    fclose(out);
    return text;
}

static void print_flags(FILE *out)
{
    flags_print(some_table, out);
}

static void help_has_a_line_for_each_flag(void **state)
{
    (void)state;
    char *text = printed(print_flags);
    assert_string_equal(text, "  --json                     as JSON\n"
                              "  --event NAME               its name\n"
                              "  --limit N                  at most\n"
                              "  --count N                  so many\n"
                              "  --ttl TIME                 how long\n"
                              "  --help                     this text\n");
    free(text);
}

/* table */

static void print_table(FILE *out)
{
    struct table *t = table_new("NAME >COUNT WHAT");
    table_put(t, STR("grün"));
    table_put_u64(t, 7);
    table_put(t, STR("a\x1b[31m\nb"));
    table_put(t, STR(""));
    table_put_u64(t, 123456);
    table_put(t, STR("\xff"));
    table_print(t, out);
    table_free(t);
}

static void tables_are_aligned_and_harmless(void **state)
{
    (void)state;
    char *text = printed(print_table);
    assert_string_equal(text, "NAME   COUNT  WHAT\n"
                              "grün       7  a\\x1b[31m\\nb\n"
                              "-     123456  \\xff\n");
    free(text);
}

static void figures_are_short(void **state)
{
    (void)state;
    char out[FIGURE];
    assert_string_equal(figure_bytes(0, out), "0");
    assert_string_equal(figure_bytes(1023, out), "1023");
    assert_string_equal(figure_bytes(1536, out), "1.5K");
    assert_string_equal(figure_bytes(64.0 * 1024 * 1024, out), "64M");
    assert_string_equal(figure_age(999, out), "0s");
    assert_string_equal(figure_age(119000, out), "119s");
    assert_string_equal(figure_age(3 * 3600000, out), "3h");
    assert_string_equal(figure_age(30 * UINT64_C(86400000), out), "30d");
}

/* when */

static void moments_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        Msec at;
    } good[] = {
        {"-300", 1700000000000 - 300000},
        {"5m", 1700000000000 - 300000},
        {"-2h", 1700000000000 - 7200000},
        {"1600000000", 1600000000000},
        {"2023-11-14", 1699920000000},
        {"2023-11-14T22:13:20Z", 1700000000000},
        {"2023-11-14 22:13:20", 1700000000000},
        {"2023-11-14T23:13:20.5+01:00", 1700000000500},
        {"-99999999999", 0},
    };
    static const char *const bad[] = {"",
                                      "x",
                                      "5w",
                                      "2023-13-01",
                                      "2023-11-1",
                                      "2023-11-14T",
                                      "-",
                                      "2023-11-14T22:13",
                                      "2023-11-14T22:13:20+1",
                                      "--5"};
    Msec at;
    struct fault why;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_true(when_parse(good[i].text, 1700000000000, &at, &why));
        assert_int_equal(at, good[i].at);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(when_parse(bad[i], 1700000000000, &at, &why));
}

/* lines */

static void lines_come_whole_and_long_ones_are_refused_alone(void **state)
{
    (void)state;
    struct lines l;
    Str line;
    FILE *file = tmpfile();
    fputs("one\n\n", file);
    for (size_t i = 0; i < LINE_MAX_BYTES + 100000; i++)
        fputc('x', file);
    fputs("\nlast", file);
    fflush(file);
    lseek(fileno(file), 0, SEEK_SET);
    lines_init(&l, fileno(file));
    char seen[200] = "";
    enum line what;
    while ((what = lines_next(&l, &line)) != LINE_END) {
        if (what == LINE_NOT_YET)
            assert_true(lines_read(&l));
        else
            sprintf(seen + strlen(seen), "%zu:%.*s;", l.number,
                    what == LINE_HERE ? (int)line.len : 1, what == LINE_HERE ? line.p : "!");
    }
    assert_string_equal(seen, "1:one;2:;3:!;4:last;");
    lines_fini(&l);
    fclose(file);
}

/* publish */

static bool write_down(void *owner, const struct publish *p, struct fault *why)
{
    struct buf channel, options;
    Str frames[PUBLISH_FRAMES];
    (void)why;
    buf_init(&channel, 1000);
    buf_init(&options, 1000);
    size_t n = publish_frames(p, &channel, &options, frames);
    for (size_t i = 0; i < n; i++)
        buf_printf(owner, "[%.*s]", FMT(frames[i]));
    buf_fini(&channel);
    buf_fini(&options);
    return true;
}

static void requests_are_taken_apart(void **state)
{
    (void)state;
    struct buf out;
    struct fault why = {0};
    buf_init(&out, 10000);
    assert_true(publish_each(STR("{\"channels\":[\"a\",\"b\"],\"user\":\"eve\",\"event\":\"e\","
                                 "\"data\":{ \"n\": 1.50 },\"ttl\":9,\"idempotencyKey\":\"k\"}"),
                             write_down, &out, &why));
    assert_true(publish_each(STR("{\"channel\":\"c\",\"ephemeral\":true,\"data\":\"x\"}"),
                             write_down, &out, &why));
    buf_putc(&out, '\0');
    assert_string_equal(out.p,
                        "[a][e][{\"n\":1.50}][{\"idempotencyKey\":\"k\",\"json\":true,\"ttl\":9}]"
                        "[b][e][{\"n\":1.50}][{\"idempotencyKey\":\"k:2\",\"json\":true,\"ttl\":9}]"
                        "[user:eve][e][{\"n\":1.50}]"
                        "[{\"idempotencyKey\":\"k:3\",\"json\":true,\"ttl\":9}]"
                        "[c][][\"x\"][{\"json\":true,\"ephemeral\":true}]");
    buf_fini(&out);
}

static void requests_that_are_wrong_name_the_field(void **state)
{
    (void)state;
    static const struct {
        const char *line, *begin;
    } wrong[] = {
        {"[1]", "a JSON object"},
        {"{\"data\":1}", "channel:"},
        {"{\"channel\":7,\"data\":1}", "channel:"},
        {"{\"channels\":\"a\",\"data\":1}", "channels:"},
        {"{\"channel\":\"a\",\"ttl\":0}", "ttl:"},
        {"{\"channel\":\"a\",\"ephemeral\":1}", "ephemeral:"},
        {"{\"channel\":\"a\",\"colour\":1}", "colour:"},
        {"{\"channel\":\"a*\"}", "channel"},
        {"{\"user\":\"a:b\"}", "user"},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct buf out;
        struct fault why = {0};
        buf_init(&out, 10000);
        assert_false(publish_each(str_of(wrong[i].line), write_down, &out, &why));
        assert_memory_equal(why.text, wrong[i].begin, strlen(wrong[i].begin));
        assert_int_equal(outcome_of(why.code), EX_DATAERR);
        buf_fini(&out);
    }
}

static void refusals_have_exit_codes(void **state)
{
    (void)state;
    assert_int_equal(outcome_of(REFUSE_NOT), 0);
    assert_int_equal(outcome_of(REFUSE_TOO_LARGE), 65);
    assert_int_equal(outcome_of(REFUSE_CONFLICT), 65);
    assert_int_equal(outcome_of(REFUSE_FORBIDDEN), 77);
    assert_int_equal(outcome_of(REFUSE_HUB_AWAY), 75);
    assert_int_equal(outcome_of(REFUSE_OVERLOAD), 75);
    assert_int_equal(outcome_of(REFUSE_DISK_FULL), 75);
    assert_int_equal(outcome_of(REFUSE_UNKNOWN_OUTCOME), 76);
}

/* show */

static void events_are_one_line(void **state)
{
    (void)state;
    struct buf out;
    struct shown e = {
        .id = STR("aaaaaaaa-1"), .channel = STR("c"), .data = STR("a\n\"b\""), .time = 5};
    buf_init(&out, 10000);
    assert_true(show_words(&out, &e));
    assert_true(show_json(&out, &e));
    e = (struct shown){.channel = STR("c"),
                       .event = STR("n"),
                       .user = STR("u"),
                       .data = STR("[1]"),
                       .is_json = true};
    assert_true(show_words(&out, &e));
    assert_true(show_json(&out, &e));
    buf_putc(&out, '\0');
    assert_string_equal(out.p, "aaaaaaaa-1 c - a\\n\"b\"\n"
                               "{\"id\":\"aaaaaaaa-1\",\"channel\":\"c\",\"event\":null,"
                               "\"data\":\"a\\n\\\"b\\\"\",\"user\":null,\"time\":5}\n"
                               "- c n [1]\n"
                               "{\"id\":null,\"channel\":\"c\",\"event\":\"n\",\"data\":[1],"
                               "\"user\":\"u\",\"time\":0}\n");
    buf_fini(&out);
}

/* remedy */

static void every_ill_has_a_remedy(void **state)
{
    (void)state;
    static const char *const headers[] = {"nginx/1.22.1",
                                          "lighttpd/1.4.69",
                                          "Apache/2.4.71 (Debian)",
                                          "Caddy",
                                          "h2o/2.2.5",
                                          "other",
                                          ""};
    for (size_t i = 0; i < COUNT_OF(headers); i++)
        for (enum ill ill = ILL_DOWN; ill <= ILL_UNNOTICED; ill++)
            assert_true(strlen(remedy_for(remedy_server(str_of(headers[i])), ill)) > 10);
    assert_string_equal(remedy_server(STR("nginx/1.22.1")), "nginx");
    assert_string_equal(remedy_server(STR("apache")), "apache");
    assert_string_equal(remedy_for("nginx", ILL_NONE), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_are_read_wherever_they_stand),
        cmocka_unit_test(flags_that_are_wrong_are_named),
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(help_has_a_line_for_each_flag),
        cmocka_unit_test(tables_are_aligned_and_harmless),
        cmocka_unit_test(figures_are_short),
        cmocka_unit_test(moments_are_read),
        cmocka_unit_test(lines_come_whole_and_long_ones_are_refused_alone),
        cmocka_unit_test(requests_are_taken_apart),
        cmocka_unit_test(requests_that_are_wrong_name_the_field),
        cmocka_unit_test(refusals_have_exit_codes),
        cmocka_unit_test(events_are_one_line),
        cmocka_unit_test(every_ill_has_a_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
