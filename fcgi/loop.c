#include "loop.h"

#include "wire/refusal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

enum { SIGNALS_MAX = 4, TOLD_AT_ONCE = 512 };

struct signal_slot {
    uv_signal_t uv;
    void (*on_signal)(void *owner, int number);
    void *owner;
};

struct loop {
    uv_loop_t uv;
    int epoll; /* of all watches; libuv waits for this one */
    uv_poll_t watches;
    struct epoll_event told[TOLD_AT_ONCE];
    int told_count;
    uv_prepare_t prepare;
    uv_idle_t idle;
    struct signal_slot signals[SIGNALS_MAX];
    size_t signal_count;
    bool (*hook)(void *owner);
    void *hook_owner;
};

struct timer {
    uv_timer_t uv; /* first */
    void (*on_time)(void *owner);
    void *owner;
};

/* A peer that hung up is told as whatever is asked for: what is done about that finds it out. */
static void tell(struct watch *w, uint32_t events)
{
    int told = 0;
    if (events & EPOLLERR)
        told |= LOOP_ERROR;
    if (events & EPOLLIN)
        told |= LOOP_READ;
    if (events & EPOLLOUT)
        told |= LOOP_WRITE;
    if (events & EPOLLRDHUP)
        told |= LOOP_LEFT;
    if (events & EPOLLHUP && !told)
        told = w->asked;
    if (told)
        w->on_events(w, told);
}

static void on_watches(uv_poll_t *uv, int status, int events)
{
    struct loop *l = uv->data;
    (void)status;
    (void)events;
    l->told_count = epoll_wait(l->epoll, l->told, TOLD_AT_ONCE, 0);
    for (int i = 0; i < l->told_count; i++) {
        struct watch *w = l->told[i].data.ptr;
        if (w)
            tell(w, l->told[i].events);
    }
    l->told_count = 0;
}

struct loop *loop_new(struct fault *why)
{
    struct loop *l = must_alloc(sizeof *l);
    int error = uv_loop_init(&l->uv);
    if (error) {
        fail(why, REFUSE_INTERNAL, "no event loop: %s", uv_strerror(error));
        free(l);
        return NULL;
    }
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll < 0 || uv_poll_init(&l->uv, &l->watches, l->epoll) != 0) {
        fail(why, REFUSE_INTERNAL, "no event loop: %s", strerror(errno));
        if (l->epoll >= 0)
            close(l->epoll);
        uv_loop_close(&l->uv);
        free(l);
        return NULL;
    }
    l->watches.data = l;
    uv_poll_start(&l->watches, UV_READABLE, on_watches);
    uv_prepare_init(&l->uv, &l->prepare);
    uv_idle_init(&l->uv, &l->idle);
    l->prepare.data = l->idle.data = l;
    return l;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    uv_close((uv_handle_t *)&l->watches, NULL);
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->idle, NULL);
    for (size_t i = 0; i < l->signal_count; i++)
        uv_close((uv_handle_t *)&l->signals[i].uv, NULL);
    uv_run(&l->uv, UV_RUN_NOWAIT); /* closes are finished by a turn */
    int failed = uv_loop_close(&l->uv);
    assert(!failed);
    close(l->epoll);
    free(l);
}

void loop_run(struct loop *l)
{
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
    uv_stop(&l->uv);
}

Msec loop_now(const struct loop *l)
{
    return uv_now(&l->uv);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* that it is active keeps the loop from sleeping */
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct loop *l = prepare->data;
    if (l->hook(l->hook_owner))
        uv_idle_start(&l->idle, on_idle);
    else
        uv_idle_stop(&l->idle);
}

void loop_before_sleep(struct loop *l, bool (*hook)(void *owner), void *owner)
{
    l->hook = hook;
    l->hook_owner = owner;
    uv_prepare_start(&l->prepare, on_prepare);
}

static void on_signal(uv_signal_t *uv, int number)
{
    struct signal_slot *slot = (struct signal_slot *)(void *)uv;
    slot->on_signal(slot->owner, number);
}

bool loop_on_signal(struct loop *l, int number, void (*callback)(void *owner, int number),
                    void *owner, struct fault *why)
{
    assert(l->signal_count < SIGNALS_MAX);
    struct signal_slot *slot = &l->signals[l->signal_count];
    int error = uv_signal_init(&l->uv, &slot->uv);
    if (error)
        return fail(why, REFUSE_INTERNAL, "no signals: %s", uv_strerror(error));
    l->signal_count++;
    slot->on_signal = callback;
    slot->owner = owner;
    uv_signal_start(&slot->uv, on_signal, number);
    return true;
}

static uint32_t asked_of(int events)
{
    uint32_t asked = 0;
    if (events & LOOP_READ)
        asked |= EPOLLIN;
    if (events & LOOP_WRITE)
        asked |= EPOLLOUT;
    if (events & LOOP_LEFT)
        asked |= EPOLLRDHUP;
    return asked; /* errors are told with whatever is asked for */
}

static bool change(struct loop *l, struct watch *w, int how, int events)
{
    struct epoll_event e = {.events = asked_of(events), .data.ptr = w};
    w->asked = (uint8_t)events;
    w->is_in = how != EPOLL_CTL_DEL;
    return epoll_ctl(l->epoll, how, w->fd, &e) == 0;
}

bool watch_open(struct loop *l, struct watch *w, int fd, int events, loop_on_events *on_events)
{
    *w = (struct watch){.on_events = on_events, .fd = fd};
    if (!change(l, w, EPOLL_CTL_ADD, events))
        w->on_events = NULL;
    return w->on_events;
}

void watch_set(struct loop *l, struct watch *w, int events)
{
    if (events == w->asked && w->is_in == (events != 0))
        return;
    bool ok = change(l, w,
                     !events    ? EPOLL_CTL_DEL
                     : w->is_in ? EPOLL_CTL_MOD
                                : EPOLL_CTL_ADD,
                     events);
    assert(ok);
}

/* What it watches may live on in another process: closing alone would not take it out. It may be
 * among what is still to be told. */
void watch_close(struct loop *l, struct watch *w)
{
    if (!w->on_events)
        return;
    if (w->is_in)
        change(l, w, EPOLL_CTL_DEL, 0);
    for (int i = 0; i < l->told_count; i++)
        if (l->told[i].data.ptr == w)
            l->told[i].data.ptr = NULL;
    w->on_events = NULL;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

struct timer *timer_new(struct loop *l, void (*on_time)(void *owner), void *owner)
{
    struct timer *t = must_alloc(sizeof *t);
    t->on_time = on_time;
    t->owner = owner;
    uv_timer_init(&l->uv, &t->uv);
    return t;
}

static void on_timer(uv_timer_t *uv)
{
    struct timer *t = (struct timer *)(void *)uv;
    t->on_time(t->owner);
}

void timer_every(struct timer *t, Msec every)
{
    uv_timer_start(&t->uv, on_timer, every, every);
}

void timer_once(struct timer *t, Msec after)
{
    uv_timer_start(&t->uv, on_timer, after, 0);
}

void timer_free(struct timer *t)
{
    if (t)
        uv_close((uv_handle_t *)&t->uv, on_closed);
}
