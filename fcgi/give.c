#include "give.h"

#include "base/log.h"
#include "base/notify.h"
#include "baton.h"
#include "cable.h"
#include "conn.h"
#include "handover.h"
#include "spawn.h"
#include "supervise.h"
#include "wire/refusal.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define START_MOST  ((Msec)15000) /* for the successor to start */
#define FROZEN_MOST ((Msec)2500)  /* less than the hub's patience with a silent link */
enum { BATCH_BYTES = 4 * 1024 * 1024, PID_BYTES = 8 };
enum { AHEAD = 8 }; /* batches under way: both ends work at once, and the kernel bounds them */

struct give {
    struct worker *worker;
    struct watch watch;
    int fd;
    int heir; /* its pid */
    Msec until;
    bool is_over, is_given, has_heir;
    struct buf batch; /* images that wait to be sent */
    int fds[BATON_FDS];
    size_t n;
    unsigned unacknowledged;
    struct fault why;
};

static void tell_end(struct give *g, int pid)
{
    struct worker *w = g->worker;
    if (w->ready >= 0) {
        supervise_report(w->ready, w->number, pid);
        return;
    }
    if (pid) {
        notify_main_pid(pid);
        return;
    }
    notify_status(g->why.text);
    notify_ready();
}

/* The old one goes on, as if nothing had been. */
static void stay(struct give *g)
{
    log_error("takeover failed, this worker goes on", kz("reason", g->why.text));
    g->is_over = true;
    watch_set(g->worker->loop, &g->watch, 0);
    tell_end(g, 0);
}

static bool expect(struct give *g, enum image_word word)
{
    struct baton b;
    if (!baton_receive(g->fd, g->until, &b, &g->why))
        return false;
    bool ok = b.word == word;
    if (!ok && b.word == IMAGE_REFUSED)
        fail(&g->why, REFUSE_INTERNAL, "the new one refused: %.*s", FMT(buf_str(&b.body)));
    else if (!ok)
        fail(&g->why, REFUSE_INTERNAL, "the new one said word %d instead of %d", b.word, word);
    baton_fini(&b);
    return ok;
}

/* All but so many are acknowledged. */
static bool expect_taken(struct give *g, unsigned most)
{
    while (g->unacknowledged > most) {
        if (!expect(g, IMAGE_TAKEN))
            return false;
        g->unacknowledged--;
    }
    return true;
}

static bool send_batch(struct give *g)
{
    if (!g->n)
        return true;
    bool ok = baton_send(g->fd, IMAGE_BATCH, buf_str(&g->batch), g->fds, g->n, &g->why);
    buf_clear(&g->batch);
    g->n = 0;
    g->unacknowledged++;
    return ok && expect_taken(g, AHEAD);
}

static bool add(void *ctx, const struct image_outlet *m, const int *fds)
{
    struct give *g = ctx;
    struct buf item;
    if ((g->n + m->fds > BATON_FDS || g->batch.len > BATCH_BYTES) && !send_batch(g))
        return false;
    buf_init(&item, IMAGE_BYTES_MAX);
    bool ok = image_outlet_pack(&item, m) && list_put(&g->batch, buf_str(&item));
    buf_fini(&item);
    for (size_t i = 0; i < m->fds; i++)
        g->fds[g->n++] = fds[i];
    return ok || fail(&g->why, REFUSE_INTERNAL, "a connection is too large to be given");
}

static bool send_worker(struct give *g)
{
    struct worker *w = g->worker;
    struct listener *l = w->listener;
    struct buf roster, body;
    int fds[3] = {l->fd};
    size_t n = 1;
    buf_init(&roster, IMAGE_BYTES_MAX);
    buf_init(&body, IMAGE_BYTES_MAX);
    roster_put_image(w->roster, clock_mono(), &roster);
    if (l->lock >= 0)
        fds[n++] = l->lock;
    if (w->handover)
        fds[n++] = handover_socket(w->handover);
    bool ok = image_worker_pack(&body, &(struct image_worker){.where = str_of(l->where),
                                                              .lock = l->lock >= 0,
                                                              .handover = w->handover != NULL,
                                                              .boot = link_boot(w->link),
                                                              .roster = buf_str(&roster)}) &&
              baton_send(g->fd, IMAGE_WORKER, buf_str(&body), fds, n, &g->why) &&
              expect(g, IMAGE_TAKEN);
    buf_fini(&roster);
    buf_fini(&body);
    return ok;
}

static bool send_outlets(struct give *g)
{
    struct worker *w = g->worker;
    return conns_give(w->conns, add, g) && pipes_give(&w->pipes, clock_mono(), add, g) &&
           (!w->handover || handover_give(w->handover, clock_mono(), add, g)) && send_batch(g) &&
           expect_taken(g, 0);
}

/* The successor takes it without a word. */
static bool pass_on(void *ctx, const struct image_outlet *m, const int *fds)
{
    struct give *g = ctx;
    struct buf item, list;
    struct fault why;
    buf_init(&item, IMAGE_BYTES_MAX);
    buf_init(&list, IMAGE_BYTES_MAX);
    bool ok = image_outlet_pack(&item, m) && list_put(&list, buf_str(&item)) &&
              baton_send(g->fd, IMAGE_BATCH, buf_str(&list), fds, m->fds, &why);
    buf_fini(&item);
    buf_fini(&list);
    return ok;
}

bool give_has_heir(const struct give *g)
{
    return g->has_heir;
}

void give_late(struct give *g)
{
    struct worker *w = g->worker;
    if (g->has_heir && conns_pass_on(w->conns, pass_on, g))
        (void)pipes_pass_on(&w->pipes, clock_mono(), pass_on, g);
}

void give_signal(const struct give *g, int number)
{
    kill((pid_t)g->heir, number);
}

static void let_go(struct give *g)
{
    struct worker *w = g->worker;
    g->is_given = g->has_heir = true;
    link_move(w->link);
    roster_abandon(w->roster);
    conns_abandon(w->conns);
    if (w->handover)
        handover_abandon(w->handover);
    worker_leave(w);
    tell_end(g, g->heir);
}

static void hand_over(struct give *g)
{
    struct worker *w = g->worker;
    worker_settle(w);
    Msec begin = clock_mono(); /* so far it wrote; from here on it is frozen */
    size_t streams = roster_streams(w->roster);
    g->until = begin + FROZEN_MOST;
    if (!send_worker(g) || !send_outlets(g) ||
        !baton_send(g->fd, IMAGE_ALL, STR_NONE, NULL, 0, &g->why) || !expect(g, IMAGE_READY) ||
        !baton_send(g->fd, IMAGE_YOURS, STR_NONE, NULL, 0, &g->why)) {
        stay(g);
        return;
    }
    Msec frozen = clock_mono() - begin;
    let_go(g);
    log_info("taken over", kn("by", (uint64_t)g->heir), kn("streams", streams),
             kn("frozen_ms", frozen), kn("requests", w->visits));
}

static void on_word(struct watch *watch, int events)
{
    struct give *g = CONTAINER_OF(watch, struct give, watch);
    struct baton b;
    (void)events;
    if (g->is_given) { /* it has nothing to say any more: it ended */
        g->has_heir = false;
        watch_set(g->worker->loop, &g->watch, 0);
        return;
    }
    if (!baton_receive(g->fd, 0, &b, &g->why)) {
        stay(g);
        return;
    }
    bool is_hello = b.word == IMAGE_HELLO && b.body.len == PID_BYTES;
    for (size_t i = 0; is_hello && i < PID_BYTES; i++)
        g->heir = g->heir << 8 | (unsigned char)b.body.p[i];
    baton_fini(&b);
    if (is_hello) {
        hand_over(g);
        return;
    }
    fail(&g->why, REFUSE_INTERNAL, "the new one did not say HELLO");
    stay(g);
}

static bool start(struct give *g)
{
    struct worker *w = g->worker;
    int ends[2];
    if (!baton_pair(ends, &g->why))
        return false;
    struct heritage h = {(int)w->number, -1, -1, w->ready, ends[1]};
    bool ok = spawn(&h, true, &g->why) >= 0;
    close(ends[1]);
    g->fd = ends[0];
    watch_open(w->loop, &g->watch, g->fd, LOOP_READ, on_word);
    return ok;
}

struct give *give_begin(struct worker *w)
{
    struct give *g = must_alloc(sizeof *g);
    g->worker = w;
    g->fd = -1;
    g->until = loop_now(w->loop) + START_MOST;
    buf_init(&g->batch, IMAGE_BYTES_MAX);
    log_info("takeover begins", kn("streams", roster_streams(w->roster)));
    if (w->ready < 0)
        notify_reloading();
    if (start(g))
        return g;
    stay(g);
    give_free(g);
    return NULL;
}

bool give_is_over(const struct give *g, Msec now)
{
    return g->is_over || (!g->is_given && now >= g->until);
}

void give_free(struct give *g)
{
    struct fault why;
    if (!g)
        return;
    if (!g->is_over && !g->is_given) {
        fail(&g->why, REFUSE_INTERNAL, "the new one was not ready in time");
        stay(g);
    }
    watch_close(g->worker->loop, &g->watch);
    if (g->fd >= 0) {
        if (!g->is_given)
            (void)!baton_send(g->fd, IMAGE_REFUSED, str_of(g->why.text), NULL, 0, &why);
        close(g->fd);
    }
    buf_fini(&g->batch);
    free(g);
}
