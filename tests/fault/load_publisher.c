#include "load.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

enum { RETRY_LEAST = 20, RETRY_SPREAD = 80, MS = 1000000, BATCH_MOST = 1000 };

struct publisher {
    struct http http;
    struct load *load;
    char name[48], why[96];
    enum publish_kind kind;
    unsigned batch;
    uint64_t next;  /* number of the next event meant */
    uint64_t first; /* the events under way: first, count */
    unsigned count;
    uint32_t op; /* of the first of them, in this attempt */
    bool is_busy, is_retry, is_mark;
    uint64_t due; /* ns */
    struct buf request, text;
};

static void on_answer(struct http *h, bool is_complete);

struct publisher *publisher_new(struct load *l, unsigned number, enum publish_kind kind,
                                unsigned batch)
{
    struct publisher *p = must_alloc(sizeof *p);
    p->load = l;
    p->kind = kind;
    p->batch = kind >= BATCH ? (batch < BATCH_MOST ? batch : BATCH_MOST) : 1;
    p->op = 1;
    snprintf(p->name, sizeof p->name, "%s.p%u", l->name, number);
    http_init(&p->http, l->epoll, l->port, p);
    p->http.on_end = on_answer;
    buf_init(&p->request, 1 << 20);
    buf_init(&p->text, 1 << 20);
    return p;
}

void publisher_free(struct publisher *p)
{
    http_fini(&p->http);
    buf_fini(&p->request);
    buf_fini(&p->text);
    free(p);
}

bool publisher_is_idle(const struct publisher *p)
{
    return !p->is_busy && !p->is_retry;
}

const char *publisher_name(const struct publisher *p)
{
    return p->name;
}

const char *publisher_why(const struct publisher *p)
{
    return p->is_busy ? "unanswered" : p->why;
}

static bool is_keyed(const struct publisher *p)
{
    return p->is_mark || (p->kind != SINGLE && p->kind != BATCH);
}

/* The events under way, by their number. */
static Str channel_of(const struct publisher *p, uint64_t n, char out[32])
{
    if (p->is_mark)
        return STR("end");
    if (n % SHORT_EVERY == 0)
        return STR("short");
    uint64_t hash = (n + (uint64_t)p->kind) * 0x9e3779b97f4a7c15u;
    return str_make(out, (size_t)snprintf(out, 32, "room:%u", (unsigned)(hash >> 40) % ROOMS));
}

static Str body_of(const struct publisher *p, uint64_t n, char out[96])
{
    if (p->is_mark)
        return str_of(p->load->marker);
    return str_make(out, (size_t)snprintf(out, 96, "%s.%llu", p->name, (unsigned long long)n));
}

static void tell(struct publisher *p, enum what what, unsigned i, Str code, Cursor id)
{
    char channel[32], body[96];
    struct fact f = {
        .actor = str_of(p->name), .what = what, .op = p->op + i, .reason = code, .id = id};
    if (what == FACT_INVOKE) {
        f.channel = channel_of(p, p->first + i, channel);
        f.body = body_of(p, p->first + i, body);
        if (is_keyed(p))
            f.key = f.body;
    }
    p->load->stats->acknowledged += what == FACT_OK;
    p->load->stats->unknown += what == FACT_UNKNOWN;
    p->load->stats->refused += what == FACT_FAIL;
    if (what == FACT_FAIL || what == FACT_UNKNOWN)
        snprintf(p->why, sizeof p->why, "%.*s", FMT(code));
    load_add(p->load, &f);
}

static void write_body(struct publisher *p)
{
    char channel[32], body[96];
    buf_clear(&p->text);
    for (unsigned i = 0; i < p->count; i++) {
        Str c = channel_of(p, p->first + i, channel), b = body_of(p, p->first + i, body);
        if (p->kind == FORM_KEYED) {
            buf_printf(&p->text, "channel=%.*s&data=%.*s&idempotencyKey=%.*s", FMT(c), FMT(b),
                       FMT(b));
            return;
        }
        buf_printf(&p->text, "{\"channel\":\"%.*s\",\"data\":\"%.*s\"", FMT(c), FMT(b));
        if (p->kind == SINGLE_KEYED || p->kind == BATCH_KEYS || p->is_mark)
            buf_printf(&p->text, ",\"idempotencyKey\":\"%.*s\"", FMT(b));
        buf_putz(&p->text, p->kind >= BATCH ? "}\n" : "}");
    }
}

static void write_request(struct publisher *p)
{
    static const char *const types[] = {"application/json", "application/x-ndjson",
                                        "application/x-www-form-urlencoded"};
    write_body(p);
    buf_clear(&p->request);
    buf_printf(&p->request,
               "POST %s/send HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: %s\r\n"
               "Content-Length: %zu\r\n",
               p->load->mount, p->load->port,
               types[p->kind >= BATCH        ? 1
                     : p->kind == FORM_KEYED ? 2
                                             : 0],
               p->text.len);
    if (p->kind == BATCH_KEYED && !p->is_mark)
        buf_printf(&p->request, "Idempotency-Key: %s.b%llu\r\n", p->name,
                   (unsigned long long)p->first);
    buf_putz(&p->request, "\r\n");
    buf_put(&p->request, buf_str(&p->text));
}

static void wait_a_little(struct publisher *p)
{
    p->due = p->load->now + (RETRY_LEAST + load_random(p->load, RETRY_SPREAD)) * MS;
}

/* The attempt is over. Again where the key makes that harmless, or it was surely not done. */
static void settle(struct publisher *p, bool again)
{
    p->is_busy = false;
    p->is_retry = again;
    p->op += p->count;
    if (again)
        wait_a_little(p);
}

static void tell_all(struct publisher *p, enum what what, Str code)
{
    for (unsigned i = 0; i < p->count; i++)
        tell(p, what, i, code, CURSOR_NONE);
}

static void attempt(struct publisher *p)
{
    write_request(p);
    tell_all(p, FACT_INVOKE, STR_NONE);
    p->is_busy = true;
    if (http_ask(&p->http, buf_str(&p->request)))
        return;
    tell_all(p, FACT_FAIL, STR("connect"));
    settle(p, true);
}

void publisher_turn(struct publisher *p)
{
    if (p->is_busy || p->due > p->load->now)
        return;
    if (p->is_retry) {
        attempt(p);
    } else if (!p->load->is_draining) {
        p->first = p->next;
        p->count = p->batch;
        p->next += p->count;
        attempt(p);
    }
}

void publisher_mark(struct publisher *p)
{
    p->is_mark = true;
    p->kind = SINGLE_KEYED;
    p->count = 1;
    attempt(p);
}

/* Which refusal it is; empty: none. */
static Str code_of(const Json *result)
{
    const Json *code = json_get(result, "type");
    return code && json_is_string(code) ? json_str(code) : STR_NONE;
}

/* What one send came to. */
static enum what outcome(struct publisher *p, unsigned i, const Json *result)
{
    const Json *id = json_get(result, "id");
    Cursor at = CURSOR_NONE;
    if (id && json_is_string(id) && cursor_parse(json_str(id), &at)) {
        tell(p, FACT_OK, i, STR_NONE, at);
        return FACT_OK;
    }
    Str text = code_of(result);
    bool is_unknown = !text.len || str_ends(text, STR("#unknown_outcome"));
    enum what what = is_unknown ? FACT_UNKNOWN : FACT_FAIL;
    tell(p, what, i, text, CURSOR_NONE);
    return what;
}

static void read_answer(struct publisher *p, const Json *whole)
{
    const Json *results = json_get(whole, "results");
    bool is_unknown = false, is_failed = false;
    if (p->kind >= BATCH && results && json_len(results) == p->count) {
        for (unsigned i = 0; i < p->count; i++) {
            enum what what = outcome(p, i, json_at(results, i));
            is_unknown = is_unknown || what == FACT_UNKNOWN;
            is_failed = is_failed || what == FACT_FAIL;
        }
    } else if (p->kind < BATCH) {
        enum what what = outcome(p, 0, whole);
        is_unknown = what == FACT_UNKNOWN;
        is_failed = what == FACT_FAIL;
    } else {
        enum what what =
            json_get(whole, "outcome") || !json_get(whole, "type") ? FACT_UNKNOWN : FACT_FAIL;
        tell_all(p, what, code_of(whole));
        is_unknown = what == FACT_UNKNOWN;
        is_failed = !is_unknown;
    }
    settle(p, is_keyed(p) ? is_unknown || is_failed : is_failed && !is_unknown && p->count == 1);
}

/* Who answers when the worker is gone is the web server, and it cannot know the outcome. */
static void on_answer(struct http *h, bool is_complete)
{
    struct publisher *p = h->owner;
    struct fault why;
    Json *whole = is_complete ? json_parse(buf_str(&h->body), &why) : NULL;
    if (whole) {
        read_answer(p, whole);
    } else {
        char code[16];
        snprintf(code, sizeof code, "http%d", h->status);
        tell_all(p, FACT_UNKNOWN, str_of(code));
        settle(p, is_keyed(p));
        wait_a_little(p);
    }
    json_free(whole);
}
