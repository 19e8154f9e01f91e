/* publishers -- HTTP publishers on kept connections: as fast as answers come, or at a rate.
 *
 *   publishers --port N --path PATH --body TEXT [--type TYPE] [--flight N] [--rate N]
 *              [--seconds N] [--batch N] [--size N] [--channels N] [--from N]
 *              [--header "NAME: VALUE"]
 *
 * In TEXT `@` stands for a payload and `~` for a channel's number (at random). With `batch`, a
 * request has so many lines of TEXT. At a rate, a payload's time is when it was due, so that
 * waiting for a connection counts as latency. Prints one line of JSON. */
#include "histogram.h"
#include "http.h"
#include "payload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { FLIGHT_MAX = 1024, INPUT = 256 * 1024, HEAD = 2048 };

struct publisher {
    int fd;
    bool is_busy;
    uint64_t sent_us, number, count;
    struct http http;
};

struct run {
    uint16_t port;
    const char *path, *type, *body, *header;
    size_t flight, batch, size, channels;
    double rate, seconds;
    int ep;
    struct publisher v[FLIGHT_MAX];
    char *request;
    size_t room;
    uint64_t next, accepted, failed, broken, begin_us, started_us, last_us, random;
    struct histogram answers;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t draw(struct run *run)
{
    run->random ^= run->random << 13;
    run->random ^= run->random >> 7;
    run->random ^= run->random << 17;
    return run->random;
}

static char *put_body(struct run *run, char *to, uint64_t number, uint64_t us)
{
    for (const char *p = run->body; *p; p++) {
        if (*p == '@') {
            payload_put(to, run->size, number, us);
            to += run->size;
        } else if (*p == '~') {
            to += sprintf(to, "%llu", (unsigned long long)(draw(run) % run->channels));
        } else {
            *to++ = *p;
        }
    }
    return to;
}

static void connect_one(struct run *run, size_t i)
{
    struct publisher *p = &run->v[i];
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(run->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = i};
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p->fd < 0 || connect(p->fd, (const struct sockaddr *)&to, sizeof to) ||
        epoll_ctl(run->ep, EPOLL_CTL_ADD, p->fd, &e))
        die("connect");
    p->is_busy = false;
}

/* Head and body in one write; false: the connection is gone. */
static bool send_request(struct run *run, struct publisher *p, uint64_t us)
{
    char head[HEAD], *body = run->request + HEAD, *end = body;
    p->number = run->next;
    p->count = run->batch;
    for (size_t n = 0; n < run->batch; n++) {
        end = put_body(run, end, run->next++, us);
        if (run->batch > 1)
            *end++ = '\n';
    }
    int len = snprintf(head, sizeof head,
                       "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: %s\r\n"
                       "Content-Length: %zu\r\n%s%s\r\n",
                       run->path, run->type, (size_t)(end - body), run->header,
                       run->header[0] ? "\r\n" : "");
    memcpy(body - len, head, (size_t)len);
    size_t all = (size_t)(end - body) + (size_t)len;
    p->is_busy = true;
    p->sent_us = us;
    http_start(&p->http);
    return send(p->fd, body - len, all, MSG_NOSIGNAL) == (ssize_t)all;
}

/* Web servers end kept connections now and then: what was under way there is of unknown outcome. */
static void reconnect(struct run *run, size_t i)
{
    struct publisher *p = &run->v[i];
    if (p->is_busy)
        run->broken += p->count;
    close(p->fd);
    connect_one(run, i);
}

static void start_one(struct run *run, size_t i, uint64_t us)
{
    if (!send_request(run, &run->v[i], us))
        reconnect(run, i);
}

static void on_answer(struct run *run, struct publisher *p)
{
    uint64_t now = clock_us();
    p->is_busy = false;
    if (p->http.status >= 200 && p->http.status < 300)
        run->accepted += p->count;
    else
        run->failed += p->count;
    histogram_add(&run->answers, now > p->sent_us ? now - p->sent_us : 0);
    run->last_us = now;
}

static void on_input(struct run *run, size_t i)
{
    static char input[INPUT];
    struct publisher *p = &run->v[i];
    ssize_t n = recv(p->fd, input, sizeof input, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    const char *at = input, *end = input + (n > 0 ? n : 0), *body;
    size_t len;
    while (p->is_busy && http_next(&p->http, &at, end, &body, &len))
        continue;
    if (p->is_busy && p->http.phase == HTTP_DONE)
        on_answer(run, p);
    if (n <= 0)
        reconnect(run, i);
}

/* When the next one is due; 0: whenever a connection is free. */
static uint64_t due(const struct run *run)
{
    return run->rate > 0 ? run->begin_us +
                               (uint64_t)((double)run->next / (double)run->batch / run->rate * 1e6)
                         : 0;
}

static void start_what_is_due(struct run *run, uint64_t until)
{
    for (size_t i = 0; i < run->flight; i++) {
        uint64_t now = clock_us(), at = due(run);
        if (now >= until || at > now || at >= until)
            return;
        if (run->v[i].is_busy)
            continue;
        start_one(run, i, at ? at : now);
        run->started_us = now;
    }
}

/* Until the last answer; at a rate, whose last answer comes later than its time is over, until the
 * next would have been sent. */
static double taken(const struct run *run)
{
    if (run->rate > 0)
        return (double)(run->started_us - run->begin_us) / 1e6 + 1 / run->rate;
    return (double)(run->last_us - run->begin_us) / 1e6;
}

static size_t busy(const struct run *run)
{
    size_t n = 0;
    for (size_t i = 0; i < run->flight; i++)
        n += run->v[i].is_busy;
    return n;
}

static void set_timer(int timer, uint64_t at)
{
    struct itimerspec t = {.it_value = {(time_t)(at / 1000000), (long)(at % 1000000) * 1000}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &t, NULL);
}

static void publish(struct run *run)
{
    struct epoll_event events[FLIGHT_MAX];
    uint64_t until, expired;
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = FLIGHT_MAX};
    if (timer < 0 || epoll_ctl(run->ep, EPOLL_CTL_ADD, timer, &e))
        die("timer");
    run->begin_us = clock_us();
    until = run->begin_us + (uint64_t)(run->seconds * 1e6);
    start_what_is_due(run, until);
    while (clock_us() < until || (busy(run) && clock_us() < until + 10 * 1000000)) {
        if (run->rate > 0)
            set_timer(timer, due(run));
        int n = epoll_wait(run->ep, events, FLIGHT_MAX, 10);
        for (int i = 0; i < n; i++) {
            if (events[i].data.u64 == FLIGHT_MAX)
                (void)!read(timer, &expired, sizeof expired);
            else
                on_input(run, (size_t)events[i].data.u64);
        }
        start_what_is_due(run, until);
    }
    run->broken += busy(run) * run->batch;
    close(timer);
}

static void read_options(struct run *run, int argc, char **argv)
{
    static const struct option table[] = {
        {"port", 1, NULL, 'p'},     {"path", 1, NULL, 'u'},   {"body", 1, NULL, 'b'},
        {"type", 1, NULL, 't'},     {"flight", 1, NULL, 'f'}, {"rate", 1, NULL, 'r'},
        {"seconds", 1, NULL, 's'},  {"batch", 1, NULL, 'n'},  {"size", 1, NULL, 'z'},
        {"channels", 1, NULL, 'c'}, {"from", 1, NULL, 'o'},   {"header", 1, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *run = (struct run){.type = "text/plain",
                        .body = "@",
                        .header = "",
                        .flight = 1,
                        .batch = 1,
                        .size = 100,
                        .channels = 1,
                        .seconds = 1,
                        .random = 88172645463325252u};
    for (int o; (o = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        double number = strtod(optarg, NULL);
        switch (o) {
        case 'p':
            run->port = (uint16_t)number;
            break;
        case 'u':
            run->path = optarg;
            break;
        case 'b':
            run->body = optarg;
            break;
        case 't':
            run->type = optarg;
            break;
        case 'f':
            run->flight = (size_t)number;
            break;
        case 'r':
            run->rate = number;
            break;
        case 's':
            run->seconds = number;
            break;
        case 'n':
            run->batch = (size_t)number;
            break;
        case 'z':
            run->size = (size_t)number;
            break;
        case 'c':
            run->channels = (size_t)number;
            break;
        case 'h':
            run->header = optarg;
            break;
        case 'o':
            run->next = (uint64_t)number;
            break;
        default:
            exit(64);
        }
    }
}

int main(int argc, char **argv)
{
    static struct run run;
    read_options(&run, argc, argv);
    uint64_t first = run.next;
    if (strlen(run.header) > HEAD / 2 || run.flight > FLIGHT_MAX || run.size < PAYLOAD_HEAD ||
        run.size > PAYLOAD_MAX)
        return 64;
    run.room = HEAD + run.batch * (strlen(run.body) + run.size + 32);
    run.request = malloc(run.room);
    run.ep = epoll_create1(EPOLL_CLOEXEC);
    if (run.ep < 0 || !run.request)
        die("start");
    for (size_t i = 0; i < run.flight; i++)
        connect_one(&run, i);
    publish(&run);
    double seconds = taken(&run);
    printf("{\"sent\":%llu,\"published\":%llu,\"failed\":%llu,\"broken\":%llu,\"seconds\":%.3f,"
           "\"per_second\":%.1f,",
           (unsigned long long)(run.next - first), (unsigned long long)run.accepted,
           (unsigned long long)run.failed, (unsigned long long)run.broken, seconds,
           seconds > 0 ? (double)run.accepted / seconds : 0.0);
    histogram_print(&run.answers, "ack_");
    printf("}\n");
    return 0;
}
