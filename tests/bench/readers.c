/* readers -- thousands of SSE readers in one process, for tests of scale and for measuring.
 *
 *   readers HOST PORT PATH STREAMS EVENTS [SECONDS]
 *
 * Opens STREAMS streams, prints `ready` when every one has got its `connected`, then reads until
 * each has got EVENTS events (or SECONDS have passed, 120 by default). The data of an event is
 * `NUMBER MICROSECONDS`: numbers must rise by one on each stream; microseconds are CLOCK_REALTIME
 * when it was published. Prints one line of JSON: what came, what was lost or doubled, latencies.
 * Exit 0: nothing lost, nothing doubled. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINE      512
#define LATENCIES 10000 /* histogram of 0.1 ms steps; what is above counts in the last */

struct reader {
    int fd;
    bool connected, ended;
    uint64_t got, last, doubled;
    size_t len;
    char line[LINE];
};

struct run {
    struct reader *v;
    size_t n, connected, complete, closed;
    uint64_t wanted, events, lost, doubled, bytes;
    uint64_t latency[LATENCIES + 1];
    uint64_t first_us, last_us;
};

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void open_reader(struct reader *r, size_t i, const struct sockaddr_in *to, char **argv)
{
    /* Each 10,000 from a loopback address of their own, so that ports do not run out. */
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(0x7f000002u + (uint32_t)(i / 10000))};
    char request[1024];
    int len = snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: %s:%s\r\nAccept: text/event-stream\r\n\r\n",
                       argv[3], argv[1], argv[2]);
    r->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (r->fd < 0)
        die("socket");
    if (bind(r->fd, (const struct sockaddr *)&from, sizeof from) ||
        connect(r->fd, (const struct sockaddr *)to, sizeof *to))
        die("connect");
    if (write(r->fd, request, (size_t)len) != len)
        die("write");
}

static void take_event(struct run *run, struct reader *r, const char *data)
{
    char *rest;
    uint64_t number = strtoull(data, &rest, 10), sent = strtoull(rest, NULL, 10), now = now_us();
    if (number <= r->last) {
        r->doubled++;
        return;
    }
    r->last = number;
    r->got++;
    run->events++;
    uint64_t step = now > sent ? (now - sent) / 100 : 0;
    run->latency[step < LATENCIES ? step : LATENCIES]++;
    run->first_us = run->first_us ? run->first_us : now;
    run->last_us = now;
    if (r->got == run->wanted)
        run->complete++;
}

static void take_line(struct run *run, struct reader *r)
{
    r->line[r->len] = 0;
    if (r->connected && !strncmp(r->line, "data: ", 6) && r->line[6] != '{') {
        take_event(run, r, r->line + 6);
    } else if (!r->connected && !strcmp(r->line, "event: connected")) {
        r->connected = true;
        run->connected++;
    }
    r->len = 0;
}

static void read_some(struct run *run, struct reader *r)
{
    char buf[65536];
    ssize_t n = read(r->fd, buf, sizeof buf);
    if (n <= 0) {
        if (n < 0 && errno == EAGAIN)
            return;
        close(r->fd);
        r->ended = true;
        run->closed++;
        return;
    }
    run->bytes += (uint64_t)n;
    for (ssize_t i = 0; i < n; i++) {
        if (buf[i] == '\n')
            take_line(run, r);
        else if (buf[i] != '\r' && r->len < LINE - 1)
            r->line[r->len++] = buf[i];
    }
}

static void run_until(struct run *run, int ep, bool (*enough)(const struct run *), uint64_t until)
{
    struct epoll_event events[512];
    while (!enough(run) && now_us() < until) {
        int n = epoll_wait(ep, events, 512, 200);
        for (int i = 0; i < n; i++) {
            struct reader *r = events[i].data.ptr;
            if (!r->ended)
                read_some(run, r);
        }
    }
}

static bool all_connected(const struct run *run)
{
    return run->connected + run->closed >= run->n;
}

static bool all_complete(const struct run *run)
{
    return run->complete + run->closed >= run->n;
}

static double quantile(const struct run *run, double q)
{
    uint64_t want = run->events ? (uint64_t)((double)(run->events - 1) * q) : 0, sum = 0;
    for (size_t i = 0; i <= LATENCIES; i++)
        if ((sum += run->latency[i]) > want)
            return (double)i / 10;
    return (double)LATENCIES / 10;
}

static int report(struct run *run)
{
    size_t short_ones = 0;
    for (size_t i = 0; i < run->n; i++) {
        if (run->v[i].got < run->wanted) {
            run->lost += run->wanted - run->v[i].got;
            short_ones++;
        }
        run->doubled += run->v[i].doubled;
    }
    double seconds = (double)(run->last_us - run->first_us) / 1e6;
    printf("{\"streams\":%zu,\"connected\":%zu,\"closed\":%zu,\"events\":%llu,\"short\":%zu,"
           "\"lost\":%llu,\"doubled\":%llu,\"bytes\":%llu,\"seconds\":%.3f,\"per_second\":%.0f,"
           "\"p50_ms\":%.1f,\"p99_ms\":%.1f,\"max_ms\":%.1f}\n",
           run->n, run->connected, run->closed, (unsigned long long)run->events, short_ones,
           (unsigned long long)run->lost, (unsigned long long)run->doubled,
           (unsigned long long)run->bytes, seconds,
           seconds > 0 ? (double)run->events / seconds : 0.0, quantile(run, 0.5),
           quantile(run, 0.99), quantile(run, 1.0));
    return run->lost || run->doubled || short_ones ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: readers HOST PORT PATH STREAMS EVENTS [SECONDS]\n");
        return 64;
    }
    static struct run run;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10))};
    struct rlimit files;
    uint64_t seconds = argc > 6 ? strtoull(argv[6], NULL, 10) : 120;
    if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
        die("host");
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    run.n = strtoull(argv[4], NULL, 10);
    run.wanted = strtoull(argv[5], NULL, 10);
    run.v = calloc(run.n, sizeof *run.v);
    int ep = epoll_create1(0);
    if (!run.v || ep < 0)
        die("start");
    uint64_t until = now_us() + seconds * 1000000;
    for (size_t i = 0; i < run.n; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &run.v[i]};
        open_reader(&run.v[i], i, &to, argv);
        if (epoll_ctl(ep, EPOLL_CTL_ADD, run.v[i].fd, &e))
            die("epoll_ctl");
    }
    run_until(&run, ep, all_connected, until);
    printf("ready %zu of %zu\n", run.connected, run.n);
    fflush(stdout);
    run_until(&run, ep, all_complete, until);
    return report(&run);
}
