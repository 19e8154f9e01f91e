#include "desk.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

static bool send(void *ctx, struct header header, struct buf *body)
{
    struct desk *d = ctx;
    if (d->is_deaf)
        return false;
    if (d->said_len == COUNT_OF(d->said)) {
        buf_fini(&d->said[0].body);
        memmove(d->said, d->said + 1, sizeof d->said - sizeof d->said[0]);
        d->said_len--;
        d->said_read -= d->said_read > 0;
    }
    struct said *s = &d->said[d->said_len++];
    s->verb = header.verb;
    s->body = *body;
    buf_init(body, body->max);
    return true;
}

int desk_setup_cold(void **state)
{
    struct desk *d = must_alloc(sizeof *d);
    char name[] = "test";
    char *argv[] = {name, NULL};
    struct fault why;
    log_init("test", LOG_LEVEL_ERROR);
    assert_true(options_load(&d->options, PROGRAM_WORKER, 1, argv, &why));
    d->options.access = ACCESS_OPEN;
    d->now = 1000000;
    d->link = link_new(&d->options, STR("w1"), (struct link_out){.send = send, .ctx = d});
    d->roster = roster_new(&d->options, d->link);
    link_attach(d->link, d->roster);
    link_set_wall(d->link, 1700000000000);
    *state = d;
    return 0;
}

int desk_setup(void **state)
{
    desk_setup_cold(state);
    struct desk *d = *state;
    link_on_connected(d->link, d->now);
    hub_welcomes(d, at(100), GAP_NONE);
    return 0;
}

int desk_teardown(void **state)
{
    struct desk *d = *state;
    roster_free(d->roster);
    link_free(d->link);
    for (size_t i = 0; i < d->said_len; i++)
        buf_fini(&d->said[i].body);
    for (struct browser *b; (b = d->browsers);) {
        d->browsers = b->next;
        buf_fini(&b->text);
        free(b);
    }
    options_fini(&d->options);
    free(d);
    return 0;
}

Cursor at(Position p)
{
    return (Cursor){EPOCH, p};
}

void hub_says(struct desk *d, enum verb verb, const struct buf *body)
{
    char header[MESSAGE_HEADER];
    d->seq = verb == VERB_WELCOME ? 1 : d->seq + 1;
    header_pack(header, (struct header){PROTOCOL_VERSION, (uint8_t)verb, d->seq});
    link_on_message(d->link, str_make(header, sizeof header), buf_str(body), d->now);
}

void hub_welcomes(struct desk *d, Cursor from, enum gap_reason reason)
{
    HUB_SAYS(d, WELCOME, welcome, .link = 7, .head = from, .from = from, .reason = (uint8_t)reason);
}

void hub_comes_back(struct desk *d, Cursor from, enum gap_reason reason)
{
    link_on_disconnected(d->link, d->now);
    link_on_connected(d->link, d->now);
    hub_welcomes(d, from, reason);
}

void hub_event(struct desk *d, const struct event *e)
{
    struct buf body;
    buf_init(&body, SIZE_MAX / 2);
    event_pack(&body, e);
    hub_says(d, VERB_EVENT, &body);
    buf_fini(&body);
}

static struct event event_of(const char *channel, Position position, const char *data)
{
    return (struct event){.id = at(position),
                          .time = 1700000000000,
                          .channel = str_of(channel),
                          .data = str_of(data)};
}

void hub_publishes(struct desk *d, const char *channel, Position position, const char *data)
{
    struct event e = event_of(channel, position, data);
    hub_event(d, &e);
}

void hub_beats(struct desk *d, Position through)
{
    HUB_SAYS(d, BEAT, beat, .head = at(through), .through = at(through), .writable = 1);
}

const struct said *worker_said(struct desk *d, enum verb verb)
{
    while (d->said_read < d->said_len) {
        const struct said *s = &d->said[d->said_read++];
        if (s->verb == verb)
            return s;
    }
    return NULL;
}

static Str next_body(struct desk *d, enum verb verb)
{
    const struct said *s = worker_said(d, verb);
    assert_non_null(s);
    return s ? buf_str(&s->body) : STR_NONE;
}

struct msg_open next_open(struct desk *d)
{
    struct msg_open m;
    assert_true(msg_open_unpack(next_body(d, VERB_OPEN), &m));
    return m;
}

struct msg_fetch next_fetch(struct desk *d)
{
    struct msg_fetch m;
    assert_true(msg_fetch_unpack(next_body(d, VERB_FETCH), &m));
    return m;
}

void hub_opens(struct desk *d, Position join, Position from)
{
    struct msg_open m = next_open(d);
    struct buf parts, item;
    buf_init(&parts, SIZE_MAX / 2);
    buf_init(&item, SIZE_MAX / 2);
    for (Str name; list_next(&m.channels, &name);) {
        buf_clear(&item);
        msg_part_pack(&item, &(struct msg_part){name, 0, 0});
        list_put(&parts, buf_str(&item));
    }
    HUB_SAYS(d, OPENED, opened, .ref = m.ref, .client = m.client, .channels = buf_str(&parts),
             .join = at(join), .from = at(from));
    buf_fini(&parts);
    buf_fini(&item);
}

void hub_rows(struct desk *d, uint64_t ref, const char *channel, const Position *positions,
              Position next, bool more)
{
    struct buf rows, item;
    buf_init(&rows, SIZE_MAX / 2);
    buf_init(&item, SIZE_MAX / 2);
    for (; *positions; positions++) {
        struct event e = event_of(channel, *positions, "row");
        buf_clear(&item);
        event_pack(&item, &e);
        list_put(&rows, buf_str(&item));
    }
    HUB_SAYS(d, ROWS, rows, .ref = ref, .rows = buf_str(&rows), .next = at(next), .more = more);
    buf_fini(&rows);
    buf_fini(&item);
}

static bool write_chunk(struct outlet *o, struct chunk *c)
{
    struct browser *b = (struct browser *)(void *)o;
    b->chunks++;
    buf_put(&b->text, chunk_bytes(c));
    return !b->is_full;
}

static void finish(struct outlet *o)
{
    ((struct browser *)(void *)o)->is_finished = true;
}

static void abort_outlet(struct outlet *o)
{
    ((struct browser *)(void *)o)->is_aborted = true;
}

static const struct outlet_ops browser_ops = {write_chunk, finish, abort_outlet, NULL};

static struct browser *browser_new(struct desk *d)
{
    struct browser *b = must_alloc(sizeof *b);
    b->outlet.ops = &browser_ops;
    buf_init(&b->text, SIZE_MAX / 2);
    b->next = d->browsers;
    d->browsers = b;
    return b;
}

struct stream_request want(const char *channels)
{
    static char list[4096]; /* of the last call */
    static unsigned client;
    static char name[32];
    struct buf packed = {.p = list, .cap = sizeof list, .max = sizeof list - 1};
    Str names = str_of(channels);
    for (Str each; str_cut(&names, ',', &each);)
        list_put(&packed, each);
    int len = snprintf(name, sizeof name, "client-%09u", ++client);
    return (struct stream_request){
        .client = str_make(name, (size_t)len),
        .rights = {.access = ACCESS_OPEN},
        .channels = buf_str(&packed),
        .listed = true,
        .ping = 15,
        .limit = 100,
    };
}

struct browser *browser_open(struct desk *d, const struct stream_request *q)
{
    struct browser *b = browser_new(d);
    struct sink sink = sse_new(&b->outlet, STR("Status: 200 OK\r\n\r\n"), q->envelope, false);
    b->read = b->text.len;
    b->stream = stream_open(d->roster, q, sink, d->now);
    return b;
}

struct browser *browser_poll(struct desk *d, struct stream_request q)
{
    struct browser *b = browser_new(d);
    q.poll = true;
    b->stream = stream_open(
        d->roster, &q, poll_new(&b->outlet, STR_NONE, STR("503"), STR("429"), q.limit), d->now);
    return b;
}

struct browser *browser_move(struct desk *to, const struct browser *b)
{
    struct browser *moved = browser_new(to);
    moved->is_full = b->is_full;
    return moved;
}

void browser_unblock(struct browser *b)
{
    b->is_full = false;
    b->outlet.owner_ops->on_writable(b->outlet.owner);
}

const char *browser_got(struct browser *b)
{
    buf_putc(&b->text, '\0');
    b->text.len--;
    const char *got = b->text.p + b->read;
    b->read = b->text.len;
    return got;
}

struct browser *browser_live(struct desk *d, const char *channels, Position join)
{
    struct stream_request q = want(channels);
    struct browser *b = browser_open(d, &q);
    hub_opens(d, join, join);
    turn(d);
    browser_got(b);
    return b;
}

void turn(struct desk *d)
{
    roster_flush(d->roster, d->now);
}

void pass(struct desk *d, Msec ms)
{
    for (Msec step = 100; ms; ms -= step) {
        step = ms < step ? ms : step;
        d->now += step;
        link_tick(d->link, d->now);
        roster_tick(d->roster, d->now);
        turn(d);
    }
}

Position remembered_from(struct desk *d, const char *channel)
{
    struct buf clients;
    struct msg_client c = {0};
    struct msg_part part = {0};
    Str item;
    buf_init(&clients, 1 << 20);
    roster_put_clients(d->roster, &clients, d->now);
    for (Str rest = buf_str(&clients); !c.parts.len && list_next(&rest, &item);)
        assert_true(msg_client_unpack(item, &c));
    while (!str_eq(part.channel, str_of(channel)) && list_next(&c.parts, &item))
        assert_true(msg_part_unpack(item, &part));
    assert_string_equal(str_eq(part.channel, str_of(channel)) ? channel : "", channel);
    buf_fini(&clients);
    return part.from;
}
