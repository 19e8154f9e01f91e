/* belfry-fcgi -- the worker: holds the browsers' streams behind a web server. */
#include "address.h"
#include "answer.h"
#include "base/files.h"
#include "base/log.h"
#include "base/notify.h"
#include "cgi.h"
#include "listen.h"
#include "opening.h"
#include "route.h"
#include "spawn.h"
#include "supervise.h"
#include "take.h"
#include "tokens.h"
#include "wire/hooking.h"
#include "wire/place.h"
#include "worker.h"

#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum { FILES_LEAST = 64 }; /* a descriptor for each stream, and some for itself */

static const char usage[] = "usage: belfry-fcgi [options]\n";

static int refuse(const struct fault *why)
{
    log_error("stopped", kz("reason", why->text));
    return EX_CONFIG;
}

static void on_stop(void *owner, int number)
{
    (void)number;
    notify_stopping();
    worker_stop(owner);
}

static void on_renew(void *owner, int number)
{
    (void)number;
    worker_renew(owner);
}

static bool set_signals(struct worker *w, struct fault *why)
{
    return loop_on_signal(w->loop, SIGTERM, on_stop, w, why) &&
           loop_on_signal(w->loop, SIGINT, on_stop, w, why) &&
           loop_on_signal(w->loop, SIGHUP, on_renew, w, why);
}

/* The supervisor is gone: nobody would know of this one. */
static void on_orphaned(struct watch *w, int events)
{
    struct worker *orphan = CONTAINER_OF(w, struct worker, supervisor);
    (void)events;
    watch_set(orphan->loop, w, 0); /* it would be told in each turn of the drain */
    worker_stop(orphan);
}

/* The worker that a successor was made for has let go of everything, or the process ends here. */
static bool inherit(struct worker *w, struct listener *l, const struct heritage *h)
{
    struct fault why = {0};
    if (!take_all(w, l, h->takeover, &why) || !set_signals(w, &why) || !take_over(w, &why))
        take_give_up(w, h->takeover, &why);
    return true;
}

static bool begin(struct worker *w, struct listener *l, const struct heritage *h, struct fault *why)
{
    if (!worker_open(w, w->options, w->number, why))
        return false;
    w->ready = h->ready;
    if (h->takeover >= 0)
        return inherit(w, l, h);
    return worker_listen(w, l, -1, why) && set_signals(w, why);
}

static int serve(const struct options *o, struct listener *l, const struct heritage *h)
{
    struct worker w = {.options = o, .number = (unsigned)h->number};
    struct fault why = {0};
    if (!begin(&w, l, h, &why))
        return refuse(&why);
    /* Whatever log_level is. */
    fprintf(stderr, "ready fcgi=%s worker=%d pid=%d\n", l->where, h->number, (int)getpid());
    if (h->ready >= 0)
        watch_open(w.loop, &w.supervisor, h->ready, LOOP_ERROR, on_orphaned);
    if (h->takeover < 0 && h->ready >= 0)
        supervise_report(h->ready, w.number, (int)getpid());
    else if (h->takeover < 0)
        notify_ready();
    worker_run(&w);
    watch_close(w.loop, &w.supervisor);
    worker_close(&w);
    listener_close(l);
    return EX_OK;
}

/* What each worker would find out for itself, again and again. */
static bool check_tokens(const struct options *o, struct fault *why)
{
    struct tokens *t = tokens_open(o, why);
    bool ok = t;
    tokens_close(t);
    return ok;
}

/* What options name and how it fits together: all that can be judged before anything is opened. */
static bool check(const struct options *o, bool is_heir, struct fault *why)
{
    return files_open(FILES_LEAST, why) && opening_check(o, why) && hook_check(o, why) &&
           mount_check(str_of(o->mount), why) && cors_check(str_of(o->origins), why) &&
           address_check(str_of(o->trusted_proxies), why) &&
           (is_heir || (check_tokens(o, why) && place_check(o, why)));
}

static int check_and_serve(const struct options *o, const struct heritage *inherited)
{
    static const struct heritage own = {1, -1, -1, -1, -1};
    struct listener l;
    struct fault why = {0};
    if (!check(o, inherited, &why))
        return refuse(&why);
    if (o->check_config)
        return EX_OK;
    if (inherited) {
        listener_inherit(&l, inherited->listen, inherited->lock, STR_NONE);
        return serve(o, &l, inherited);
    }
    if (!listener_open(&l, o, &why))
        return refuse(&why);
    if (o->workers == 1)
        return serve(o, &l, &own);
    int code = supervise(o, &l);
    listener_close(&l);
    return code;
}

int main(int argc, char **argv)
{
    struct options o;
    struct fault why = {0};
    struct heritage inherited;
    memory_share();
    signal(SIGPIPE, SIG_IGN);
    log_init("belfry-fcgi", LOG_LEVEL_INFO);
    spawn_remember(argv);
    bool is_heir = spawn_heritage(&inherited);
    /* A CGI program's arguments are words of the browser's query. */
    bool is_cgi = !is_heir && cgi_is_asked();
    if (!options_load(&o, PROGRAM_WORKER, is_cgi ? 1 : argc, argv, &why))
        return refuse(&why);
    log_init("belfry-fcgi", (enum log_level)o.log_level);
    int code = EX_OK;
    if (is_cgi)
        code = cgi_serve(&o);
    else if (o.check_config || !options_answer(&o, stdout, PROGRAM_WORKER, usage))
        code = check_and_serve(&o, is_heir ? &inherited : NULL);
    options_fini(&o);
    return code;
}
