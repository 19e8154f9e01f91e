#include "cli/fetch.h"

#include "base/buf.h"

#include <curl/curl.h>
#include <stdlib.h>

#define HEAD_MAX   65536
#define CONNECT_MS 5000L

struct fetcher {
    CURLM *multi;
};

struct fetch {
    struct fetcher *fetcher;
    CURL *curl;
    struct curl_slist *headers;
    struct buf head, body;
    bool is_over;
    CURLcode result;
};

struct fetcher *fetcher_new(void)
{
    struct fetcher *f = must_alloc(sizeof *f);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    f->multi = curl_multi_init();
    return f;
}

void fetcher_free(struct fetcher *f)
{
    if (!f)
        return;
    curl_multi_cleanup(f->multi);
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

void fetcher_turn(struct fetcher *f, Msec ms)
{
    int running;
    curl_multi_perform(f->multi, &running);
    curl_multi_poll(f->multi, NULL, 0, (int)ms, NULL);
    curl_multi_perform(f->multi, &running);
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

static void add_header(struct fetch *one, const char *format, const char *value)
{
    struct buf line;
    buf_init(&line, HEAD_MAX);
    buf_putz(&line, format);
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
    buf_init(&one->body, FETCH_BODY_MAX);
    CURL *c = one->curl;
    curl_easy_setopt(c, CURLOPT_PRIVATE, one);
    curl_easy_setopt(c, CURLOPT_URL, ask->url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "belfry-doctor");
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_head);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, one);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, one);
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, ask->gzip ? "gzip" : NULL);
    if (ask->accept)
        add_header(one, "Accept: ", ask->accept);
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
