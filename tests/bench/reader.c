#include "reader.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { INPUT = 256 * 1024, REQUEST = 2048, STREAMS_AN_ADDRESS = 4000 };

static uint64_t bit_of(uint64_t number)
{
    return (uint64_t)1 << (number % 64);
}

void reader_close(struct reader *r)
{
    if (r->fd >= 0)
        close(r->fd);
    if (r->is_begun && !r->tail_len && r->seen[r->last / 64] & bit_of(r->last)) {
        r->seen[r->last / 64] &= ~bit_of(r->last);
        r->got--;
    }
    r->is_begun = false;
    r->fd = -1;
    r->state = READER_CLOSED;
}

bool reader_connect(struct reader *r, size_t number, const struct readers_plan *p)
{
    /* Many addresses, so that ports do not run out. */
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr =
                                   htonl(0x7f000002u + (uint32_t)(number / STREAMS_AN_ADDRESS))};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(p->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    r->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (r->fd < 0)
        return false;
    /* The port is chosen by connect, when both ends are known: then they never run out. */
    setsockopt(r->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(r->fd, (const struct sockaddr *)&from, sizeof from) ||
        (connect(r->fd, (const struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS)) {
        reader_close(r);
        return false;
    }
    r->state = READER_CONNECTING;
    r->is_greeted = false;
    r->matched = r->tail_len = r->line_at = 0;
    http_start(&r->http);
    return true;
}

void reader_clear(struct reader *r)
{
    r->got = r->presences = 0;
    memset(r->seen, 0, (size_t)(r->top / 64 + 1) * sizeof r->seen[0]);
    r->top = 0;
}

static size_t put_path(char *to, size_t room, const struct readers_plan *p, size_t number)
{
    const char *tilde = strchr(p->path, '~');
    int n = tilde ? snprintf(to, room, "%.*s%zu%s", (int)(tilde - p->path), p->path,
                             number % p->channels, tilde + 1)
                  : snprintf(to, room, "%s", p->path);
    return (size_t)n;
}

bool reader_on_writable(struct reader *r, size_t number, const struct readers_plan *p)
{
    static const char upgrade[] = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                                  "Sec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    char request[REQUEST], path[REQUEST / 2];
    put_path(path, sizeof path, p, number);
    int len = snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAccept: text/event-stream\r\n"
                       "%s%s%s%s%s%s\r\n",
                       path, p->port, p->is_websocket ? upgrade : "", p->header,
                       p->header[0] ? "\r\n" : "", r->id[0] ? "Last-Event-ID: " : "", r->id,
                       r->id[0] ? "\r\n" : "");
    if (send(r->fd, request, (size_t)len, MSG_NOSIGNAL) != len)
        return false;
    r->state = READER_OPENING;
    return true;
}

static void take_event(struct reader *r, const char *p, uint64_t now,
                       const struct readers_plan *plan, struct readers_counts *c, uint64_t wanted)
{
    uint64_t number, sent;
    if (!payload_get(p, &number, &sent) || number >= plan->most)
        return;
    uint64_t bit = bit_of(number);
    if (r->seen[number / 64] & bit) {
        c->doubled++;
        return;
    }
    r->seen[number / 64] |= bit;
    r->last = number;
    if (number > r->top)
        r->top = number;
    c->events++;
    histogram_add(&c->latency, now > sent ? now - sent : 0);
    if (!c->first_us)
        c->first_us = now;
    c->last_us = now;
    if (++r->got == wanted)
        c->complete++;
}

/* Of who is there; one that is cut by the end of a stretch is not counted. */
static uint64_t count_presences(const char *at, size_t len)
{
    static const char mark[] = "event: presence\n";
    uint64_t n = 0;
    for (const char *end = at + len; (at = memmem(at, (size_t)(end - at), mark, sizeof mark - 1));
         at += sizeof mark - 1)
        n++;
    return n;
}

/* The rest of one whose head was cut by the end of a stretch. */
static size_t finish_tail(struct reader *r, const char *at, size_t len)
{
    size_t missing = PAYLOAD_HEAD - r->tail_len, n = len < missing ? len : missing;
    memcpy(r->tail + r->tail_len, at, n);
    r->tail_len += (unsigned)n;
    return n;
}

static void take_events(struct reader *r, const char *at, size_t len, uint64_t now,
                        const struct readers_plan *p, struct readers_counts *c, uint64_t wanted)
{
    const char *end = at + len;
    if (r->tail_len) {
        at += finish_tail(r, at, len);
        if (r->tail_len < PAYLOAD_HEAD)
            return;
        take_event(r, r->tail, now, p, c, wanted);
        r->tail_len = 0;
    }
    while (at < end && (at = memchr(at, PAYLOAD_MARK, (size_t)(end - at)))) {
        if (end - at < PAYLOAD_HEAD) {
            r->tail_len = (unsigned)(end - at);
            memcpy(r->tail, at, r->tail_len);
            return;
        }
        take_event(r, at, now, p, c, wanted);
        at += PAYLOAD_HEAD;
    }
}

/* An id counts from the blank line on that ends its block. */
static void take_ids(struct reader *r, const char *at, size_t len, struct readers_counts *c)
{
    static const char mark[] = "id: ", bye[] = "event: bye";
    for (size_t i = 0; i < len; i++) {
        char ch = at[i];
        r->is_begun |= ch == PAYLOAD_MARK;
        if (ch == '\n') {
            if (r->line_at == 0) {
                memcpy(r->id, r->next_id, sizeof r->id);
                r->is_begun = false;
            }
            c->byes += r->line_at == 1000 + sizeof bye - 1;
            r->line_at = 0;
        } else if (r->line_at < 4 && ch == mark[r->line_at]) {
            r->line_at++;
            r->id_len = 0;
        } else if (r->line_at >= 4 && r->line_at < 500 && r->id_len < READER_ID - 1) {
            r->line_at = 4;
            r->next_id[r->id_len++] = ch;
            r->next_id[r->id_len] = 0;
        } else if (r->line_at == 0 && ch == bye[0]) {
            r->line_at = 1001;
        } else if (r->line_at > 1000 && r->line_at < 1000 + sizeof bye - 1 &&
                   ch == bye[r->line_at - 1000]) {
            r->line_at++;
        } else {
            r->line_at = 500;
        }
    }
}

static void look_for_open(struct reader *r, const char *at, size_t len,
                          const struct readers_plan *p)
{
    for (size_t i = 0; i < len && p->opened[r->matched]; i++)
        r->matched = at[i] == p->opened[r->matched] ? r->matched + 1 : at[i] == p->opened[0];
    if (!p->opened[r->matched])
        r->state = READER_OPEN;
}

/* Engine.IO has opened: Socket.IO wants to be asked for its namespace. A mask of zeros. */
static bool greet(struct reader *r)
{
    static const char join[] = {(char)0x81, (char)0x82, 0, 0, 0, 0, '4', '0'};
    r->is_greeted = true;
    return send(r->fd, join, sizeof join, MSG_NOSIGNAL) == (ssize_t)sizeof join;
}

bool reader_on_readable(struct reader *r, const struct readers_plan *p, struct readers_counts *c,
                        uint64_t wanted)
{
    static char input[INPUT];
    ssize_t n = recv(r->fd, input, sizeof input, MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    uint64_t now = clock_us();
    const char *at = input, *end = input + n, *body;
    size_t len;
    while (http_next(&r->http, &at, end, &body, &len)) {
        if (p->is_websocket && !r->is_greeted && !greet(r))
            return false;
        if (r->state == READER_OPENING)
            look_for_open(r, body, len, p);
        take_events(r, body, len, now, p, c, wanted);
        r->presences += count_presences(body, len);
        if (p->has_ids)
            take_ids(r, body, len, c);
    }
    if (r->state == READER_OPENING && !p->opened[0] && r->http.phase != HTTP_HEAD)
        r->state = READER_OPEN;
    return r->http.phase != HTTP_DONE && (r->http.phase == HTTP_HEAD || r->http.status < 300);
}
