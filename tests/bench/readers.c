/* readers -- thousands of streams in one process, led by words on standard input.
 *
 *   readers --port N --path PATH --streams N [--channels N] [--opened TEXT] [--burst N]
 *           [--stall PERCENT] [--most N] [--ids] [--websocket] [--header "NAME: VALUE"]
 *
 * open          opens all that are closed, `burst` at a time, those that fail again; answers when
 * done begin         forgets what came so far expect N SEC  answers when each has got N events, or
 * none has got one for SEC seconds lap           answers at once; latencies begin again cut closes
 * all; they go on from their last id with the next `open` wake          those that did not read
 * (`stall`) read, and go on from their last id when closed quit Answers are lines of JSON. Events
 * carry a payload (payload.h). */
#include "reader.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LINE = 256, EVENTS = 1024, TRIES_A_STREAM = 20, WAIT_MS = 50 };
enum goal { GOAL_NONE, GOAL_OPEN, GOAL_COUNT };

struct run {
    struct readers_plan plan;
    struct readers_counts counts;
    struct reader *v;
    size_t n, burst, stall;
    int ep;
    enum goal goal;
    size_t opening, open, next, tries, closed;
    uint64_t wanted, patience_us, limit_us, goal_from, opened_us;
    bool is_reopening, is_late, is_over;
    size_t line_len;
    char line[LINE];
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(struct run *run, size_t i, int how, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.u64 = i};
    if (epoll_ctl(run->ep, how, run->v[i].fd, &e))
        die("epoll_ctl");
}

static void connect_one(struct run *run, size_t i)
{
    if (!reader_connect(&run->v[i], i, &run->plan)) {
        run->tries++;
        return;
    }
    run->opening++;
    watch(run, i, EPOLL_CTL_ADD, EPOLLOUT);
}

/* As many as may be under way. */
static void open_more(struct run *run)
{
    size_t most = TRIES_A_STREAM * run->n;
    for (size_t seen = 0; seen < run->n && run->opening < run->burst && run->tries < most; seen++) {
        size_t i = run->next;
        run->next = (run->next + 1) % run->n;
        if (run->v[i].state == READER_CLOSED)
            connect_one(run, i);
    }
}

static void on_end(struct run *run, size_t i)
{
    struct reader *r = &run->v[i];
    if (r->state == READER_OPEN) {
        run->open--;
        run->closed++;
    } else {
        run->opening--;
        run->tries++;
    }
    uint64_t got = r->got;
    reader_close(r);
    run->counts.complete -= got == run->wanted && r->got < got;
    if (run->is_reopening)
        connect_one(run, i);
}

static void on_open(struct run *run, size_t i)
{
    run->opening--;
    run->open++;
    run->opened_us = clock_us();
    run->v[i].is_stalled = i % 100 < run->stall;
    if (run->v[i].is_stalled)
        watch(run, i, EPOLL_CTL_MOD, 0);
}

static void on_event(struct run *run, size_t i, uint32_t events)
{
    struct reader *r = &run->v[i];
    enum reader_state before = r->state;
    bool ok = true;
    if (r->state == READER_CLOSED)
        return;
    if (r->state == READER_CONNECTING) {
        ok = !(events & (EPOLLERR | EPOLLHUP)) && reader_on_writable(r, i, &run->plan);
        if (ok)
            watch(run, i, EPOLL_CTL_MOD, EPOLLIN);
    } else if (r->is_stalled) {
        ok = false; /* it does not read: only an error comes here */
    } else {
        ok = reader_on_readable(r, &run->plan, &run->counts, run->wanted);
    }
    if (before != READER_OPEN && r->state == READER_OPEN)
        on_open(run, i);
    if (!ok)
        on_end(run, i);
}

/* Events of presence, on the stream that has most of them. */
static uint64_t most_presences(const struct run *run)
{
    uint64_t most = 0;
    for (size_t i = 0; i < run->n; i++)
        most = run->v[i].presences > most ? run->v[i].presences : most;
    return most;
}

/* What has not come to those that read, and to those that do not (`stall`). */
static void count_missing(const struct run *run, uint64_t *lost, uint64_t *unread)
{
    for (size_t i = 0; i < run->n; i++) {
        const struct reader *r = &run->v[i];
        if (r->got < run->wanted)
            *(r->is_stalled ? unread : lost) += run->wanted - r->got;
    }
}

/* Rates are from `begin` or `open` to the last event, and from the last stream's opening. */
static void answer(struct run *run)
{
    const struct readers_counts *c = &run->counts;
    uint64_t lost = 0, unread = 0;
    count_missing(run, &lost, &unread);
    uint64_t last = c->last_us ? c->last_us : clock_us();
    printf("{\"streams\":%zu,\"open\":%zu,\"closed\":%zu,\"failed\":%zu,\"is_late\":%s,\"events\":%"
           "llu,"
           "\"lost\":%llu,\"unread\":%llu,\"doubled\":%llu,\"byes\":%zu,\"presences\":%llu,"
           "\"open_seconds\":%.6f,"
           "\"seconds\":%.6f,\"seconds_after_open\":%.6f,",
           run->n, run->open, run->closed, run->tries, run->is_late ? "true" : "false",
           (unsigned long long)c->events, (unsigned long long)lost, (unsigned long long)unread,
           (unsigned long long)c->doubled, c->byes, (unsigned long long)most_presences(run),
           run->opened_us > run->goal_from ? (double)(run->opened_us - run->goal_from) / 1e6 : 0.0,
           last > c->first_us && c->first_us ? (double)(last - c->first_us) / 1e6 : 0.0,
           last > run->opened_us ? (double)(last - run->opened_us) / 1e6 : 0.0);
    histogram_print(&c->latency, "");
    printf("}\n");
    fflush(stdout);
}

static void begin(struct run *run)
{
    memset(&run->counts, 0, sizeof run->counts);
    run->wanted = run->closed = 0;
    run->goal_from = clock_us();
    for (size_t i = 0; i < run->n; i++)
        reader_clear(&run->v[i]);
}

static void expect(struct run *run, const char *words)
{
    char *rest;
    run->wanted = strtoull(words, &rest, 10);
    run->patience_us = strtoull(rest, &rest, 10) * 1000000;
    run->limit_us = strtoull(rest, NULL, 10) * 1000000;
    run->counts.complete = 0;
    for (size_t i = 0; i < run->n; i++)
        run->counts.complete += run->v[i].got >= run->wanted;
    run->goal = GOAL_COUNT;
    run->goal_from = clock_us();
}

static void cut(struct run *run)
{
    for (size_t i = 0; i < run->n; i++)
        reader_close(&run->v[i]);
    run->open = run->opening = 0;
}

static void wake(struct run *run)
{
    run->is_reopening = true;
    run->stall = 0;
    for (size_t i = 0; i < run->n; i++) {
        struct reader *r = &run->v[i];
        if (r->is_stalled && r->state == READER_OPEN)
            watch(run, i, EPOLL_CTL_MOD, EPOLLIN);
        r->is_stalled = false;
        if (r->state == READER_CLOSED)
            connect_one(run, i);
    }
}

static void obey(struct run *run, const char *word)
{
    if (!strcmp(word, "open")) {
        run->goal = GOAL_OPEN;
        run->tries = 0;
        run->goal_from = clock_us();
    } else if (!strcmp(word, "begin")) {
        begin(run);
        puts("{}");
        fflush(stdout);
    } else if (!strncmp(word, "expect ", 7)) {
        expect(run, word + 7);
    } else if (!strcmp(word, "lap")) {
        answer(run);
        histogram_clear(&run->counts.latency);
    } else if (!strcmp(word, "cut")) {
        cut(run);
        puts("{}");
        fflush(stdout);
    } else if (!strcmp(word, "wake")) {
        wake(run);
        puts("{}");
        fflush(stdout);
    } else {
        run->is_over = true;
    }
}

static void on_words(struct run *run)
{
    char words[LINE];
    ssize_t n = read(STDIN_FILENO, words, sizeof words);
    if (n <= 0)
        run->is_over = true;
    for (ssize_t i = 0; i < n; i++) {
        if (words[i] != '\n') {
            run->line[run->line_len] = words[i];
            run->line_len += run->line_len < LINE - 1;
            continue;
        }
        run->line[run->line_len] = 0;
        run->line_len = 0;
        obey(run, run->line);
    }
}

/* Whether what was asked for has come about. */
static bool is_reached(struct run *run)
{
    if (run->goal == GOAL_OPEN) {
        open_more(run);
        return run->open == run->n || (run->tries >= TRIES_A_STREAM * run->n && !run->opening);
    }
    if (run->goal != GOAL_COUNT)
        return false;
    uint64_t now = clock_us(), last = run->counts.last_us;
    run->is_late = run->counts.complete < run->n && now > run->goal_from + run->limit_us;
    return run->counts.complete >= run->n || run->is_late ||
           now > (last > run->goal_from ? last : run->goal_from) + run->patience_us;
}

static void loop(struct run *run)
{
    struct epoll_event events[EVENTS];
    while (!run->is_over) {
        int n = epoll_wait(run->ep, events, EVENTS, WAIT_MS);
        for (int i = 0; i < n; i++) {
            if (events[i].data.u64 == run->n)
                on_words(run);
            else
                on_event(run, (size_t)events[i].data.u64, events[i].events);
        }
        if (is_reached(run)) {
            run->goal = GOAL_NONE;
            answer(run);
        }
    }
}

static void read_options(struct run *run, int argc, char **argv)
{
    static const struct option table[] = {
        {"port", 1, NULL, 'p'},      {"path", 1, NULL, 'u'},   {"streams", 1, NULL, 'n'},
        {"channels", 1, NULL, 'c'},  {"opened", 1, NULL, 'o'}, {"burst", 1, NULL, 'b'},
        {"stall", 1, NULL, 's'},     {"most", 1, NULL, 'm'},   {"ids", 0, NULL, 'i'},
        {"websocket", 0, NULL, 'w'}, {"header", 1, NULL, 'h'}, {NULL, 0, NULL, 0},
    };
    run->plan = (struct readers_plan){
        .path = "/", .opened = "", .header = "", .channels = 1, .most = 65536};
    run->burst = 256;
    for (int o; (o = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        size_t number = optarg ? strtoull(optarg, NULL, 10) : 0;
        switch (o) {
        case 'p':
            run->plan.port = (uint16_t)number;
            break;
        case 'u':
            run->plan.path = optarg;
            break;
        case 'n':
            run->n = number;
            break;
        case 'c':
            run->plan.channels = number;
            break;
        case 'o':
            run->plan.opened = optarg;
            break;
        case 'b':
            run->burst = number;
            break;
        case 's':
            run->stall = number;
            break;
        case 'm':
            run->plan.most = (number + 63) / 64 * 64;
            break;
        case 'i':
            run->plan.has_ids = true;
            break;
        case 'h':
            run->plan.header = optarg;
            break;
        case 'w':
            run->plan.is_websocket = true;
            break;
        default:
            exit(64);
        }
    }
}

static void make_readers(struct run *run)
{
    run->v = run->n ? calloc(run->n, sizeof *run->v) : NULL;
    if (!run->v)
        die("streams");
    for (size_t i = 0; i < run->n; i++) {
        run->v[i].fd = -1;
        run->v[i].seen = calloc((size_t)(run->plan.most / 64) + 1, sizeof(uint64_t));
        if (!run->v[i].seen)
            die("events");
    }
}

int main(int argc, char **argv)
{
    static struct run run;
    struct rlimit files;
    read_options(&run, argc, argv);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    make_readers(&run);
    run.ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event words = {.events = EPOLLIN, .data.u64 = run.n};
    if (run.ep < 0 || epoll_ctl(run.ep, EPOLL_CTL_ADD, STDIN_FILENO, &words))
        die("epoll");
    loop(&run);
    return 0;
}
