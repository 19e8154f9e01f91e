/* The hub's engine on a real journal, two workers and their browsers in one thread. Links are cut,
 * the hub crashes, browsers stall, leave and come back with their last id; in the end everybody
 * must have got every event of its channels once and in order. */
#include "hub.h"

#include "desk.h"
#include "journal_fixture.h"
#include "wire/socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/poll.h> /* fcgi has a poll.h of its own */

enum { WORKERS = 2, PAGES = 12, CHANNELS = 5, QUEUE = 4096, EVENTS = 20000 };

struct packet {
    char header[MESSAGE_HEADER];
    struct buf body;
};

struct queue {
    struct packet items[QUEUE];
    size_t first, len;
};

struct worker {
    struct world *world;
    struct link *link;
    struct roster *roster;
    struct queue to_hub, to_worker;
    bool is_connected;
    char peer[16]; /* the hub's name of this connection */
    unsigned connections;
};

struct page {
    struct outlet outlet;  /* first */
    struct stream *stream; /* NULL: it has none */
    unsigned channels;     /* a bit each */
    struct buf text;
    bool is_full, has_begun, is_broken;
    Position begun, last;
    char last_id[CURSOR_TEXT];
    Position got[EVENTS];
    size_t got_len;
};

struct world {
    struct options options, hub_options;
    struct fixture *journal;
    struct hub *hub;
    struct worker workers[WORKERS];
    struct page pages[PAGES];
    struct {
        Position at;
        unsigned channel;
    } truth[EVENTS];
    size_t truth_len;
    Msec mono;
    uint64_t dice, tool_ref;
};

static uint64_t roll(struct world *w, uint64_t sides)
{
    w->dice ^= w->dice << 13;
    w->dice ^= w->dice >> 7;
    w->dice ^= w->dice << 17;
    return w->dice % sides;
}

static Now now_of(const struct world *w)
{
    return (Now){w->mono, 1700000000000 + w->mono};
}

/* Pipes. */

static void put(struct queue *q, Str header, Str body)
{
    assert_true(q->len < QUEUE);
    struct packet *p = &q->items[(q->first + q->len++) % QUEUE];
    memcpy(p->header, header.p, MESSAGE_HEADER);
    buf_init(&p->body, SIZE_MAX / 2);
    buf_put(&p->body, body);
}

static bool take(struct queue *q, struct packet *out)
{
    if (!q->len)
        return false;
    *out = q->items[q->first];
    q->first = (q->first + 1) % QUEUE;
    q->len--;
    return true;
}

static void drop_all(struct queue *q)
{
    for (struct packet p; take(q, &p);)
        buf_fini(&p.body);
}

static bool send_to_hub(void *ctx, struct header header, struct buf *body)
{
    struct worker *w = ctx;
    char text[MESSAGE_HEADER];
    if (!w->is_connected)
        return false;
    header_pack(text, header);
    put(&w->to_hub, str_make(text, sizeof text), buf_str(body));
    return true;
}

static bool send_to_worker(void *ctx, Str peer, Str header, struct frame *body)
{
    struct world *w = ctx;
    for (size_t i = 0; i < WORKERS; i++) {
        struct worker *k = &w->workers[i];
        if (!k->is_connected || !str_eq(peer, str_of(k->peer)))
            continue;
        put(&k->to_worker, header, frame_str(body));
        return true;
    }
    return false;
}

static void answer_tool(void *ctx, enum tool tool, Str peer, const Str *parts, size_t n)
{
    (void)ctx;
    (void)tool;
    (void)peer;
    (void)parts;
    (void)n;
}

static void on_committed(void *ctx, const struct event *e)
{
    struct world *w = ctx;
    assert_true(w->truth_len < EVENTS);
    w->truth[w->truth_len].at = e->id.at;
    w->truth[w->truth_len++].channel = (unsigned)(e->channel.p[e->channel.len - 1] - '0');
}

/* Browsers. */

static bool write_page(struct outlet *o, struct chunk *c)
{
    struct page *p = (struct page *)(void *)o;
    buf_put(&p->text, chunk_bytes(c));
    return !p->is_full;
}

static void end_page(struct outlet *o)
{
    struct page *p = (struct page *)(void *)o;
    p->stream = NULL;
}

static const struct outlet_ops page_ops = {write_page, end_page, end_page};

/* What EventSource would make of it. */
static void take_block(struct page *p, Str block)
{
    Str id = STR_NONE, event = STR_NONE;
    bool has_data = false;
    for (Str line; str_cut(&block, '\n', &line);) {
        if (str_starts(line, STR("id: ")))
            id = str_skip(line, 4);
        else if (str_starts(line, STR("event: ")))
            event = str_skip(line, 7);
        else if (str_starts(line, STR("data: ")))
            has_data = true;
    }
    p->is_broken |= str_eq(event, STR("gap"));
    if (!id.len)
        return;
    Cursor c;
    assert_true(cursor_parse(id, &c));
    assert_true(c.at >= p->last);
    snprintf(p->last_id, sizeof p->last_id, "%.*s", FMT(id));
    if (str_eq(event, STR("connected")) && !p->has_begun) {
        p->has_begun = true;
        p->begun = c.at;
    } else if (has_data && !event.len) {
        assert_true(c.at > p->last);
        assert_true(p->got_len < EVENTS);
        p->got[p->got_len++] = c.at;
    }
    p->last = c.at;
}

static void read_page(struct page *p)
{
    size_t start = 0;
    for (size_t i = 0; i + 1 < p->text.len; i++) {
        if (p->text.p[i] != '\n' || p->text.p[i + 1] != '\n')
            continue;
        take_block(p, str_make(p->text.p + start, i + 1 - start));
        start = i + 2;
    }
    buf_drop(&p->text, start);
}

static void cut_page(struct page *p)
{
    if (!p->stream)
        return;
    read_page(p);
    p->stream = NULL;
    p->outlet.owner_ops->on_gone(p->outlet.owner);
}

static void open_page(struct world *w, struct page *p)
{
    struct worker *k = &w->workers[roll(w, WORKERS)];
    char list[64] = "";
    for (unsigned c = 0; c < CHANNELS; c++)
        if (p->channels & 1u << c)
            snprintf(list + strlen(list), sizeof list - strlen(list), "ch%u,", c);
    struct stream_request q = want(list);
    q.requested = str_of(p->last_id);
    if (p->has_begun) {
        q.start = START_CURSOR;
        assert_true(cursor_parse(q.requested, &q.at));
    }
    buf_clear(&p->text);
    p->is_full = false;
    p->outlet.ops = &page_ops;
    struct sink *sink = sse_new(&p->outlet, STR("\n\n"), false);
    p->stream = stream_open(k->roster, &q, sink, w->mono);
}

/* The hub. */

static void start_hub(struct world *w)
{
    struct hub_out out = {w, send_to_worker, answer_tool, on_committed};
    w->hub = hub_new(&w->hub_options, out);
    for (size_t i = 0; i < w->journal->channel_count; i++) {
        struct journal_channel c = w->journal->channels[i].is;
        c.name = str_of(w->journal->channels[i].name);
        hub_on_channel(w->hub, &c);
    }
    hub_start(w->hub, w->journal->j, &w->journal->state, now_of(w));
}

static void crash_hub(struct world *w)
{
    for (struct op *op; (op = w->journal->j->ops->take(w->journal->j));)
        hub_on_done(w->hub, op, now_of(w));
    hub_stop(w->hub, now_of(w));
    while (!hub_is_stopped(w->hub)) {
        for (struct op *op; (op = w->journal->j->ops->take(w->journal->j));)
            hub_on_done(w->hub, op, now_of(w));
        hub_turn(w->hub, now_of(w));
    }
    fixture_close(w->journal);
    hub_free(w->hub);
    assert_true(fixture_open(w->journal));
    start_hub(w);
}

static void cut_link(struct world *w, struct worker *k)
{
    drop_all(&k->to_hub);
    drop_all(&k->to_worker);
    hub_on_gone(w->hub, str_of(k->peer));
    k->is_connected = false;
    link_on_disconnected(k->link, w->mono);
}

static void connect_link(struct world *w, struct worker *k)
{
    k->is_connected = true;
    snprintf(k->peer, sizeof k->peer, "peer%u", k->connections += WORKERS);
    link_on_connected(k->link, w->mono);
}

static void publish(struct world *w)
{
    char channel[8], data[32];
    snprintf(channel, sizeof channel, "ch%u", (unsigned)roll(w, CHANNELS));
    snprintf(data, sizeof data, "n%llu", (unsigned long long)++w->tool_ref);
    Str frames[3] = {str_of(channel), STR(""), str_of(data)};
    hub_on_publish(w->hub, STR("tool"), frames, 3, now_of(w));
}

/* Time. */

static void move_some(struct world *w, struct worker *k)
{
    struct packet p;
    for (uint64_t n = roll(w, 40); n && take(&k->to_hub, &p); n--) {
        hub_on_message(w->hub, str_of(k->peer), str_make(p.header, sizeof p.header),
                       buf_str(&p.body), now_of(w));
        buf_fini(&p.body);
    }
    for (uint64_t n = roll(w, 40); n && take(&k->to_worker, &p); n--) {
        link_on_message(k->link, str_make(p.header, sizeof p.header), buf_str(&p.body), w->mono);
        buf_fini(&p.body);
    }
}

static void turn_all(struct world *w)
{
    w->mono += roll(w, 60);
    for (struct op *op; (op = w->journal->j->ops->take(w->journal->j));)
        hub_on_done(w->hub, op, now_of(w));
    hub_tick(w->hub, now_of(w));
    hub_turn(w->hub, now_of(w));
    for (size_t i = 0; i < WORKERS; i++) {
        struct worker *k = &w->workers[i];
        move_some(w, k);
        link_set_wall(k->link, now_of(w).wall);
        link_tick(k->link, w->mono);
        roster_tick(k->roster, w->mono);
        roster_flush(k->roster, w->mono);
    }
    for (size_t i = 0; i < PAGES; i++)
        if (w->pages[i].stream)
            read_page(&w->pages[i]);
}

static void unblock(struct page *p)
{
    if (!p->stream || !p->is_full)
        return;
    p->is_full = false;
    p->outlet.owner_ops->on_writable(p->outlet.owner);
}

static void happen(struct world *w)
{
    struct page *p = &w->pages[roll(w, PAGES)];
    struct worker *k = &w->workers[roll(w, WORKERS)];
    uint64_t what = roll(w, 100);
    if (what < 50)
        publish(w);
    else if (what < 60 && !p->stream)
        open_page(w, p);
    else if (what < 66)
        cut_page(p);
    else if (what < 76)
        p->is_full = p->stream != NULL;
    else if (what < 90)
        unblock(p);
    else if (what < 93 && k->is_connected)
        cut_link(w, k);
    else if (what < 98 && !k->is_connected)
        connect_link(w, k);
    else if (what == 99 && roll(w, 4) == 0)
        crash_hub(w);
}

static bool has_all(const struct world *w, const struct page *p)
{
    size_t n = 0;
    for (size_t i = 0; i < w->truth_len; i++) {
        if (w->truth[i].at <= p->begun || !(p->channels & 1u << w->truth[i].channel))
            continue;
        if (n >= p->got_len || p->got[n] != w->truth[i].at)
            return false;
        n++;
    }
    return n == p->got_len;
}

static bool is_settled(const struct world *w)
{
    for (size_t i = 0; i < PAGES; i++)
        if (!w->pages[i].has_begun || !has_all(w, &w->pages[i]))
            return false;
    return true;
}

/* Its threads live in real time. */
static void wait_for_journal(struct world *w)
{
    struct pollfd fd = {.fd = w->journal->j->ops->fd(w->journal->j), .events = POLLIN};
    if (fd.fd >= 0 && !w->workers[0].to_hub.len && !w->workers[1].to_hub.len)
        poll(&fd, 1, 2);
}

static void settle(struct world *w)
{
    for (size_t i = 0; i < WORKERS; i++)
        if (!w->workers[i].is_connected)
            connect_link(w, &w->workers[i]);
    for (int i = 0; i < 20000 && !is_settled(w); i++) {
        for (size_t k = 0; k < PAGES; k++) {
            unblock(&w->pages[k]);
            if (!w->pages[k].stream)
                open_page(w, &w->pages[k]);
        }
        wait_for_journal(w);
        turn_all(w);
    }
}

static void load(struct options *o, enum program program)
{
    char name[] = "test";
    char *argv[] = {name, NULL};
    struct fault why;
    assert_true(options_load(o, program, 1, argv, &why));
}

static struct world *world_new(void **state, uint64_t seed)
{
    struct world *w = must_alloc(sizeof *w);
    w->journal = *state;
    w->dice = seed * 0x9e3779b97f4a7c15u | 1;
    w->mono = 100000;
    load(&w->options, PROGRAM_WORKER);
    load(&w->hub_options, PROGRAM_HUB);
    w->options.ring_events = 32;
    w->options.linger = 500;
    w->hub_options.ring_events = 48;
    start_hub(w);
    for (size_t i = 0; i < WORKERS; i++) {
        struct worker *k = &w->workers[i];
        k->connections = (unsigned)i;
        k->link = link_new(&w->options, STR("w"), (struct link_out){.send = send_to_hub, .ctx = k});
        k->roster = roster_new(&w->options, k->link);
        link_attach(k->link, k->roster);
        connect_link(w, k);
    }
    for (size_t i = 0; i < PAGES; i++) {
        w->pages[i].channels = 1 + (unsigned)roll(w, (1u << CHANNELS) - 1);
        buf_init(&w->pages[i].text, SIZE_MAX / 2);
    }
    return w;
}

static void world_free(struct world *w)
{
    for (size_t i = 0; i < WORKERS; i++) {
        struct worker *k = &w->workers[i];
        roster_free(k->roster);
        link_free(k->link);
        drop_all(&k->to_hub);
        drop_all(&k->to_worker);
    }
    for (size_t i = 0; i < PAGES; i++)
        buf_fini(&w->pages[i].text);
    fixture_close(w->journal);
    hub_free(w->hub);
    assert_true(fixture_open(w->journal));
    options_fini(&w->options);
    options_fini(&w->hub_options);
    free(w);
}

static void run(void **state, uint64_t seed)
{
    struct world *w = world_new(state, seed);
    for (int i = 0; i < 3000; i++) {
        happen(w);
        if (roll(w, 3) == 0)
            turn_all(w);
    }
    settle(w);
    for (size_t i = 0; i < PAGES; i++) {
        if (!has_all(w, &w->pages[i]))
            fail_msg("seed %llu: page %zu has %zu events, last %llu, begun %llu",
                     (unsigned long long)seed, i, w->pages[i].got_len,
                     (unsigned long long)w->pages[i].last, (unsigned long long)w->pages[i].begun);
        assert_false(w->pages[i].is_broken);
    }
    world_free(w);
}

static void everybody_gets_everything_once(void **state)
{
    const char *seed = getenv("SEED");
    if (seed) {
        run(state, strtoull(seed, NULL, 10));
        return;
    }
    for (uint64_t i = 1; i <= 5; i++)
        run(state, i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everybody_gets_everything_once, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
