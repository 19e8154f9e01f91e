/* belfry top -- the hub's figures once a second: rates, the busiest channels, the links. The
 * busiest channels come from the tap, which is best effort: shares are right, sums are the hub's.
 */
#include "base/map.h"
#include "cli/admin.h"
#include "cli/command.h"
#include "cli/outcome.h"
#include "cli/screen.h"
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>

#define TURN_MS       1000
#define TAP_HIGH      4096
#define BUSY_CHANNELS 4096 /* told apart in one second */

struct top {
    uint64_t count;
};

static const struct flag flags[] = {
    {"count", FLAG_COUNT, offsetof(struct top, count), "N", "end after N seconds"},
};

struct busy {
    char *name;
    uint64_t events, bytes;
};

struct figures {
    uint64_t events, bytes; /* that only rise */
    Msec at;
};

struct live {
    struct admin admin;
    struct local tap;
    struct screen screen;
    struct figures before;
    struct busy busy[BUSY_CHANNELS];
    size_t busy_count;
    struct map by_name;
};

static void count_event(struct live *l, const struct parcel *p)
{
    Str name = frame_str(p->part[0]);
    struct busy *b = map_get(&l->by_name, name);
    if (!b && l->busy_count < BUSY_CHANNELS) {
        b = &l->busy[l->busy_count++];
        *b = (struct busy){.name = str_dup(name)};
        map_put(&l->by_name, str_of(b->name), b);
    }
    if (!b)
        return;
    b->events++;
    b->bytes += frame_str(p->part[3]).len;
}

static void read_tap(struct live *l)
{
    struct parcel p;
    for (int i = 0; i < 4 * TAP_HIGH && socket_receive(l->tap.socket, &p); i++) {
        if (p.n == 4)
            count_event(l, &p);
        parcel_fini(&p);
    }
}

static void forget_busy(struct live *l)
{
    map_fini(&l->by_name);
    map_init(&l->by_name);
    for (size_t i = 0; i < l->busy_count; i++)
        free(l->busy[i].name);
    l->busy_count = 0;
}

static int by_events(const void *a, const void *b)
{
    const struct busy *x = a, *y = b;
    return (x->events < y->events) - (x->events > y->events);
}

static void print_busy(struct live *l, size_t rows)
{
    struct table *t = table_new("CHANNEL >EVENTS/S >BYTES/S");
    char figure[FIGURE];
    qsort(l->busy, l->busy_count, sizeof *l->busy, by_events);
    for (size_t i = 0; i < l->busy_count && i < rows; i++) {
        table_put(t, str_of(l->busy[i].name));
        table_put_u64(t, l->busy[i].events);
        table_put(t, str_of(figure_bytes((double)l->busy[i].bytes, figure)));
    }
    table_print(t, stdout);
    table_free(t);
}

static bool print_links(struct live *l, size_t rows, struct fault *why)
{
    const Json *answer = admin_ask(&l->admin, STR("{\"do\":\"links\"}"), ADMIN_MS, why);
    const Json *links = answer ? json_get(answer, "links") : NULL;
    struct table *t = table_new("LINK >CHANNELS >CLIENTS >LAG");
    for (size_t i = 0; i < json_len(links) && i < rows; i++) {
        const Json *one = json_at(links, i);
        table_put(t, admin_str(one, "name"));
        table_put_u64(t, admin_u64(one, "channels"));
        table_put_u64(t, admin_u64(one, "clients"));
        table_put_u64(t, admin_u64(one, "lag"));
    }
    table_print(t, stdout);
    table_free(t);
    return answer;
}

static double rate(uint64_t now, uint64_t before, Msec ms)
{
    return ms && now > before ? (double)(now - before) * 1000 / (double)ms : 0;
}

static struct figures figures_of(const Json *stats)
{
    const Json *counters = json_get(stats, "counters");
    struct figures f = {.bytes = admin_u64(stats, "bytes"), .at = clock_mono()};
    if (counters) {
        f.events = admin_u64(counters, "published_total") + admin_u64(counters, "ephemeral_total");
        f.bytes += admin_u64(counters, "pruned_bytes_total"); /* what came in, not what is left */
    }
    return f;
}

/* One line that says the most: all there is where stdout is no terminal. */
static void print_figures(struct live *l, const Json *s)
{
    char bytes[FIGURE], stored[FIGURE];
    struct figures now = figures_of(s), before = l->before.at ? l->before : now;
    const Json *writable = json_get(s, "writable");
    printf("%.0f events/s  %s bytes/s  %llu streams  %llu links  %llu channels  %llu events  %s "
           "bytes  head %.*s%s\n",
           rate(now.events, before.events, now.at - before.at),
           figure_bytes(rate(now.bytes, before.bytes, now.at - before.at), bytes),
           (unsigned long long)admin_u64(s, "streams"), (unsigned long long)admin_u64(s, "links"),
           (unsigned long long)admin_u64(s, "channels"), (unsigned long long)admin_u64(s, "events"),
           figure_bytes((double)admin_u64(s, "bytes"), stored), FMT(admin_str(s, "head")),
           writable && json_is_true(writable) ? "" : "  NOT WRITABLE");
    l->before = now;
}

static bool draw(struct live *l, struct fault *why)
{
    size_t rows, columns;
    const Json *s = admin_ask(&l->admin, STR("{\"do\":\"stats\"}"), ADMIN_MS, why);
    if (!s)
        return false;
    screen_begin(&l->screen);
    if (l->screen.is_terminal)
        printf("belfry top -- hub %.*s, q ends\n", FMT(admin_str(s, "version")));
    print_figures(l, s);
    if (!l->screen.is_terminal)
        return true;
    screen_size(&l->screen, &rows, &columns);
    size_t half = rows > 10 ? (rows - 6) / 2 : 2;
    putchar('\n');
    print_busy(l, half);
    putchar('\n');
    return print_links(l, half, why);
}

/* The hub is away: what was open is opened anew. */
static bool open_both(struct live *l, const struct options *o, struct fault *why)
{
    struct socket_limits limits = {.high_water = TAP_HIGH, .max_message = -1, .linger_ms = 0};
    admin_close(&l->admin);
    local_close(&l->tap);
    l->before = (struct figures){0};
    return admin_open(&l->admin, o, why) &&
           local_open(&l->tap, o, PLACE_TAP, SOCKET_SUB, limits, why) &&
           socket_subscribe(l->tap.socket, STR(""));
}

static int watch(struct live *l, const struct options *o, uint64_t count)
{
    struct fault why = {0};
    bool ok = open_both(l, o, &why) && draw(l, &why);
    if (!ok)
        return outcome_say(&why);
    for (uint64_t n = 1; n != count; n++) {
        forget_busy(l);
        if (screen_wait(&l->screen, clock_mono() + TURN_MS))
            break;
        read_tap(l);
        if (draw(l, &why))
            continue;
        screen_begin(&l->screen);
        printf("%s\n", why.text);
        if (!open_both(l, o, &why))
            return outcome_say(&why);
    }
    return outcome_of_stdout();
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    const struct top *f = given;
    struct live *l = must_alloc(sizeof *l);
    (void)operands, (void)operand;
    map_init(&l->by_name);
    screen_open(&l->screen);
    int code = watch(l, o, f->count);
    screen_close(&l->screen);
    forget_busy(l);
    map_fini(&l->by_name);
    admin_close(&l->admin);
    local_close(&l->tap);
    free(l);
    return code;
}

const struct command top_command = {
    .name = "top",
    .operands = "",
    .brief = "a live screen: rates, the busiest channels, the links",
    .about =
        "Shows, once a second, what the hub does: events and bytes a second, streams, links, the\n"
        "busiest channels and how far each link lags. q or Ctrl-C ends it. Where stdout is no\n"
        "terminal it prints a line a second.",
    .examples = "  belfry top\n  belfry top --count 60 >> figures.txt\n",
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct top),
    .run = run,
};
