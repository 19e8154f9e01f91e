#include "load.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

enum { RETRY_LEAST = 10, RETRY_SPREAD = 140, STAY = 400, SLEEP = 1500, MS = 1000000 };

struct reader {
    struct http http, asks; /* the stream or polls; POST subscribe */
    struct load *load;
    char name[48], client[64], channels[96];
    const char *extra; /* joined by POST; NULL: none */
    enum reader_kind kind;
    uint32_t conn;
    Cursor last;  /* as EventSource keeps it */
    Cursor began; /* cursor of the present connection */
    bool is_on, is_open, has_extra, is_drained;
    uint64_t due;   /* ns: the next attempt */
    uint64_t leave; /* ns: a sleeper's */
    /* the block of a stream that is being read */
    char id[64], event[32];
    struct buf data, text;
};

static void on_stream(struct http *h);
static void on_stream_end(struct http *h, bool is_complete);
static void on_poll_end(struct http *h, bool is_complete);
static void on_joined(struct http *h, bool is_complete);

/* Without envelope a reader cannot tell channels apart, so the plain one has only the last. */
static void choose(struct reader *d, unsigned number)
{
    static const char *const rooms[ROOMS] = {"room:0", "room:1", "room:2",
                                             "room:3", "room:4", "room:5"};
    const char *one = rooms[number % ROOMS], *two = rooms[(number + 1) % ROOMS];
    if (d->kind == PLAIN)
        snprintf(d->channels, sizeof d->channels, "end");
    else if (d->kind == PATTERN)
        snprintf(d->channels, sizeof d->channels, "room:*,end");
    else if (d->kind == NAMED)
        snprintf(d->channels, sizeof d->channels, "%s,end", one);
    else if (d->kind == SLEEPER)
        snprintf(d->channels, sizeof d->channels, "short,end");
    else
        snprintf(d->channels, sizeof d->channels, "%s,%s,end", one, two);
    if (d->kind != NAMED)
        return;
    d->extra = two;
    snprintf(d->client, sizeof d->client, "%s-client-of-load", d->name);
    for (char *c = d->client; *c; c++)
        *c = *c == '.' ? '_' : *c;
}

struct reader *reader_new(struct load *l, unsigned number, enum reader_kind kind)
{
    struct reader *d = must_alloc(sizeof *d);
    d->load = l;
    d->kind = kind;
    snprintf(d->name, sizeof d->name, "%s.r%u", l->name, number);
    choose(d, number);
    http_init(&d->http, l->epoll, l->port, d);
    http_init(&d->asks, l->epoll, l->port, d);
    d->http.on_body = kind == POLL ? NULL : on_stream;
    d->http.on_end = kind == POLL ? on_poll_end : on_stream_end;
    d->asks.on_end = on_joined;
    buf_init(&d->data, 1 << 20);
    buf_init(&d->text, 1 << 16);
    return d;
}

void reader_free(struct reader *d)
{
    http_fini(&d->http);
    http_fini(&d->asks);
    buf_fini(&d->data);
    buf_fini(&d->text);
    free(d);
}

bool reader_is_open(const struct reader *d)
{
    if (d->kind == POLL || d->kind == SLEEPER)
        return !cursor_is_none(d->last);
    return d->is_open && (!d->extra || d->has_extra);
}

bool reader_is_drained(const struct reader *d)
{
    return d->is_drained;
}

const char *reader_name(const struct reader *d)
{
    return d->name;
}

static void tell(struct reader *d, struct fact f)
{
    f.actor = str_of(d->name);
    f.op = d->conn;
    load_add(d->load, &f);
}

static void wait_a_little(struct reader *d)
{
    d->due = d->load->now + (RETRY_LEAST + load_random(d->load, RETRY_SPREAD)) * MS;
}

/* Connecting */

static void write_request(struct reader *d)
{
    char cursor[CURSOR_TEXT];
    cursor_print(d->last, cursor);
    buf_clear(&d->text);
    buf_printf(&d->text, "GET %s%s?channel=%s", d->load->mount, d->kind == POLL ? "/poll" : "",
               d->channels);
    if (d->kind == POLL)
        buf_printf(&d->text, "&wait=%d&cursor=%s", cursor[0] ? 5 : 0, cursor);
    else if (d->kind != PLAIN)
        buf_putz(&d->text, "&envelope=1&ping=5");
    if (d->client[0])
        buf_printf(&d->text, "&client=%s", d->client);
    buf_printf(&d->text, " HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: text/event-stream\r\n",
               d->load->port);
    if (cursor[0] && d->kind != POLL)
        buf_printf(&d->text, "Last-Event-ID: %s\r\n", cursor);
    buf_putz(&d->text, "\r\n");
}

static void refused(struct reader *d, const char *code)
{
    tell(d, (struct fact){.what = FACT_REFUSED, .reason = str_of(code)});
    d->is_on = false;
    wait_a_little(d);
}

static void begin(struct reader *d)
{
    write_request(d);
    d->conn++;
    d->is_on = true;
    d->is_open = d->has_extra = false;
    d->began = d->last;
    d->id[0] = d->event[0] = '\0';
    buf_clear(&d->data);
    tell(d, (struct fact){.what = FACT_CONNECT,
                          .channels = str_of(d->channels),
                          .client = str_of(d->client),
                          .id = d->last});
    if (!http_ask(&d->http, buf_str(&d->text)))
        refused(d, "connect");
}

static void ask_to_join(struct reader *d)
{
    char body[160];
    int len = snprintf(body, sizeof body, "{\"clientId\":\"%s\",\"channel\":\"%s\"}", d->client,
                       d->extra);
    buf_clear(&d->text);
    buf_printf(&d->text,
               "POST %s/subscribe HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
               "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
               d->load->mount, d->load->port, len, body);
    if (!http_ask(&d->asks, buf_str(&d->text)))
        wait_a_little(d);
}

/* It may have been done, and what came by it has been read. */
static void tell_unanswered(struct reader *d)
{
    if (d->is_open && d->asks.is_asking)
        tell(d, (struct fact){.what = FACT_JOINED, .channel = str_of(d->extra)});
    http_drop(&d->asks);
}

static void go_to_sleep(struct reader *d)
{
    tell_unanswered(d);
    http_drop(&d->http);
    tell(d, (struct fact){.what = FACT_CLOSE, .reason = STR("client")});
    d->is_on = d->is_open = false;
    d->due = d->load->now + load_random(d->load, SLEEP) * MS;
}

void reader_turn(struct reader *d)
{
    if (d->kind == SLEEPER && d->is_open && d->load->now > d->leave && !d->load->is_draining)
        go_to_sleep(d);
    if (d->due > d->load->now || d->is_drained)
        return;
    if (!d->is_on)
        begin(d);
    else if (d->is_open && d->extra && !d->has_extra && !d->asks.is_asking)
        ask_to_join(d);
}

/* What comes */

static Str member(const Json *object, const char *name)
{
    const Json *v = json_get(object, name);
    return v && json_is_string(v) ? json_str(v) : STR_NONE;
}

static Cursor cursor_of(Str text)
{
    Cursor c = CURSOR_NONE;
    return cursor_parse(text, &c) ? c : CURSOR_NONE;
}

static bool has_item(const Json *list, const char *name)
{
    for (size_t i = 0; list && i < json_len(list); i++)
        if (str_eq(json_str(json_at(list, i)), str_of(name)))
            return true;
    return false;
}

/* What is remembered for the client begins where the stream does. */
static void opened(struct reader *d, const Json *told)
{
    Cursor at = cursor_of(member(told, "cursor"));
    d->is_open = true;
    d->leave = d->load->now + load_random(d->load, STAY) * MS;
    d->load->stats->connected++;
    tell(d, (struct fact){
                .what = FACT_OPEN, .id = at, .resumed = json_is_true(json_get(told, "resumed"))});
    if (!d->extra || !has_item(json_get(told, "channels"), d->extra))
        return;
    d->has_extra = true;
    tell(d, (struct fact){.what = FACT_JOINED,
                          .channel = str_of(d->extra),
                          .id = cursor_is_none(d->began) ? at : d->began});
}

static void told_gap(struct reader *d, const Json *gap)
{
    const Json *list = json_get(gap, "channels");
    buf_clear(&d->text);
    for (size_t i = 0; list && i < json_len(list); i++)
        buf_printf(&d->text, "%s%.*s", i ? "," : "", FMT(json_str(json_at(list, i))));
    d->load->stats->gaps++;
    tell(d, (struct fact){.what = FACT_GAP,
                          .reason = member(gap, "reason"),
                          .id = cursor_of(member(gap, "oldest")),
                          .channels = buf_str(&d->text)});
}

static void received(struct reader *d, Cursor id, Str channel, Str body)
{
    d->load->stats->received++;
    tell(d, (struct fact){.what = FACT_RECEIVE, .id = id, .channel = channel, .body = body});
    if (!str_eq(body, str_of(d->load->marker)))
        return;
    d->is_drained = true;
    tell(d, (struct fact){.what = FACT_DRAINED});
}

static void dispatch_told(struct reader *d, const Json *told)
{
    Str event = str_of(d->event);
    if (str_eq(event, STR("connected")))
        opened(d, told);
    else if (str_eq(event, STR("gap")))
        told_gap(d, told);
    else if (str_eq(event, STR("bye")))
        tell(d, (struct fact){.what = FACT_BYE, .reason = member(told, "reason")});
    else
        received(d, cursor_of(str_of(d->id)), member(told, "channel"), member(told, "data"));
}

/* A blank line: as a browser does it, the id counts even where there is nothing to dispatch. */
static void dispatch(struct reader *d)
{
    Cursor id = cursor_of(str_of(d->id));
    if (!cursor_is_none(id))
        d->last = id;
    if (!d->data.len && !cursor_is_none(id))
        tell(d, (struct fact){.what = FACT_BEAT, .id = id});
    if (d->data.len && !d->event[0] && d->kind == PLAIN) {
        received(d, id, STR("end"), buf_str(&d->data));
    } else if (d->data.len) {
        struct fault why;
        Json *told = json_parse(buf_str(&d->data), &why);
        if (told)
            dispatch_told(d, told);
        json_free(told);
    }
    d->id[0] = d->event[0] = '\0';
    buf_clear(&d->data);
}

static void keep(char *to, size_t size, Str value)
{
    snprintf(to, size, "%.*s", FMT(value));
}

static void read_line(struct reader *d, Str line)
{
    if (!line.len) {
        dispatch(d);
        return;
    }
    size_t colon = str_find(line, ':');
    Str name = str_make(line.p, colon), value = str_skip(line, colon + 1);
    if (str_starts(value, STR(" ")))
        value = str_skip(value, 1);
    if (str_eq(name, STR("id")))
        keep(d->id, sizeof d->id, value);
    else if (str_eq(name, STR("event")))
        keep(d->event, sizeof d->event, value);
    else if (str_eq(name, STR("data")))
        buf_put(&d->data, value);
}

static void on_stream(struct http *h)
{
    struct reader *d = h->owner;
    size_t read = 0;
    for (const char *end;
         read < h->body.len && (end = memchr(h->body.p + read, '\n', h->body.len - read));) {
        size_t at = (size_t)(end - h->body.p);
        read_line(d, str_make(h->body.p + read, at - read));
        read = at + 1;
    }
    buf_drop(&h->body, read);
}

static void on_stream_end(struct http *h, bool is_complete)
{
    struct reader *d = h->owner;
    (void)is_complete;
    char code[16];
    snprintf(code, sizeof code, "%d", h->status);
    http_drop(h);
    tell_unanswered(d);
    d->is_open = false;
    if (h->status != 200) {
        refused(d, code);
        return;
    }
    tell(d, (struct fact){.what = FACT_CLOSE});
    d->is_on = false;
    wait_a_little(d);
}

/* An answer to a poll is a whole connection. */
static void read_page(struct reader *d, const Json *page)
{
    Cursor cursor = cursor_of(member(page, "cursor"));
    const Json *gap = json_get(page, "gap"), *events = json_get(page, "events");
    tell(d, (struct fact){.what = FACT_OPEN, .id = cursor_is_none(d->began) ? cursor : d->began});
    d->is_open = true;
    d->load->stats->connected++;
    if (gap && !json_is_null(gap))
        told_gap(d, gap);
    for (size_t i = 0; events && i < json_len(events); i++) {
        const Json *e = json_at(events, i);
        received(d, cursor_of(member(e, "id")), member(e, "channel"), member(e, "data"));
    }
    tell(d, (struct fact){.what = FACT_BEAT, .id = cursor});
    d->last = cursor;
}

static void on_poll_end(struct http *h, bool is_complete)
{
    struct reader *d = h->owner;
    struct fault why;
    Json *page = is_complete && h->status == 200 ? json_parse(buf_str(&h->body), &why) : NULL;
    char code[16];
    snprintf(code, sizeof code, "%d", h->status);
    if (!page) {
        refused(d, code);
        return;
    }
    read_page(d, page);
    tell(d, (struct fact){.what = FACT_CLOSE, .reason = STR("client")});
    json_free(page);
    d->is_on = false;
}

/* Where the outcome is not known the channel may be there, but nothing is owed. A stream that began
 * at a cursor is given what is added to it from there. */
static void on_joined(struct http *h, bool is_complete)
{
    struct reader *d = h->owner;
    struct fault why;
    Json *told = is_complete && h->status == 200 ? json_parse(buf_str(&h->body), &why) : NULL;
    Cursor at = told ? cursor_of(member(told, "cursor")) : CURSOR_NONE;
    if (d->is_on && d->is_open && !cursor_is_none(at)) {
        d->has_extra = true;
        tell(d, (struct fact){.what = FACT_JOINED,
                              .channel = str_of(d->extra),
                              .id = at,
                              .late = !cursor_is_none(d->began)});
    } else if (d->is_on && d->is_open) {
        tell(d, (struct fact){.what = FACT_JOINED, .channel = str_of(d->extra)});
        wait_a_little(d);
    }
    json_free(told);
}
