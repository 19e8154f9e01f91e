#include "supervise.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"

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
};

struct crew {
    const struct options *options;
    struct listener *listener;
    supervise_child *run;
    struct child *v;
    size_t n, ready;
    int signals, ready_read, ready_write;
    bool is_stopping;
    int code;
};

static int open_signals(sigset_t *before)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, before);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The child's own life, in a process that dies with its parent. */
static void become_child(struct crew *c, size_t i, const sigset_t *mask, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EX_OK);
    sigprocmask(SIG_SETMASK, mask, NULL);
    close(c->signals);
    close(c->ready_read);
    exit(c->run(c->options, c->listener, (unsigned)i + 1, c->ready_write));
}

static void start(struct crew *c, size_t i, const sigset_t *mask, Msec now)
{
    pid_t parent = getpid();
    struct child *child = &c->v[i];
    child->born = now;
    child->pid = fork();
    if (child->pid == 0)
        become_child(c, i, mask, parent);
    if (child->pid < 0) {
        child->pid = 0;
        child->again = now + BACK_OFF_MOST;
        log_error("worker not started", kz("reason", strerror(errno)));
    }
}

static void pass_on(const struct crew *c, int number)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i].pid)
            kill(c->v[i].pid, number);
}

static void on_death(struct crew *c, struct child *child, int status, Msec now)
{
    bool is_clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    child->pid = 0;
    if (c->is_stopping) {
        if (!is_clean)
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

static void reap(struct crew *c, Msec now)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        for (size_t i = 0; i < c->n; i++)
            if (c->v[i].pid == pid)
                on_death(c, &c->v[i], status, now);
}

static void take_signals(struct crew *c, Msec now)
{
    struct signalfd_siginfo info;
    while (read(c->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD) {
            reap(c, now);
            continue;
        }
        c->is_stopping = true;
        notify_stopping();
        pass_on(c, SIGTERM);
    }
}

static void take_ready(struct crew *c)
{
    char bytes[64];
    ssize_t n = read(c->ready_read, bytes, sizeof bytes);
    size_t before = c->ready;
    c->ready += n > 0 ? (size_t)n : 0;
    if (before < c->n && c->ready >= c->n)
        notify_ready();
}

/* Starts whoever is due. How long until the next is, or -1. */
static int start_due(struct crew *c, const sigset_t *mask, Msec now)
{
    Msec next = 0;
    for (size_t i = 0; i < c->n && !c->is_stopping; i++) {
        struct child *child = &c->v[i];
        if (!child->pid && child->again <= now)
            start(c, i, mask, now);
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

static void watch(struct crew *c, const sigset_t *mask)
{
    while (!is_over(c)) {
        int ms = shorter(start_due(c, mask, clock_mono()), notify_interval());
        struct pollfd fds[] = {{c->signals, POLLIN, 0}, {c->ready_read, POLLIN, 0}};
        poll(fds, COUNT_OF(fds), ms);
        take_signals(c, clock_mono());
        if (fds[1].revents)
            take_ready(c);
        notify_watchdog();
    }
}

int supervise(const struct options *o, struct listener *l, supervise_child *child)
{
    int ends[2];
    sigset_t mask;
    struct crew c = {.options = o, .listener = l, .run = child, .n = (size_t)o->workers};
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return EX_OSERR;
    c.ready_read = ends[0];
    c.ready_write = ends[1];
    c.signals = open_signals(&mask);
    c.v = must_alloc(c.n * sizeof *c.v);
    watch(&c, &mask);
    free(c.v);
    close(c.signals);
    close(ends[0]);
    close(ends[1]);
    return c.code;
}
