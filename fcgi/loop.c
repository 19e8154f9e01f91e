#include "loop.h"

#include "wire/refusal.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

enum { SIGNALS_MAX = 4 };

struct signal_slot {
    uv_signal_t uv;
    void (*on_signal)(void *owner, int number);
    void *owner;
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_idle_t idle;
    struct signal_slot signals[SIGNALS_MAX];
    size_t signal_count;
    bool (*hook)(void *owner);
    void *hook_owner;
};

struct watch {
    uv_poll_t uv; /* first */
    loop_on_events *on_events;
    void *owner;
};

struct timer {
    uv_timer_t uv; /* first */
    void (*on_time)(void *owner);
    void *owner;
};

struct loop *loop_new(struct fault *why)
{
    struct loop *l = must_alloc(sizeof *l);
    int error = uv_loop_init(&l->uv);
    if (error) {
        fail(why, REFUSE_INTERNAL, "no event loop: %s", uv_strerror(error));
        free(l);
        return NULL;
    }
    uv_prepare_init(&l->uv, &l->prepare);
    uv_idle_init(&l->uv, &l->idle);
    l->prepare.data = l->idle.data = l;
    return l;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->idle, NULL);
    for (size_t i = 0; i < l->signal_count; i++)
        uv_close((uv_handle_t *)&l->signals[i].uv, NULL);
    uv_run(&l->uv, UV_RUN_NOWAIT); /* closes are finished by a turn */
    int failed = uv_loop_close(&l->uv);
    assert(!failed);
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

/* An error is told by libuv without saying which: that it is one is all we need. */
static void on_poll(uv_poll_t *uv, int status, int events)
{
    struct watch *w = (struct watch *)(void *)uv;
    int told = 0;
    if (status < 0 || events & UV_PRIORITIZED)
        told |= LOOP_ERROR;
    if (events & UV_READABLE)
        told |= LOOP_READ;
    if (events & UV_WRITABLE)
        told |= LOOP_WRITE;
    if (events & UV_DISCONNECT)
        told |= LOOP_LEFT;
    w->on_events(w->owner, told);
}

struct watch *watch_new(struct loop *l, int fd, loop_on_events *on_events, void *owner)
{
    struct watch *w = must_alloc(sizeof *w);
    w->on_events = on_events;
    w->owner = owner;
    if (uv_poll_init(&l->uv, &w->uv, fd) != 0) {
        free(w);
        return NULL;
    }
    return w;
}

/* Errors are told with whatever is asked for; urgent data, which nobody sends, stands for "errors
 * alone". */
void watch_set(struct watch *w, int events)
{
    int asked = 0;
    if (events & LOOP_READ)
        asked |= UV_READABLE;
    if (events & LOOP_WRITE)
        asked |= UV_WRITABLE;
    if (events & LOOP_LEFT)
        asked |= UV_DISCONNECT;
    if (events & LOOP_ERROR)
        asked |= UV_PRIORITIZED;
    if (asked)
        uv_poll_start(&w->uv, asked, on_poll);
    else
        uv_poll_stop(&w->uv);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    uv_poll_stop(&w->uv);
    uv_close((uv_handle_t *)&w->uv, on_closed);
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
