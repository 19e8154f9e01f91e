#include "worker.h"

#include "base/log.h"
#include "base/notify.h"
#include "cable.h"
#include "conn.h"
#include "give.h"
#include "handover.h"
#include "held.h"
#include "take.h"
#include "tokens.h"
#include "wait.h"
#include "wire/names.h"

#include <signal.h>
#include <stdio.h>

enum { BUSY = 2, GATHER_MS = 1 };
#define TICK  ((Msec)100)
#define SOON  ((Msec)5)
#define DRAIN ((Msec)5000) /* over so long the streams are spread that go at a stop */

/* A request may wait for the hub, for the application to say who it is, and what that one may, and
 * then for its answer. Who is replaced has time for all that; who stops, for the longest. */
static Msec patience(const struct worker *w)
{
    const struct options *o = w->options;
    if (worker_has_heir(w))
        return o->hub_wait + 3 * o->publish_timeout;
    return o->publish_timeout > o->hub_wait ? o->publish_timeout : o->hub_wait;
}

/* Nothing is owed to anybody: no stream, no request, no byte. */
static bool is_done(struct worker *w, Msec now)
{
    bool is_idle = roster_streams(w->roster) == 0 && w->visits == 0 && pipes_are_idle(&w->pipes);
    if (w->number == 0)
        return is_idle; /* a CGI program has nothing to wait for */
    if (!w->is_stopping)
        return false;
    if (now > w->stop_at + patience(w))
        return true;
    return is_idle && (!w->take || take_is_over(w->take)) &&
           (!w->conns || conns_are_idle(w->conns)) &&
           (!w->handover || handover_is_idle(w->handover));
}

static void reap(struct worker *w)
{
    if (w->conns)
        conns_reap(w->conns);
    if (w->handover)
        handover_reap(w->handover);
    pipes_reap(&w->pipes);
}

static void flush(struct worker *w, Msec now)
{
    Msec next = roster_next_flush(w->roster, now);
    if (next && next <= now)
        roster_flush(w->roster, now);
    else if (next)
        timer_once(w->paces, next - now);
}

/* While the hub is at several publishes, those that come gather: one turn takes them all, and each
 * process and thread on the way is woken once for all of them. Where neither the hub said anything
 * nor anybody came, the loop sleeps. */
static bool gather(struct worker *w, Msec now)
{
    bool is_busy = link_publishes(w->link) >= BUSY && link_is_up(w->link);
    if (!is_busy || w->requests == w->gathered)
        return false;
    bool is_told = cable_wait(w->cable, GATHER_MS);
    if (is_told)
        cable_drain(w->cable, now);
    w->gathered = is_told ? 0 : w->requests;
    return true;
}

/* The end of each turn: what the hub said, then what browsers get, then what became of them. */
static bool turn(void *owner)
{
    struct worker *w = owner;
    Msec now = loop_now(w->loop);
    link_set_wall(w->link, clock_wall());
    cable_drain(w->cable, now);
    if (held_is_over(w))
        held_tick(w, now);
    reap(w);
    flush(w, now);
    if (wait_turn(w, now))
        timer_once(w->paces, SOON);
    if (worker_has_heir(w))
        give_late(w->give);
    reap(w);
    if (is_done(w, now))
        loop_stop(w->loop);
    return cable_flush(w->cable, now) || gather(w, now);
}

static void feed_watchdog(struct worker *w, Msec now)
{
    Msec every = notify_interval();
    if (!every || now < w->watchdog_at)
        return;
    w->watchdog_at = now + every;
    notify_watchdog();
}

static void end_give(struct worker *w, Msec now)
{
    if (!w->give || !give_is_over(w->give, now))
        return;
    give_free(w->give);
    w->give = NULL;
}

static void on_tick(void *owner)
{
    struct worker *w = owner;
    Msec now = loop_now(w->loop);
    feed_watchdog(w, now);
    cable_tick(w->cable, now);
    link_tick(w->link, now);
    roster_tick(w->roster, now);
    held_tick(w, now);
    tokens_tick(w->tokens, now);
    pipes_tick(&w->pipes, now, w->options->slow_timeout);
    if (w->conns)
        conns_tick(w->conns, now);
    if (w->handover)
        handover_tick(w->handover, now);
    end_give(w, now);
    memory_tidy(now, &w->tidy_at);
    if (w->is_stopping && !worker_has_heir(w))
        roster_drain(w->roster, now, w->stop_at > now ? w->stop_at - now : 0);
}

/* That the loop woke is enough: flushing is what the end of each turn does. */
static void on_pace(void *owner)
{
    (void)owner;
}

bool worker_open(struct worker *w, const struct options *o, unsigned number, struct fault *why)
{
    *w = (struct worker){.options = o, .number = number, .ready = -1, .loop = loop_new(why)};
    if (!w->loop)
        return false;
    heap_init(&w->waits);
    list_init(&w->held);
    pipes_init(&w->pipes, w->loop);
    limits_init(&w->limits, o, o->workers);
    w->cable = cable_open(w, why);
    w->roster = roster_new(o, w->link);
    link_attach(w->link, w->roster);
    link_set_wall(w->link, clock_wall());
    w->ticks = timer_new(w->loop, on_tick, w);
    w->paces = timer_new(w->loop, on_pace, w);
    timer_every(w->ticks, TICK);
    loop_before_sleep(w->loop, turn, w);
    w->tokens = tokens_open(o, why);
    return w->cable && w->tokens;
}

bool worker_listen(struct worker *w, struct listener *l, int handover, struct fault *why)
{
    w->listener = l;
    w->parser = request_parser_new(why);
    if (!w->parser)
        return false;
    w->conns = conns_new(w, l, w->parser);
    if (l->lock < 0)
        return true; /* another one's folder: CGI programs go to that one */
    w->handover = handover_new(w, handover, why);
    return w->handover != NULL;
}

void worker_run(struct worker *w)
{
    loop_run(w->loop);
}

void worker_stop(struct worker *w)
{
    if (worker_has_heir(w))
        give_signal(w->give, SIGTERM); /* it may have come while all was being given */
    if (w->is_stopping)
        return;
    w->is_stopping = true;
    w->stop_at = loop_now(w->loop) + DRAIN;
    give_free(w->give);
    w->give = NULL;
    log_info("stopping", kn("streams", roster_streams(w->roster)), kn("requests", w->visits));
    if (w->conns)
        conns_stop(w->conns);
    if (w->handover)
        handover_stop(w->handover);
}

void worker_renew(struct worker *w)
{
    end_give(w, loop_now(w->loop));
    if (worker_has_heir(w))
        give_signal(w->give, SIGHUP);
    else if (w->is_stopping || w->give || !w->conns)
        log_warn("takeover not begun",
                 kz("reason", w->is_stopping ? "this worker stops" : "one has begun"));
    else
        w->give = give_begin(w);
}

bool worker_has_heir(const struct worker *w)
{
    return w->give && give_has_heir(w->give);
}

bool worker_keeps(const struct worker *w)
{
    return !w->is_stopping || loop_now(w->loop) < w->stop_at || worker_has_heir(w);
}

void worker_settle(struct worker *w)
{
    Msec now = clock_mono();
    link_set_wall(w->link, clock_wall());
    cable_drain(w->cable, now);
    reap(w);
    roster_flush(w->roster, now);
    reap(w);
    (void)cable_flush(w->cable, now);
}

void worker_leave(struct worker *w)
{
    w->is_stopping = true;
    w->stop_at = loop_now(w->loop);
}

void worker_close(struct worker *w)
{
    give_free(w->give);
    take_free(w->take);
    conns_free(w->conns);
    pipes_fini(&w->pipes);
    handover_free(w->handover);
    link_goodbye(w->link);
    roster_free(w->roster);
    link_free(w->link);
    cable_close(w->cable);
    timer_free(w->ticks);
    timer_free(w->paces);
    tokens_close(w->tokens);
    request_parser_free(w->parser);
    heap_fini(&w->waits);
    limits_fini(&w->limits);
    loop_free(w->loop);
}

static void put_figure(struct buf *list, const char *name, uint64_t value)
{
    char item[96];
    int n = snprintf(item, sizeof item, "%s %llu", name, (unsigned long long)value);
    list_put(list, str_make(item, (size_t)n));
}

void worker_put_figures(const struct worker *w, struct buf *list)
{
    const struct roster_counts *c = roster_counts(w->roster);
    put_figure(list, "requests_total", w->requests);
    put_figure(list, "requests_refused_total", w->refused);
    put_figure(list, "requests_waiting", w->visits);
    put_figure(list, "connects_limited_total", w->limits.refused[RATE_CONNECTS]);
    put_figure(list, "publishes_limited_total", w->limits.refused[RATE_PUBLISHES]);
    put_figure(list, "subscribes_limited_total", w->limits.refused[RATE_SUBSCRIBES]);
    put_figure(list, "history_limited_total", w->limits.refused[RATE_HISTORY]);
    put_figure(list, "tokens_limited_total", w->limits.refused[RATE_TOKENS]);
    put_figure(list, "streams_limited_total", c->limited);
    struct tokens_counts tokens = tokens_counts(w->tokens);
    put_figure(list, "tokens_checked_total", tokens.checked);
    put_figure(list, "tokens_refused_total", tokens.refused);
    put_figure(list, "tokens_remembered", tokens.remembered);
    put_figure(list, "connections", w->conns ? conns_count(w->conns) : 0);
    put_figure(list, "connections_broken_total", w->broken);
    put_figure(list, "streams", roster_streams(w->roster));
    put_figure(list, "streams_opened_total", c->opened);
    put_figure(list, "streams_closed_total", c->closed);
    put_figure(list, "streams_slow_total", c->slow);
    put_figure(list, "gaps_total", c->gaps);
    put_figure(list, "deliveries_total", c->deliveries);
    put_figure(list, "replay_slices_total", c->slices);
}
