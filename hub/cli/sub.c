/* belfry sub -- follows channels, over every cut. */
#include "cli/command.h"
#include "cli/feed.h"
#include "cli/local.h"
#include "cli/outcome.h"
#include "cli/show.h"
#include "cli/when.h"
#include "wire/names.h"
#include "wire/refusal.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define TURN_MS    250
#define TIMEOUT_MS 10000
#define GULP       256 /* messages between two looks at the time */

struct sub {
    const char *since, *after;
    uint64_t last, count;
    bool earliest, json;
    Msec timeout;
};

static const struct flag flags[] = {
    {"after", FLAG_TEXT, offsetof(struct sub, after), "ID", "begin after this event"},
    {"since", FLAG_TEXT, offsetof(struct sub, since), "WHEN", WHEN_HELP},
    {"last", FLAG_NUMBER, offsetof(struct sub, last), "N", "begin with the newest N"},
    {"earliest", FLAG_SWITCH, offsetof(struct sub, earliest), NULL, "begin with the oldest kept"},
    {"count", FLAG_COUNT, offsetof(struct sub, count), "N", "end after N events"},
    {"json", FLAG_SWITCH, offsetof(struct sub, json), NULL,
     "a JSON object for each line: id, channel, event, data, user, time"},
    {"timeout", FLAG_DURATION, offsetof(struct sub, timeout), "TIME",
     "how long the hub is waited for at first (10s)"},
};

/* One run: the feed, its socket, and what is left to show. */
struct follower {
    const struct sub *flags;
    struct local local;
    struct feed *feed;
    struct buf line;
    uint64_t shown;
    int wake; /* epoll over signals and the socket's watch */
    int signals;
    bool is_over;
    int code;
};

static void send_message(void *ctx, struct header header, Str body)
{
    struct follower *f = ctx;
    char head[MESSAGE_HEADER];
    header_pack(head, header);
    socket_send_strs(f->local.socket, (Str[]){str_make(head, sizeof head), body}, 2);
}

static void show_event(void *ctx, const struct event *e)
{
    struct follower *f = ctx;
    char id[CURSOR_TEXT];
    if (f->is_over || event_is_expired(e, clock_wall()))
        return;
    struct shown s = {
        .id = event_is_ephemeral(e) ? STR_NONE : cursor_print(e->id, id),
        .channel = e->channel,
        .event = e->name,
        .user = e->user,
        .data = e->data,
        .is_json = e->flags & EVENT_JSON,
        .time = e->time,
    };
    buf_clear(&f->line);
    bool ok = f->flags->json ? show_json(&f->line, &s) : show_words(&f->line, &s);
    if (ok)
        fwrite(f->line.p, 1, f->line.len, stdout);
    if (!ok || fflush(stdout) != 0) {
        f->code = ok ? outcome_of_stdout() : EX_SOFTWARE;
        f->is_over = true;
    }
    f->is_over |= ++f->shown == f->flags->count;
}

static void note(void *ctx, const char *text)
{
    (void)ctx;
    outcome_note("%s", text);
}

static bool open_wake(struct follower *f, struct fault *why)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    struct epoll_event signals = {.events = EPOLLIN}, watch = {.events = EPOLLIN | EPOLLET};
    sigprocmask(SIG_BLOCK, &set, NULL);
    f->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    f->wake = epoll_create1(EPOLL_CLOEXEC);
    if (f->signals >= 0 && f->wake >= 0 &&
        epoll_ctl(f->wake, EPOLL_CTL_ADD, f->signals, &signals) == 0 &&
        epoll_ctl(f->wake, EPOLL_CTL_ADD, socket_watch_fd(f->local.socket), &watch) == 0)
        return true;
    return fail(why, REFUSE_INTERNAL, "cannot wait for signals");
}

static void look_for_signals(struct follower *f)
{
    struct signalfd_siginfo info;
    struct epoll_event events[2];
    epoll_wait(f->wake, events, 2, 0); /* so that the next wait is for something new */
    if (read(f->signals, &info, sizeof info) > 0)
        f->is_over = true;
}

static void look_for_changes(struct follower *f, Msec now)
{
    enum socket_change change;
    while ((change = socket_next_change(f->local.socket)) != SOCKET_NO_CHANGE)
        if (change == SOCKET_CONNECTED)
            feed_on_connected(f->feed, now);
        else if (change == SOCKET_DISCONNECTED)
            feed_on_disconnected(f->feed);
}

static void look_for_messages(struct follower *f, Msec now)
{
    struct parcel p;
    for (int i = 0; i < GULP && !f->is_over && socket_receive(f->local.socket, &p); i++) {
        if (p.n == 2)
            feed_on_message(f->feed, frame_str(p.part[0]), frame_str(p.part[1]), now);
        parcel_fini(&p);
    }
}

static void follow(struct follower *f)
{
    Msec patience = f->flags->timeout ? f->flags->timeout : TIMEOUT_MS;
    Msec end = clock_mono() + patience;
    bool was_live = false;
    struct fault why = {0};
    while (!f->is_over) {
        bool ready, is_woken;
        Msec now = clock_mono();
        look_for_signals(f);
        look_for_changes(f, now);
        look_for_messages(f, now);
        feed_tick(f->feed, now);
        was_live |= feed_is_live(f->feed) || f->shown;
        if (feed_is_refused(f->feed, &why) ||
            (!was_live && now > end && !local_away(&f->local, &why))) {
            f->code = outcome_say(&why);
            return;
        }
        if (!f->is_over && !socket_is_readable(f->local.socket))
            socket_wait(&f->local.socket, 1, f->wake, TURN_MS, &ready, &is_woken);
    }
}

static int run_feed(const struct options *o, const struct sub *flags_given,
                    const struct feed_wish *wish)
{
    struct socket_limits limits = {.high_water = 0, .max_message = -1, .linger_ms = 200};
    struct follower f = {.flags = flags_given, .signals = -1, .wake = -1};
    struct fault why = {0};
    char name[40];
    snprintf(name, sizeof name, "sub-%ld", (long)getpid());
    buf_init(&f.line, SHOW_MAX);
    if (local_open(&f.local, o, PLACE_HUB, SOCKET_DEALER, limits, &why) && open_wake(&f, &why)) {
        f.feed = feed_new(wish, name, (struct feed_out){&f, send_message, show_event, note});
        follow(&f);
        feed_goodbye(f.feed);
        feed_free(f.feed);
    } else
        f.code = outcome_say(&why);
    if (f.signals >= 0)
        close(f.signals);
    if (f.wake >= 0)
        close(f.wake);
    local_close(&f.local);
    buf_fini(&f.line);
    return f.code;
}

static bool begin(const struct sub *f, struct feed_wish *wish, struct fault *why)
{
    if ((f->after != NULL) + (f->since != NULL) + (f->last > 0) + f->earliest > 1)
        return fail(why, REFUSE_MALFORMED, "only one of --after, --since, --last, --earliest");
    if (f->after && !cursor_parse(str_of(f->after), &wish->at))
        return fail(why, REFUSE_MALFORMED, "--after: \"%.60s\" is no id", f->after);
    if (f->since && !when_parse(f->since, clock_wall(), &wish->value, why))
        return false;
    if (f->last)
        wish->value = f->last;
    wish->start = f->after      ? START_CURSOR
                  : f->since    ? START_SINCE
                  : f->last     ? START_LAST
                  : f->earliest ? START_EARLIEST
                                : START_DEFAULT;
    return true;
}

static bool names(char **operand, int n, Str *channels, struct fault *why)
{
    if (n > FEED_CHANNELS)
        return fail(why, REFUSE_MALFORMED, "at most %d channels", FEED_CHANNELS);
    for (int i = 0; i < n; i++) {
        channels[i] = str_of(operand[i]);
        if (!pattern_is_valid(channels[i], "channel", why))
            return false;
    }
    return true;
}

static int run(const struct options *o, const void *given, int operands, char **operand)
{
    struct fault why = {0};
    Str *channels = must_alloc((size_t)operands * sizeof *channels);
    struct feed_wish wish = {.channels = channels, .n = (size_t)operands};
    int code = EX_USAGE;
    if (begin(given, &wish, &why) && names(operand, operands, channels, &why))
        code = run_feed(o, given, &wish);
    else
        outcome_note("%s; see belfry sub --help", why.text);
    free(channels);
    return code;
}

const struct command sub_command = {
    .name = "sub",
    .operands = "CHANNEL...",
    .brief = "follows channels and prints their events",
    .about =
        "Follows channels, and patterns with one `*` at the end, and prints each event as one "
        "line:\n"
        "`id channel event data`, or with --json an object. Begins at the present, or where a "
        "flag\n"
        "says; goes on by itself over restarts of the hub, each event once and in order. What is\n"
        "no longer there is said on stderr as a gap. Ends by Ctrl-C or --count.",
    .examples =
        "  belfry sub room:1\n"
        "  belfry sub 'room:*' --last 10\n"
        "  belfry sub orders --json --after \"$(cat last-id)\" | while read -r line; do ...\n",
    .least = 1,
    .most = -1,
    .flags = FLAG_TABLE(flags),
    .size = sizeof(struct sub),
    .run = run,
};
