#include "take.h"

#include "base/lockfile.h"
#include "base/log.h"
#include "baton.h"
#include "cable.h"
#include "conn.h"
#include "handover.h"
#include "poll.h"
#include "request.h"
#include "sse.h"
#include "wait.h"
#include "wire/refusal.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#define PATIENCE ((Msec)5000) /* for the next word */
enum { PID_BYTES = 8 };

struct take {
    struct worker *worker;
    struct listener *listener;
    struct watch watch;
    int fd;
    bool is_over;
};

/* The stream that writes into the outlet, and what stands between. */
static bool restore_stream(struct worker *w, struct outlet *o, const struct image_outlet *m,
                           Msec now)
{
    struct image_stream stream;
    struct image_poll poll;
    if (!image_stream_unpack(m->stream, &stream) || stream.poll != (m->poll.len > 0))
        return false;
    if (!stream.poll) {
        struct sink sink = sse_restore(o, stream.envelope, m->rest.len > 0);
        (void)stream_restore(w->roster, &stream, sink, now);
        return true;
    }
    if (!image_poll_unpack(m->poll, &poll) || stream.left > poll.limit - poll.count)
        return false;
    struct outlet *wait = wait_new(w, o);
    struct stream *s = stream_restore(w->roster, &stream, poll_restore(wait, &poll), now);
    wait_until(wait, s, now + m->wait);
    return true;
}

static bool restore_outlet(struct worker *w, Str image, struct baton *b, Msec now)
{
    struct image_outlet m;
    int fds[2] = {-1, -1};
    if (!image_outlet_unpack(image, &m) || m.fds > b->n || (m.kind == IMAGE_CALL && !w->handover))
        return false;
    baton_take(b, fds, m.fds);
    if (m.kind == IMAGE_CALL) {
        handover_restore(w->handover, fds[0], fds[1], &m, now);
        return true;
    }
    struct outlet *o = m.kind == IMAGE_PIPE ? pipe_restore(&w->pipes, fds[0], &m)
                                            : conns_restore(w->conns, fds[0], &m, now);
    return !o || restore_stream(w, o, &m, now);
}

static bool restore_batch(struct worker *w, struct baton *b, struct fault *why)
{
    Str list = buf_str(&b->body), item;
    Msec now = clock_mono();
    bool ok = list_is_whole(list);
    while (ok && list_next(&list, &item))
        ok = restore_outlet(w, item, b, now);
    return (ok && !b->n) || fail(why, REFUSE_INTERNAL, "a connection's image makes no sense");
}

static bool restore_worker(struct take *t, struct baton *b, struct fault *why)
{
    struct worker *w = t->worker;
    struct image_worker m;
    struct image_roster r;
    int fds[3] = {-1, -1, -1};
    if (!image_worker_unpack(buf_str(&b->body), &m) || b->n != 1u + m.lock + m.handover ||
        !image_roster_unpack(m.roster, &r))
        return fail(why, REFUSE_INTERNAL, "the worker's image makes no sense");
    baton_take(b, fds, 1);
    if (m.lock)
        baton_take(b, fds + 1, 1);
    if (m.handover)
        baton_take(b, fds + 2, 1);
    link_succeed(w->link, m.boot);
    listener_inherit(t->listener, fds[0], fds[1], m.where);
    roster_restore(w->roster, &r, clock_mono());
    return worker_listen(w, t->listener, fds[2], why);
}

static bool say(struct take *t, enum image_word word, struct fault *why)
{
    return baton_send(t->fd, word, STR_NONE, NULL, 0, why);
}

static bool on_word(struct take *t, struct baton *b, struct fault *why)
{
    bool has_begun = t->worker->conns != NULL;
    if (b->word == IMAGE_WORKER && !has_begun)
        return restore_worker(t, b, why) && say(t, IMAGE_TAKEN, why);
    if (b->word == IMAGE_BATCH && has_begun)
        return restore_batch(t->worker, b, why) && say(t, IMAGE_TAKEN, why);
    if (b->word == IMAGE_ALL && has_begun)
        return true;
    if (b->word == IMAGE_REFUSED)
        return fail(why, REFUSE_INTERNAL, "the old one refused: %.*s", FMT(buf_str(&b->body)));
    return fail(why, REFUSE_INTERNAL, "word %d has no place here", b->word);
}

static bool say_hello(struct take *t, struct fault *why)
{
    char bytes[PID_BYTES];
    uint64_t pid = (uint64_t)getpid();
    for (int i = PID_BYTES - 1; i >= 0; i--, pid >>= 8)
        bytes[i] = (char)(pid & 0xff);
    return baton_send(t->fd, IMAGE_HELLO, str_make(bytes, sizeof bytes), NULL, 0, why);
}

bool take_all(struct worker *w, struct listener *l, int fd, struct fault *why)
{
    struct take *t = must_alloc(sizeof *t);
    enum image_word word = IMAGE_HELLO;
    t->worker = w;
    t->listener = l;
    t->fd = fd;
    w->take = t;
    bool ok = say_hello(t, why);
    while (ok && word != IMAGE_ALL) {
        struct baton b;
        ok = baton_receive(fd, clock_mono() + PATIENCE, &b, why);
        if (!ok)
            break;
        word = b.word;
        ok = on_word(t, &b, why);
        baton_fini(&b);
    }
    if (ok)
        cable_greet(w->cable);
    return ok;
}

/* Connections that the old one has answered since, and that are kept; streams that begin. */
static void on_late(struct watch *watch, int events)
{
    struct take *t = CONTAINER_OF(watch, struct take, watch);
    struct baton b;
    struct fault why;
    (void)events;
    bool ok = baton_receive(t->fd, 0, &b, &why);
    if (ok) {
        ok = b.word == IMAGE_BATCH && restore_batch(t->worker, &b, &why);
        baton_fini(&b);
    }
    t->is_over = !ok; /* it ended */
    if (t->is_over)
        watch_set(t->worker->loop, &t->watch, 0);
}

bool take_over(struct worker *w, struct fault *why)
{
    struct take *t = w->take;
    struct baton b;
    if (!say(t, IMAGE_READY, why) || !baton_receive(t->fd, clock_mono() + PATIENCE, &b, why))
        return false;
    bool ok = b.word == IMAGE_YOURS ||
              fail(why, REFUSE_INTERNAL, "the old one says word %d instead: %.*s", b.word,
                   FMT(buf_str(&b.body)));
    baton_fini(&b);
    if (!ok)
        return false;
    if (t->listener->lock >= 0)
        lockfile_sign(t->listener->lock);
    watch_open(w->loop, &t->watch, t->fd, LOOP_READ, on_late);
    log_info("took over", kn("streams", roster_streams(w->roster)),
             kn("connections", conns_count(w->conns)), kn("hub", link_is_up(w->link)));
    return true;
}

void take_give_up(struct worker *w, int fd, const struct fault *why)
{
    struct fault ignored;
    log_error("takeover given up, the old worker goes on", kz("reason", why->text));
    (void)!baton_send(fd, IMAGE_REFUSED, str_of(why->text), NULL, 0, &ignored);
    link_goodbye(w->link);
    cable_close(w->cable);
    _exit(EX_TEMPFAIL);
}

bool take_is_over(const struct take *t)
{
    return t->is_over;
}

void take_free(struct take *t)
{
    if (!t)
        return;
    watch_close(t->worker->loop, &t->watch);
    close(t->fd);
    free(t);
}
