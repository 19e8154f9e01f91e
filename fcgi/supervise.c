#include "supervise.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define BACK_OFF      ((Msec)250)
#define BACK_OFF_MOST ((Msec)30000)
#define STABLE        ((Msec)10000) /* one that lived so long begins again without delay */

struct child {
    pid_t pid; /* 0: dead */
    Msec born, again, back_off;
    bool is_ready; /* it may be signalled */
};

struct report {
    uint32_t number;
    int32_t pid;
};

struct crew {
    const struct listener *listener;
    struct child *v;
    size_t n, ready;
    size_t renewing; /* 1..n: that worker is being replaced; 0: none */
    int signals, ready_read, ready_write;
    bool is_stopping;
    bool is_asked; /* to replace them, as soon as all have begun */
    int code;
};

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void start(struct crew *c, size_t i, Msec now)
{
    struct child *child = &c->v[i];
    struct heritage h = {(int)i + 1, c->listener->fd, c->listener->lock, c->ready_write, -1};
    struct fault why;
    child->born = now;
    child->pid = spawn(&h, false, &why);
    if (child->pid < 0) {
        child->pid = 0;
        child->again = now + BACK_OFF_MOST;
        log_error("worker not started", kz("reason", why.text));
    }
}

static void pass_on(const struct crew *c, int number)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i].pid)
            kill(c->v[i].pid, number);
}

/* One that was told while it began, before it listened, dies of the signal. */
static bool has_stopped_well(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGTERM;
}

static void on_death(struct crew *c, struct child *child, int status, Msec now)
{
    child->pid = 0;
    c->ready -= child->is_ready;
    child->is_ready = false;
    if (c->is_stopping) {
        if (!has_stopped_well(status))
            c->code = EX_SOFTWARE;
        return;
    }
    if (now - child->born >= STABLE)
        child->back_off = 0;
    child->again = now + child->back_off;
    child->back_off = child->back_off ? child->back_off * 2 : BACK_OFF;
    if (child->back_off > BACK_OFF_MOST)
        child->back_off = BACK_OFF_MOST;
    log_error("worker died", kn("worker", (uint64_t)(child - c->v) + 1),
              kn("signal", WIFSIGNALED(status) ? (uint64_t)WTERMSIG(status) : 0),
              kn("code", WIFEXITED(status) ? (uint64_t)WEXITSTATUS(status) : 0),
              kn("again_in_ms", child->again - now));
}

/* One after the other, so that not all of them freeze, nor twice the memory is needed, at once. One
 * that is dead begins anew anyway. */
static void renew_next(struct crew *c)
{
    while (++c->renewing <= c->n) {
        if (c->v[c->renewing - 1].is_ready) {
            kill(c->v[c->renewing - 1].pid, SIGHUP);
            return;
        }
    }
    c->renewing = 0;
    notify_ready();
}

/* A signal would end it. */
static bool is_one_beginning(const struct crew *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i].pid && !c->v[i].is_ready)
            return true;
    return false;
}

static void ask(struct crew *c)
{
    c->is_asked = true;
    if (is_one_beginning(c))
        log_info("workers are not replaced yet", kz("reason", "not all of them have begun"));
}

/* Also those that began meanwhile: what they have read may be older than the wish. */
static void renew_if_asked(struct crew *c)
{
    if (!c->is_asked || c->is_stopping || is_one_beginning(c))
        return;
    c->is_asked = false;
    log_info("workers are replaced", kn("workers", c->n));
    notify_reloading();
    c->renewing = 0;
    renew_next(c);
}

static void take_report(struct crew *c, const struct report *r, Msec now)
{
    if (r->number < 1 || r->number > c->n)
        return;
    struct child *child = &c->v[r->number - 1];
    if (r->pid && r->pid != child->pid) { /* the one before it goes by itself */
        child->pid = r->pid;
        child->born = now;
        if (c->is_stopping)
            kill(r->pid, SIGTERM); /* the word went to the one before it */
    }
    if (!r->pid)
        notify_status("a worker could not be replaced, and goes on");
    bool was_ready = child->is_ready;
    child->is_ready = true;
    c->ready += !was_ready;
    if (!was_ready && c->ready == c->n && !c->renewing)
        notify_ready();
    if (r->number == c->renewing)
        renew_next(c);
}

static void take_reports(struct crew *c, Msec now)
{
    struct report r;
    while (read(c->ready_read, &r, sizeof r) == (ssize_t)sizeof r)
        take_report(c, &r, now);
}

/* Who serves now is heard before who has died: one that was replaced has said so before it went,
 * and what the dead have said is not heard after their end. */
static void reap(struct crew *c, Msec now)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        take_reports(c, now);
        for (size_t i = 0; i < c->n; i++)
            if (c->v[i].pid == pid)
                on_death(c, &c->v[i], status, now);
    }
}

static void take_signals(struct crew *c, Msec now)
{
    struct signalfd_siginfo info;
    while (read(c->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD) {
            reap(c, now);
        } else if (info.ssi_signo == SIGHUP) {
            ask(c);
        } else {
            c->is_stopping = true;
            notify_stopping();
            pass_on(c, SIGTERM);
        }
    }
}

void supervise_report(int ready, unsigned number, int pid)
{
    struct report r = {number, pid};
    (void)!write(ready, &r, sizeof r); /* nobody reads it: the supervisor is gone */
}

/* Starts whoever is due. How long until the next is, or -1. */
static int start_due(struct crew *c, Msec now)
{
    Msec next = 0;
    for (size_t i = 0; i < c->n && !c->is_stopping; i++) {
        struct child *child = &c->v[i];
        if (!child->pid && child->again <= now)
            start(c, i, now);
        if (!child->pid && (!next || child->again < next))
            next = child->again;
    }
    return next ? (int)(next - now) : -1;
}

static bool is_over(const struct crew *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i].pid)
            return false;
    return c->is_stopping;
}

static int shorter(int ms, Msec other)
{
    return other && (ms < 0 || (Msec)ms > other) ? (int)other : ms;
}

static void watch(struct crew *c)
{
    while (!is_over(c)) {
        int ms = shorter(start_due(c, clock_mono()), notify_interval());
        struct pollfd fds[] = {{c->signals, POLLIN, 0}, {c->ready_read, POLLIN, 0}};
        poll(fds, COUNT_OF(fds), ms);
        take_reports(c, clock_mono());
        take_signals(c, clock_mono());
        renew_if_asked(c);
        notify_watchdog();
    }
}

int supervise(const struct options *o, const struct listener *l)
{
    int ends[2];
    struct crew c = {.listener = l, .n = (size_t)o->workers};
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return EX_OSERR;
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* a successor's parent is gone from the start */
    c.ready_read = ends[0];
    c.ready_write = ends[1];
    c.signals = open_signals();
    c.v = must_alloc(c.n * sizeof *c.v);
    watch(&c);
    free(c.v);
    close(c.signals);
    close(ends[0]);
    close(ends[1]);
    return c.code;
}
