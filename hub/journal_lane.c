#include "journal_lane.h"
#include "wire/refusal.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

void op_list_init(struct op_list *l)
{
    l->first = NULL;
    l->end = &l->first;
}

void op_list_add(struct op_list *l, struct op *op)
{
    op->next = NULL;
    *l->end = op;
    l->end = &op->next;
}

void op_list_move(struct op_list *to, struct op_list *from)
{
    if (!from->first)
        return;
    *to->end = from->first;
    to->end = from->end;
    op_list_init(from);
}

struct op *op_list_take(struct op_list *l)
{
    struct op *op = l->first;
    if (!op)
        return NULL;
    l->first = op->next;
    if (!l->first)
        l->end = &l->first;
    op->next = NULL;
    return op;
}

void lane_init(struct lane *l)
{
    *l = (struct lane){0};
    op_list_init(&l->waiting);
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&l->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

void lane_fini(struct lane *l)
{
    assert(!l->running);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
}

bool lane_start(struct lane *l, void *(*run)(void *), void *ctx, struct fault *why)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&l->thread, NULL, run, ctx);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    l->running = !error;
    return l->running || fail(why, REFUSE_INTERNAL, "no thread: %s", strerror(error));
}

void lane_put(struct lane *l, struct op_list *ops)
{
    if (!ops->first)
        return;
    pthread_mutex_lock(&l->lock);
    op_list_move(&l->waiting, ops);
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

static struct timespec moment(Msec mono)
{
    return (struct timespec){(time_t)(mono / 1000), (long)(mono % 1000) * 1000000};
}

static void wait_until(struct lane *l, Msec until)
{
    struct timespec at = moment(until);
    while (!l->waiting.first && !l->closing)
        if (pthread_cond_timedwait(&l->changed, &l->lock, &at) == ETIMEDOUT)
            return;
}

static size_t size_of(const struct op *op)
{
    return op->kind == OP_APPEND ? ((const struct append *)(const void *)op)->size : 0;
}

bool lane_take(struct lane *l, struct op_list *out, size_t most, size_t bytes, Msec until)
{
    size_t n = 0, size = 0;
    pthread_mutex_lock(&l->lock);
    wait_until(l, until);
    while (l->waiting.first && n < most) {
        size += size_of(l->waiting.first);
        if (n > 0 && size > bytes)
            break;
        op_list_add(out, op_list_take(&l->waiting));
        n++;
    }
    l->has_ended = n == 0 && l->closing;
    if (l->has_ended)
        pthread_cond_signal(&l->changed); /* to who waits to join */
    bool goes_on = !l->has_ended;
    pthread_mutex_unlock(&l->lock);
    return goes_on;
}

bool lane_is_empty(struct lane *l)
{
    pthread_mutex_lock(&l->lock);
    bool empty = !l->waiting.first;
    pthread_mutex_unlock(&l->lock);
    return empty;
}

bool lane_is_closing(struct lane *l)
{
    pthread_mutex_lock(&l->lock);
    bool closing = l->closing;
    pthread_mutex_unlock(&l->lock);
    return closing;
}

void lane_close(struct lane *l)
{
    pthread_mutex_lock(&l->lock);
    l->closing = true;
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

void lane_join(struct lane *l)
{
    if (l->running)
        pthread_join(l->thread, NULL);
    l->running = false;
}

bool lane_join_within(struct lane *l, Msec ms)
{
    struct timespec until = moment(clock_mono() + ms);
    int late = 0;
    pthread_mutex_lock(&l->lock);
    while (l->running && !l->has_ended && !late)
        late = pthread_cond_timedwait(&l->changed, &l->lock, &until);
    pthread_mutex_unlock(&l->lock);
    if (!late)
        lane_join(l);
    return !late;
}

bool outbox_init(struct outbox *o, struct fault *why)
{
    pthread_mutex_init(&o->lock, NULL);
    op_list_init(&o->done);
    o->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return o->fd >= 0 || fail(why, REFUSE_INTERNAL, "no eventfd: %s", strerror(errno));
}

void outbox_fini(struct outbox *o)
{
    if (o->fd >= 0)
        close(o->fd);
    pthread_mutex_destroy(&o->lock);
}

static void wake(struct outbox *o)
{
    ssize_t written = write(o->fd, &(uint64_t){1}, sizeof(uint64_t));
    assert(written == sizeof(uint64_t)); /* it would take 2^64 of them to fill it */
}

void outbox_put(struct outbox *o, struct op_list *done)
{
    if (!done->first)
        return;
    pthread_mutex_lock(&o->lock);
    op_list_move(&o->done, done);
    pthread_mutex_unlock(&o->lock);
    wake(o);
}

/* The descriptor is emptied first: what is put in meanwhile makes it readable again. */
void outbox_take(struct outbox *o, struct op_list *out)
{
    uint64_t times;
    if (read(o->fd, &times, sizeof times) < 0)
        return; /* nothing was put in since */
    pthread_mutex_lock(&o->lock);
    op_list_move(out, &o->done);
    pthread_mutex_unlock(&o->lock);
}

void outbox_break(struct outbox *o, const struct fault *why)
{
    pthread_mutex_lock(&o->lock);
    if (!atomic_load(&o->is_broken))
        o->why = *why;
    atomic_store(&o->is_broken, true);
    pthread_mutex_unlock(&o->lock);
    wake(o);
}

bool outbox_is_broken(struct outbox *o)
{
    return atomic_load(&o->is_broken);
}

void outbox_why(struct outbox *o, struct fault *why)
{
    pthread_mutex_lock(&o->lock);
    *why = o->why;
    pthread_mutex_unlock(&o->lock);
}
