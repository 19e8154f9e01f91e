#include "wire/fetch.h"

#include "base/buf.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define HEAD_MAX   65536
#define CONNECT_MS 5000L

enum { EVENTS = 64, CONNECTIONS = 32 };

struct fetcher {
    CURLM *multi;
    int epoll;
    int other; /* in the same epoll, and none of curl's; -1: none */
    int timer; /* … when curl wants to be called although nothing came */
};

struct fetch {
    struct fetcher *fetcher;
    CURL *curl;
    struct curl_slist *headers;
    struct buf head, body;
    bool is_over;
    CURLcode result;
};

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *known)
{
    struct fetcher *f = owner;
    struct epoll_event e = {.data.fd = fd};
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(f->epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    e.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    epoll_ctl(f->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e);
    curl_multi_assign(f->multi, fd, f);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *owner)
{
    struct fetcher *f = owner;
    (void)multi;
    struct itimerspec in = {.it_value = {ms / 1000, ms % 1000 * 1000000 + 1}};
    if (ms < 0)
        in = (struct itimerspec){0};
    timerfd_settime(f->timer, 0, &in, NULL);
    return 0;
}

static void watch(const struct fetcher *f, int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &e);
}

struct fetcher *fetcher_new(void)
{
    struct fetcher *f = must_alloc(sizeof *f);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    f->other = -1;
    f->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    watch(f, f->timer);
    f->multi = curl_multi_init();
    curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
    curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
    curl_multi_setopt(f->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS);
    return f;
}

int fetcher_fd(struct fetcher *f, int other)
{
    f->other = other;
    watch(f, other);
    return f->epoll;
}

void fetcher_free(struct fetcher *f)
{
    if (!f)
        return;
    curl_multi_cleanup(f->multi);
    close(f->timer);
    close(f->epoll);
    curl_global_cleanup();
    free(f);
}

static void collect(struct fetcher *f)
{
    int left;
    CURLMsg *m;
    while ((m = curl_multi_info_read(f->multi, &left))) {
        struct fetch *one = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &one);
        one->is_over = true;
        one->result = m->data.result;
    }
}

static void on_event(struct fetcher *f, const struct epoll_event *e)
{
    int running;
    uint64_t times;
    unsigned what = (e->events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0u) |
                    (e->events & EPOLLOUT ? CURL_CSELECT_OUT : 0u) |
                    (e->events & EPOLLERR ? CURL_CSELECT_ERR : 0u);
    if (e->data.fd == f->timer && read(f->timer, &times, sizeof times) > 0)
        curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    else if (e->data.fd != f->timer && e->data.fd != f->other)
        curl_multi_socket_action(f->multi, e->data.fd, (int)what, &running);
}

void fetcher_turn(struct fetcher *f, Msec ms)
{
    struct epoll_event came[EVENTS];
    int n = epoll_wait(f->epoll, came, EVENTS, (int)ms);
    for (int i = 0; i < n; i++)
        on_event(f, &came[i]);
    collect(f);
}

static size_t take_head(char *p, size_t size, size_t n, void *owner)
{
    struct fetch *one = owner;
    Str line = str_make(p, size * n);
    if (str_starts(line, STR("HTTP/")))
        buf_clear(&one->head); /* what came before was 100 or a redirect */
    return buf_put(&one->head, line) ? line.len : 0;
}

static size_t take_body(char *p, size_t size, size_t n, void *owner)
{
    struct fetch *one = owner;
    return buf_put(&one->body, str_make(p, size * n)) ? size * n : 0;
}

static void add_header(struct fetch *one, const char *name, const char *value)
{
    struct buf line;
    buf_init(&line, HEAD_MAX);
    buf_putz(&line, name);
    buf_putz(&line, value);
    buf_putc(&line, '\0');
    one->headers = curl_slist_append(one->headers, line.p);
    buf_fini(&line);
}

struct fetch *fetch_start(struct fetcher *f, const struct fetch_ask *ask)
{
    struct fetch *one = must_alloc(sizeof *one);
    one->fetcher = f;
    one->curl = curl_easy_init();
    buf_init(&one->head, HEAD_MAX);
    buf_init(&one->body, ask->most ? ask->most : FETCH_BODY_MAX);
    CURL *c = one->curl;
    curl_easy_setopt(c, CURLOPT_PRIVATE, one);
    curl_easy_setopt(c, CURLOPT_URL, ask->url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)ask->timeout);
    curl_easy_setopt(c, CURLOPT_NOPROXY, ask->is_direct ? "*" : NULL);
    curl_easy_setopt(c, CURLOPT_USERAGENT, ask->agent ? ask->agent : "belfry");
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_head);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, one);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, one);
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, ask->gzip ? "gzip" : NULL);
    if (ask->accept)
        add_header(one, "Accept: ", ask->accept);
    if (ask->header)
        add_header(one, "", ask->header);
    if (strcmp(ask->method, "HEAD") == 0)
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    if (strcmp(ask->method, "POST") == 0) {
        add_header(one, "Content-Type: ", "application/json");
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)ask->body.len);
        curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, ask->body.p);
    }
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, one->headers);
    curl_multi_add_handle(f->multi, c);
    return one;
}

void fetch_stop(struct fetch *one)
{
    if (!one)
        return;
    curl_multi_remove_handle(one->fetcher->multi, one->curl);
    curl_easy_cleanup(one->curl);
    curl_slist_free_all(one->headers);
    buf_fini(&one->head);
    buf_fini(&one->body);
    free(one);
}

bool fetch_is_over(const struct fetch *one)
{
    return one->is_over;
}

const char *fetch_error(const struct fetch *one)
{
    return one->is_over && one->result != CURLE_OK ? curl_easy_strerror(one->result) : NULL;
}

long fetch_status(const struct fetch *one)
{
    long status = 0;
    if (str_ends(buf_str(&one->head), STR("\r\n\r\n")))
        curl_easy_getinfo(one->curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

Str fetch_header(const struct fetch *one, const char *name)
{
    Str rest = buf_str(&one->head), line;
    while (str_cut(&rest, '\n', &line)) {
        size_t colon = str_find(line, ':');
        if (colon < line.len && str_eq_nocase(str_make(line.p, colon), str_of(name)))
            return str_trim(str_skip(line, colon + 1));
    }
    return STR("");
}

Str fetch_body(const struct fetch *one)
{
    return buf_str(&one->body);
}
