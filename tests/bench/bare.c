/* bare -- the floor of fanning out: one write for each event and stream, and nothing else.
 *
 *   bare PORT
 *
 * GET opens a stream; POST writes its body to all streams as an event, and is answered after that.
 * Streams block: a reader that is slow is waited for, so nothing is lost. */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNS = 65536, INPUT = 8192, BACKLOG = 4096, EVENTS = 256 };

struct conn {
    bool is_stream;
    size_t len, stream;
    char *input;
};

static struct conn conns[CONNS];
static int streams[CONNS];
static size_t stream_count;
static unsigned long long events;
static int ep;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void drop(int fd)
{
    struct conn *c = &conns[fd];
    if (c->is_stream) {
        streams[c->stream] = streams[--stream_count];
        conns[streams[c->stream]].stream = c->stream;
    }
    free(c->input);
    *c = (struct conn){0};
    close(fd);
}

static void open_stream(int fd)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n5\r\n: hi\n\r\n";
    conns[fd].is_stream = true;
    conns[fd].stream = stream_count;
    streams[stream_count++] = fd;
    if (send(fd, head, sizeof head - 1, MSG_NOSIGNAL) < 0)
        drop(fd);
}

/* One that is gone is only passed by: its end is read like any input. */
static void fan_out(const char *body, size_t len)
{
    char event[INPUT + 128], chunk[INPUT + 256];
    int n =
        snprintf(event, sizeof event, "id: bare-%llu\ndata: %.*s\n\n", ++events, (int)len, body);
    int all = snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n", (unsigned)n, event);
    for (size_t i = 0; i < stream_count; i++)
        (void)!send(streams[i], chunk, (size_t)all, MSG_NOSIGNAL);
}

/* A whole request at the beginning of the input; false: not there yet. */
static bool serve(int fd)
{
    static const char done[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    struct conn *c = &conns[fd];
    c->input[c->len] = 0;
    char *end = strstr(c->input, "\r\n\r\n");
    if (!end)
        return false;
    const char *length = strcasestr(c->input, "\r\nContent-Length:");
    size_t body = length && length < end ? strtoull(length + 17, NULL, 10) : 0;
    size_t all = (size_t)(end - c->input) + 4 + body;
    if (c->len < all)
        return false;
    bool is_post = !strncmp(c->input, "POST", 4);
    if (is_post)
        fan_out(end + 4, body);
    memmove(c->input, c->input + all, c->len - all);
    c->len -= all;
    if (is_post)
        (void)!send(fd, done, sizeof done - 1, MSG_NOSIGNAL);
    else
        open_stream(fd);
    return is_post;
}

static void on_input(int fd)
{
    struct conn *c = &conns[fd];
    if (!c->input && !(c->input = malloc(INPUT + 1)))
        die("input");
    ssize_t n = recv(fd, c->input + c->len, INPUT - c->len, MSG_DONTWAIT);
    if (n <= 0) {
        drop(fd);
        return;
    }
    c->len += (size_t)n;
    while (serve(fd))
        continue;
}

static void on_connect(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    if (fd >= CONNS || (fd >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e)))
        die("accept");
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct rlimit files;
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct epoll_event ready[EVENTS], e = {.events = EPOLLIN, .data.fd = listener};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    at.sin_port = htons((uint16_t)(argc > 1 ? strtoul(argv[1], NULL, 10) : 0));
    ep = epoll_create1(EPOLL_CLOEXEC);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (const struct sockaddr *)&at, sizeof at) || listen(listener, BACKLOG) ||
        epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e))
        die("listen");
    fprintf(stderr, "ready\n");
    for (;;) {
        int n = epoll_wait(ep, ready, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (ready[i].data.fd == listener)
                on_connect(listener);
            else
                on_input(ready[i].data.fd);
        }
    }
}
