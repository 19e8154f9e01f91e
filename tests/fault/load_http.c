#include "load_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HTTP_MAX = 64 * 1024 * 1024, READ_SIZE = 64 * 1024 };

void http_init(struct http *h, int epoll, int port, void *owner)
{
    *h = (struct http){.fd = -1, .epoll = epoll, .port = port, .owner = owner};
    buf_init(&h->in, HTTP_MAX);
    buf_init(&h->out, HTTP_MAX);
    buf_init(&h->body, HTTP_MAX);
}

void http_fini(struct http *h)
{
    http_drop(h);
    buf_fini(&h->in);
    buf_fini(&h->out);
    buf_fini(&h->body);
}

void http_drop(struct http *h)
{
    if (h->fd >= 0)
        close(h->fd);
    h->fd = -1;
    h->is_asking = false;
    buf_clear(&h->in);
    buf_clear(&h->out);
}

static bool dial(struct http *h)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)h->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = h};
    int one = 1;
    h->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (h->fd < 0)
        return false;
    setsockopt(h->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    bool is_begun =
        connect(h->fd, (const struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS;
    if (is_begun && epoll_ctl(h->epoll, EPOLL_CTL_ADD, h->fd, &e) == 0)
        return true;
    http_drop(h);
    return false;
}

static void broke_off(struct http *h)
{
    bool was_asking = h->is_asking;
    http_drop(h);
    if (was_asking)
        h->on_end(h, false);
}

/* False: the connection is no more. */
static bool flush(struct http *h)
{
    while (h->out.len) {
        ssize_t n = send(h->fd, h->out.p, h->out.len, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
        buf_drop(&h->out, (size_t)n);
    }
    return true;
}

bool http_ask(struct http *h, Str request)
{
    if (h->fd < 0 && !dial(h))
        return false;
    h->is_asking = true;
    h->status = 0;
    buf_clear(&h->body);
    buf_put(&h->out, request);
    if (flush(h))
        return true;
    http_drop(h);
    return false;
}

static bool has_header(Str line, const char *name, Str *value)
{
    size_t len = strlen(name);
    if (line.len <= len || line.p[len] != ':' || strncasecmp(line.p, name, len) != 0)
        return false;
    *value = str_trim(str_skip(line, len + 1));
    return true;
}

static void read_line(struct http *h, Str line)
{
    Str value;
    uint64_t n;
    if (str_starts(line, STR("HTTP/1.")) && line.len > 12 &&
        str_to_u64(str_make(line.p + 9, 3), &n))
        h->status = (int)n;
    else if (has_header(line, "Content-Length", &value) && str_to_u64(value, &n))
        h->left = n;
    else if (has_header(line, "Transfer-Encoding", &value))
        h->is_chunked = str_eq_nocase(value, STR("chunked"));
    else if (has_header(line, "Connection", &value))
        h->is_last = str_eq_nocase(value, STR("close"));
}

static bool read_head(struct http *h)
{
    const char *end = h->in.len ? memmem(h->in.p, h->in.len, "\r\n\r\n", 4) : NULL;
    if (!end)
        return false;
    Str head = str_make(h->in.p, (size_t)(end - h->in.p)), line;
    h->left = SIZE_MAX; /* until the end of the connection */
    h->is_chunked = h->is_last = false;
    while (str_cut(&head, '\n', &line))
        read_line(h, str_make(line.p, line.len - str_ends(line, STR("\r"))));
    if (h->is_chunked)
        h->left = 0;
    buf_drop(&h->in, (size_t)(end - h->in.p) + 4);
    return true;
}

static void take(struct http *h, size_t len)
{
    buf_put(&h->body, str_make(h->in.p, len));
    buf_drop(&h->in, len);
    h->left -= len;
}

enum { MORE, ENDED, BROKEN };

/* left counts the data of a chunk and the two bytes after it. */
static int read_chunks(struct http *h)
{
    while (h->in.len) {
        if (h->left > 2) {
            take(h, h->left - 2 < h->in.len ? h->left - 2 : h->in.len);
            continue;
        }
        if (h->left) {
            size_t n = h->left < h->in.len ? h->left : h->in.len;
            buf_drop(&h->in, n);
            h->left -= n;
            continue;
        }
        const char *end = memchr(h->in.p, '\n', h->in.len);
        if (!end)
            return MORE;
        h->left = strtoul(h->in.p, NULL, 16);
        bool is_last = h->left == 0;
        h->left += 2;
        size_t line = (size_t)(end - h->in.p) + 1;
        if (is_last && h->in.len < line + 2) {
            h->left = 0;
            return MORE;
        }
        buf_drop(&h->in, is_last ? line + 2 : line);
        if (is_last)
            return ENDED;
    }
    return MORE;
}

static int read_body(struct http *h)
{
    if (h->is_chunked)
        return read_chunks(h);
    take(h, h->left < h->in.len ? h->left : h->in.len);
    return h->left ? MORE : ENDED;
}

static void ended(struct http *h)
{
    h->is_asking = false;
    if (h->is_last)
        http_drop(h);
    h->on_end(h, true);
}

/* False: what it was about is over; its owner may have begun another. */
static bool digest(struct http *h)
{
    if (!h->is_asking)
        return true;
    if (!h->status && !read_head(h))
        return true;
    int state = read_body(h);
    int fd = h->fd;
    if (h->on_body && h->body.len && h->status == 200)
        h->on_body(h);
    if (h->fd != fd || !h->is_asking)
        return false;
    if (state == ENDED)
        ended(h);
    return state != ENDED;
}

void http_on_ready(struct http *h, unsigned events)
{
    if (h->fd < 0)
        return;
    if (!flush(h)) {
        broke_off(h);
        return;
    }
    if (!(events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
        return;
    for (int fd = h->fd; h->fd == fd;) {
        char *room = buf_room(&h->in, READ_SIZE);
        ssize_t n = recv(h->fd, room, READ_SIZE, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            bool is_whole =
                n == 0 && h->is_asking && h->status && !h->is_chunked && h->left > SIZE_MAX / 2;
            h->is_last = true;
            if (is_whole)
                ended(h);
            else
                broke_off(h);
            return;
        }
        h->in.len += (size_t)n;
        digest(h);
    }
}
