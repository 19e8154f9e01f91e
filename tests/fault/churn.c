/* churn -- thousands of streams that come and go, in one process, for the soak.
 *
 *   churn PORT STREAMS RATE CHANNELS
 *
 * Holds STREAMS streams open on /events, one in a hundred on the pattern `soak:*`, one in two
 * hundred on `bulk` (half of which read nothing most of the time), the others on soak:0 …
 * soak:CHANNELS-1. RATE times a second one is closed and opened again, mostly with its last id,
 * else as a fresh one. The data of an event is `CHANNEL NUMBER`, and a channel's numbers rise by
 * one (bulk is the channel after the last): what is lost or doubled on a stream is counted. Words
 * on standard input:
 *
 *   settle      no more coming and going; `settled` when all are connected and read
 *   go on       coming and going again
 *   drain N...  waits until each stream has the number N of its channels
 *   report      what was counted, as a line of JSON
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
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

enum {
    LINE = 160,
    ID = 32,
    NAME = 12,
    WORDS = 1024,
    CHANNELS_MAX = 64,
    ADDRESSES = 32,
    TICK_MS = 10,
    RETRY_MS = 200,
    SLEEP_MS = 15000, /* of those that do not read */
    DRAIN_MS = 60000,
};

struct reader {
    int fd;
    bool is_pattern, is_slow, is_asleep, is_connected;
    unsigned channel;
    uint64_t again_at;           /* to be opened, or to read on, then; 0: not waiting */
    uint32_t last[CHANNELS_MAX]; /* 0: not known yet */
    size_t len;
    char line[LINE], name[NAME], id[ID], next_id[ID];
};

static struct {
    struct reader *v;
    size_t n, connected;
    unsigned channels, rate;
    int ep;
    bool is_settling, is_settled, is_draining;
    uint32_t wanted[CHANNELS_MAX];
    uint64_t drain_until, churned_at;
    struct sockaddr_in to;
    uint64_t connects, events, lost, doubled, gaps, cut, slow_cut, refused;
    char words[WORDS];
    size_t words_len;
} run;

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* HTTP/1.0, so that the body is not cut into chunks. */
static void ask(const struct reader *r)
{
    char request[512], channel[24] = "soak:*", cursor[64] = "";
    if (r->channel == run.channels)
        snprintf(channel, sizeof channel, "bulk");
    else if (!r->is_pattern)
        snprintf(channel, sizeof channel, "soak:%u", r->channel);
    if (r->id[0])
        snprintf(cursor, sizeof cursor, "Last-Event-ID: %s\r\n", r->id);
    int len = snprintf(request, sizeof request,
                       "GET /events?channel=%s HTTP/1.0\r\nHost: soak\r\n"
                       "Accept: text/event-stream\r\n%s\r\n",
                       channel, cursor);
    if (write(r->fd, request, (size_t)len) != len)
        die("write");
}

static void watch(struct reader *r, int how)
{
    struct epoll_event e = {.events = r->is_asleep ? 0u : EPOLLIN, .data.ptr = r};
    if (epoll_ctl(run.ep, how, r->fd, &e))
        die("epoll_ctl");
}

/* Loopback has many addresses: the ports of one would run out. */
static void open_reader(struct reader *r)
{
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr =
                                   htonl(0x7f000002u + (uint32_t)(run.connects % ADDRESSES))};
    int on = 1;
    run.connects++;
    r->again_at = 0;
    r->len = 0;
    r->name[0] = r->next_id[0] = 0;
    r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (r->fd < 0)
        die("socket");
    if (r->is_slow) /* else the kernel reads for it */
        setsockopt(r->fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
    setsockopt(r->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(r->fd, (const struct sockaddr *)&from, sizeof from) ||
        connect(r->fd, (const struct sockaddr *)&run.to, sizeof run.to))
        die("connect");
    ask(r);
    watch(r, EPOLL_CTL_ADD);
}

static void close_reader(struct reader *r, uint64_t again_after)
{
    close(r->fd);
    r->fd = -1;
    run.connected -= r->is_connected;
    r->is_connected = r->is_asleep = false;
    r->again_at = now_ms() + again_after;
}

static void take_number(struct reader *r, const char *data)
{
    char *rest;
    unsigned long channel = strtoul(data, &rest, 10);
    uint32_t number = (uint32_t)strtoul(rest, NULL, 10);
    if (channel > run.channels)
        return;
    uint32_t *last = &r->last[channel];
    run.events++;
    if (*last && number <= *last)
        run.doubled++;
    else if (*last)
        run.lost += number - *last - 1;
    *last = number > *last ? number : *last;
}

static void end_block(struct reader *r)
{
    if (strcmp(r->name, "connected") == 0 && !r->is_connected) {
        r->is_connected = true;
        run.connected++;
    }
    if (strcmp(r->name, "gap") == 0) {
        run.gaps += !r->is_slow;
        memset(r->last, 0, sizeof r->last);
    }
    if (r->next_id[0])
        memcpy(r->id, r->next_id, ID);
    r->name[0] = r->next_id[0] = 0;
}

static void take_line(struct reader *r)
{
    r->line[r->len] = 0;
    if (!r->len)
        end_block(r);
    else if (!strncmp(r->line, "id: ", 4))
        snprintf(r->next_id, ID, "%s", r->line + 4);
    else if (!strncmp(r->line, "event: ", 7))
        snprintf(r->name, NAME, "%s", r->line + 7);
    else if (!strncmp(r->line, "data: ", 6) && !r->name[0])
        take_number(r, r->line + 6);
    else if (!strncmp(r->line, "HTTP/", 5) && !strstr(r->line, " 200"))
        run.refused++;
    r->len = 0;
}

static void read_some(struct reader *r)
{
    char bytes[65536];
    ssize_t n = recv(r->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        run.cut += !r->is_slow;
        run.slow_cut += r->is_slow;
        close_reader(r, RETRY_MS);
        return;
    }
    for (ssize_t i = 0; i < n; i++) {
        if (bytes[i] == '\n')
            take_line(r);
        else if (bytes[i] != '\r' && r->len < LINE - 1)
            r->line[r->len++] = bytes[i];
    }
}

/* One in four comes back as somebody new. */
static void churn_one(void)
{
    struct reader *r = &run.v[(size_t)random() * run.n >> 31];
    if (r->fd < 0 || !r->is_connected)
        return;
    close_reader(r, 0);
    if (random() % 4)
        return;
    r->id[0] = 0;
    memset(r->last, 0, sizeof r->last);
}

/* What was due while the machine was busy is made up for. */
static void churn(uint64_t now)
{
    uint64_t due = (now - run.churned_at) * run.rate / 1000;
    if (!due || !run.rate)
        return;
    run.churned_at += due * 1000 / run.rate;
    for (; due && !run.is_settling; due--)
        churn_one();
}

static void wake_or_sleep(struct reader *r, uint64_t now)
{
    if (r->again_at > now && !run.is_settling)
        return;
    r->is_asleep = !r->is_asleep && !run.is_settling;
    r->again_at = now + (r->is_asleep ? SLEEP_MS : SLEEP_MS / 4);
    watch(r, EPOLL_CTL_MOD);
}

static void tend(uint64_t now)
{
    for (size_t i = 0; i < run.n; i++) {
        struct reader *r = &run.v[i];
        if (r->fd < 0 && r->again_at <= now)
            open_reader(r);
        else if (r->fd >= 0 && r->is_slow && r->is_connected)
            wake_or_sleep(r, now);
    }
    churn(now);
}

static bool is_complete(const struct reader *r)
{
    for (unsigned c = 0; c <= run.channels; c++) {
        bool is_on = r->is_pattern ? c < run.channels : c == r->channel;
        if (is_on && r->last[c] != run.wanted[c])
            return false;
    }
    return true;
}

static void report(void)
{
    printf("{\"streams\":%zu,\"connected\":%zu,\"connects\":%llu,\"events\":%llu,\"lost\":%llu,"
           "\"doubled\":%llu,\"gaps\":%llu,\"cut\":%llu,\"slow_cut\":%llu,\"refused\":%llu}\n",
           run.n, run.connected, (unsigned long long)run.connects, (unsigned long long)run.events,
           (unsigned long long)run.lost, (unsigned long long)run.doubled,
           (unsigned long long)run.gaps, (unsigned long long)run.cut,
           (unsigned long long)run.slow_cut, (unsigned long long)run.refused);
    fflush(stdout);
}

/* What a stream still lacks when the time is out is lost. */
static void look_whether_drained(uint64_t now)
{
    size_t lacking = 0;
    for (size_t i = 0; i < run.n; i++)
        lacking += !is_complete(&run.v[i]);
    if (lacking && now < run.drain_until)
        return;
    run.lost += lacking;
    run.is_draining = false;
    printf("drained %zu\n", lacking);
    fflush(stdout);
}

static void take_word(char *word)
{
    if (strcmp(word, "settle") == 0) {
        run.is_settling = true;
    } else if (strcmp(word, "go on") == 0) {
        run.is_settling = run.is_settled = false;
    } else if (strcmp(word, "report") == 0) {
        report();
    } else if (strncmp(word, "drain ", 6) == 0) {
        char *rest = word + 6;
        for (unsigned c = 0; c <= run.channels; c++)
            run.wanted[c] = (uint32_t)strtoul(rest, &rest, 10);
        run.is_draining = true;
        run.drain_until = now_ms() + DRAIN_MS;
    }
}

static void take_words(void)
{
    ssize_t n = read(STDIN_FILENO, run.words + run.words_len, WORDS - run.words_len - 1);
    if (n <= 0)
        exit(0);
    run.words_len += (size_t)n;
    run.words[run.words_len] = 0;
    for (char *end; (end = strchr(run.words, '\n'));) {
        *end = 0;
        take_word(run.words);
        run.words_len -= (size_t)(end + 1 - run.words);
        memmove(run.words, end + 1, run.words_len + 1);
    }
}

static void turn(void)
{
    struct epoll_event events[512];
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    int n = epoll_wait(run.ep, events, 512, TICK_MS);
    uint64_t now = now_ms();
    for (int i = 0; i < n; i++) {
        struct reader *r = events[i].data.ptr;
        if (r->fd >= 0)
            read_some(r);
    }
    tend(now);
    if (poll(&input, 1, 0) > 0)
        take_words();
    if (run.is_settling && !run.is_settled && run.connected == run.n) {
        run.is_settled = true;
        puts("settled");
        fflush(stdout);
    }
    if (run.is_draining)
        look_whether_drained(now);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    if (argc != 5) {
        fprintf(stderr, "usage: churn PORT STREAMS RATE CHANNELS\n");
        return 64;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    run.to = (struct sockaddr_in){.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    run.n = strtoull(argv[2], NULL, 10);
    run.rate = (unsigned)strtoul(argv[3], NULL, 10);
    run.channels = (unsigned)strtoul(argv[4], NULL, 10);
    run.v = calloc(run.n ? run.n : 1, sizeof *run.v);
    run.ep = epoll_create1(EPOLL_CLOEXEC);
    if (!run.v || run.ep < 0 || !run.channels || run.channels >= CHANNELS_MAX)
        die("start");
    run.churned_at = now_ms();
    for (size_t i = 0; i < run.n; i++) {
        struct reader *r = &run.v[i];
        r->fd = -1;
        r->is_pattern = i % 100 == 1;
        r->channel = i % 200 ? (unsigned)(i % run.channels) : run.channels;
        r->is_slow = i % 400 == 200;
    }
    for (;;)
        turn();
}
