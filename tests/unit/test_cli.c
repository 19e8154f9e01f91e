/* The parts of the command line that do no I/O: flags, tables, moments, lines, requests, events as
 * lines, the doctor's ear, and the link of `belfry sub` against a hub that is spoken by hand. */
#include "base/buf.h"
#include "cli/feed.h"
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
    uint64_t limit;
    Msec ttl;
};

static const struct flag some_flags[] = {
    {"json", FLAG_SWITCH, offsetof(struct some, json), NULL, "as JSON"},
    {"event", FLAG_TEXT, offsetof(struct some, event), "NAME", "its name"},
    {"limit", FLAG_NUMBER, offsetof(struct some, limit), "N", "at most"},
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
        strcat(left, argv[i]);
        strcat(left, ",");
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
        {"--json=yes", "--json takes no value"},
        {"--ttl 5w", "--ttl: a time such as 90, 90s, 500ms, 10m, 2h or 7d is needed, not \"5w\""},
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
        {"2023-11-14T23:13:20.5+01:00", 1700000000000},
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

/* feed: the hub's half of the link is spoken by hand */

#define EPOCH 7

struct hub_side {
    struct feed *feed;
    struct buf said; /* what the feed said and showed, in words */
    uint64_t seq, ref;
    struct msg_hello hello;
    struct msg_fetch fetch;
};

static void on_send(void *ctx, struct header h, Str body)
{
    struct hub_side *s = ctx;
    struct msg_open open;
    buf_printf(&s->said, "%s", verb_name(h.verb));
    if (h.verb == VERB_HELLO) {
        assert_true(msg_hello_unpack(body, &s->hello));
        buf_printf(&s->said, "@%llu/%zu", (unsigned long long)s->hello.at.at,
                   list_count(s->hello.channels));
    } else if (h.verb == VERB_OPEN) {
        assert_true(msg_open_unpack(body, &open));
        s->ref = open.ref;
    } else if (h.verb == VERB_FETCH) {
        assert_true(msg_fetch_unpack(body, &s->fetch));
        s->ref = s->fetch.ref;
        buf_printf(&s->said, "(%llu,%llu]", (unsigned long long)s->fetch.after.at,
                   (unsigned long long)s->fetch.upto);
    }
    buf_putc(&s->said, ' ');
}

static void on_event(void *ctx, const struct event *e)
{
    struct hub_side *s = ctx;
    buf_printf(&s->said, "%llu ", (unsigned long long)e->id.at);
}

static void on_note(void *ctx, const char *text)
{
    struct hub_side *s = ctx;
    buf_printf(&s->said, "<%.3s> ", text);
}

static struct hub_side *side_new(enum start start)
{
    struct hub_side *s = must_alloc(sizeof *s);
    Str channels[] = {STR("a"), STR("b:*")};
    struct feed_wish wish = {.channels = channels, .n = 2, .start = start};
    buf_init(&s->said, 100000);
    s->feed = feed_new(&wish, "sub-1", (struct feed_out){s, on_send, on_event, on_note});
    feed_on_connected(s->feed, 0);
    return s;
}

static void side_free(struct hub_side *s)
{
    feed_free(s->feed);
    buf_fini(&s->said);
    free(s);
}

static void expect(struct hub_side *s, const char *said)
{
    buf_putc(&s->said, '\0');
    assert_string_equal(s->said.p, said);
    buf_clear(&s->said);
}

static void hear(struct hub_side *s, enum verb verb, struct buf *body)
{
    char head[MESSAGE_HEADER];
    s->seq = verb == VERB_WELCOME ? 1 : s->seq + 1;
    header_pack(head, (struct header){PROTOCOL_VERSION, (uint8_t)verb, s->seq});
    feed_on_message(s->feed, str_make(head, sizeof head), buf_str(body), 1);
    buf_fini(body);
}

#define HEAR(s, VERB, type, ...)                                                                   \
    do {                                                                                           \
        struct buf body_;                                                                          \
        buf_init(&body_, 1000000);                                                                 \
        msg_##type##_pack(&body_, &(struct msg_##type){__VA_ARGS__});                              \
        hear(s, VERB_##VERB, &body_);                                                              \
    } while (0)

static void pack_event(struct buf *out, Position at, Position prev)
{
    struct event e = {.id = {at ? EPOCH : 0, at},
                      .prev = prev,
                      .channel = STR("a"),
                      .data = STR("x"),
                      .flags = at ? 0 : EVENT_EPHEMERAL};
    event_pack(out, &e);
}

static void hear_event(struct hub_side *s, Position at, Position prev)
{
    struct buf body;
    buf_init(&body, 10000);
    pack_event(&body, at, prev);
    hear(s, VERB_EVENT, &body);
}

static void hear_rows(struct hub_side *s, Position first, Position last, bool more)
{
    struct buf rows, one;
    buf_init(&rows, 100000);
    for (Position at = first; at <= last; at++) {
        buf_init(&one, 1000);
        pack_event(&one, at, 0);
        list_put(&rows, buf_str(&one));
        buf_fini(&one);
    }
    HEAR(s, ROWS, rows, .ref = s->ref, .rows = buf_str(&rows), .next = {EPOCH, last}, .more = more);
    buf_fini(&rows);
}

static struct hub_side *side_opened(Position from, Position join)
{
    struct hub_side *s = side_new(START_CURSOR);
    expect(s, "HELLO@0/0 ");
    HEAR(s, WELCOME, welcome, .link = 1, .head = {EPOCH, join}, .from = {EPOCH, join});
    expect(s, "OPEN ");
    HEAR(s, OPENED, opened, .ref = s->ref, .join = {EPOCH, join}, .from = {EPOCH, from});
    return s;
}

static void feed_replays_then_follows(void **state)
{
    (void)state;
    struct hub_side *s = side_opened(3, 6);
    expect(s, "FETCH(3,6] ");
    hear_event(s, 7, 6);
    hear_event(s, 0, 0); /* ephemeral, while we are behind: not for us */
    hear_rows(s, 4, 5, true);
    expect(s, "4 5 FETCH(5,6] ");
    assert_false(feed_is_live(s->feed));
    hear_rows(s, 6, 6, false);
    expect(s, "6 7 ");
    assert_true(feed_is_live(s->feed));
    hear_event(s, 0, 0);
    hear_event(s, 9, 7);
    hear_event(s, 9, 9);
    expect(s, "0 9 ");
    side_free(s);
}

static void feed_greets_again_after_a_hole_in_the_sequence(void **state)
{
    (void)state;
    struct hub_side *s = side_opened(6, 6);
    hear_event(s, 7, 6);
    s->seq++;
    hear_event(s, 9, 7);
    expect(s, "7 HELLO@7/2 ");
    hear_event(s, 10, 9); /* of the old link: not before the WELCOME */
    expect(s, "");
    HEAR(s, WELCOME, welcome, .link = 2, .head = {EPOCH, 10}, .from = {EPOCH, 7});
    hear_event(s, 8, 0);
    hear_event(s, 9, 0);
    expect(s, "8 9 ");
    side_free(s);
}

static void feed_greets_again_where_prev_does_not_fit(void **state)
{
    (void)state;
    struct hub_side *s = side_opened(6, 6);
    hear_event(s, 9, 8);
    expect(s, "HELLO@6/2 ");
    side_free(s);
}

static void feed_says_a_gap_and_goes_on_from_the_fork(void **state)
{
    (void)state;
    struct hub_side *s = side_opened(6, 6);
    feed_on_disconnected(s->feed);
    feed_on_connected(s->feed, 5);
    HEAR(s, WELCOME, welcome, .link = 2, .head = {EPOCH + 1, 4}, .from = {EPOCH, 4},
         .reason = GAP_RESET);
    hear_event(s, 5, 4);
    expect(s, "<the> HELLO@6/2 <gap> <the> 5 ");
    side_free(s);
}

static void feed_takes_a_silent_hub_for_gone(void **state)
{
    (void)state;
    struct hub_side *s = side_opened(6, 6);
    feed_tick(s->feed, 1002);
    expect(s, "PULSE ");
    feed_tick(s->feed, 3100);
    expect(s, "<the> HELLO@6/2 ");
    feed_tick(s->feed, 3200);
    expect(s, "");
    feed_tick(s->feed, 4200);
    expect(s, "HELLO@6/2 ");
    side_free(s);
}

static void feed_lets_go_of_what_the_log_has_while_behind(void **state)
{
    (void)state;
    struct hub_side *s = side_opened(5, 6);
    expect(s, "FETCH(5,6] ");
    for (Position at = 7; at <= 7 + 4096; at++) /* one more than are held */
        hear_event(s, at, at - 1);
    hear_event(s, 4104, 4103);
    hear_rows(s, 6, 6, false);
    expect(s, "6 FETCH(6,4103] ");
    HEAR(s, ROWS, rows, .ref = s->ref, .next = {EPOCH, 4103});
    expect(s, "4104 ");
    side_free(s);
}

static void feed_is_refused_by_name(void **state)
{
    (void)state;
    struct fault why = {0};
    struct hub_side *s = side_new(START_DEFAULT);
    HEAR(s, REJECT, reject, .code = REFUSE_VERSION, .detail = STR("version 9"));
    assert_true(feed_is_refused(s->feed, &why));
    assert_int_equal(why.code, REFUSE_VERSION);
    assert_string_equal(why.text, "version 9");
    side_free(s);
}

static void feed_bears_garbage(void **state)
{
    (void)state;
    struct hub_side *s = side_opened(3, 6);
    for (int verb = 0; verb < 256; verb++)
        for (size_t len = 0; len < 40; len += 7) {
            struct buf body;
            buf_init(&body, 1000);
            for (size_t i = 0; i < len; i++)
                buf_putc(&body, (char)(verb + (int)i * 37));
            hear(s, (enum verb)verb, &body);
        }
    feed_on_message(s->feed, STR("short"), STR(""), 1);
    side_free(s);
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
        cmocka_unit_test(feed_replays_then_follows),
        cmocka_unit_test(feed_greets_again_after_a_hole_in_the_sequence),
        cmocka_unit_test(feed_greets_again_where_prev_does_not_fit),
        cmocka_unit_test(feed_says_a_gap_and_goes_on_from_the_fork),
        cmocka_unit_test(feed_takes_a_silent_hub_for_gone),
        cmocka_unit_test(feed_lets_go_of_what_the_log_has_while_behind),
        cmocka_unit_test(feed_is_refused_by_name),
        cmocka_unit_test(feed_bears_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
