/* belfry-fcgi -- the worker: holds the browsers' streams behind a web server. */
#include "base/files.h"
#include "base/log.h"
#include "base/notify.h"
#include "cgi.h"
#include "listen.h"
#include "opening.h"
#include "supervise.h"
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

/* The parser's library puts handlers of its own for these. */
static bool set_signals(struct worker *w, struct fault *why)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_DFL);
    return loop_on_signal(w->loop, SIGTERM, on_stop, w, why) &&
           loop_on_signal(w->loop, SIGINT, on_stop, w, why);
}

/* `ready`: -1 where no parent waits for it. */
static int serve(const struct options *o, struct listener *l, unsigned number, int ready)
{
    struct worker w;
    struct fault why = {0};
    if (!worker_open(&w, o, number, &why) || !worker_listen(&w, l, &why))
        return refuse(&why);
    if (!set_signals(&w, &why))
        return refuse(&why);
    fprintf(stderr, "ready fcgi=%s worker=%u\n", l->where, number); /* whatever log_level is */
    if (ready < 0)
        notify_ready();
    else
        (void)!write(ready, "r", 1);
    worker_run(&w);
    worker_close(&w);
    listener_close(l);
    return EX_OK;
}

static int listen_and_serve(const struct options *o)
{
    struct listener l;
    struct fault why = {0};
    if (!files_open(FILES_LEAST, &why) || !opening_check(o, &why) || !listener_open(&l, o, &why))
        return refuse(&why);
    if (o->workers == 1)
        return serve(o, &l, 1, -1);
    int code = supervise(o, &l, serve);
    listener_close(&l);
    return code;
}

int main(int argc, char **argv)
{
    struct options o;
    struct fault why = {0};
    signal(SIGPIPE, SIG_IGN);
    log_init("belfry-fcgi", LOG_LEVEL_INFO);
    /* A CGI program's arguments are words of the browser's query. */
    bool is_cgi = cgi_is_asked();
    if (!options_load(&o, PROGRAM_WORKER, is_cgi ? 1 : argc, argv, &why))
        return refuse(&why);
    log_init("belfry-fcgi", (enum log_level)o.log_level);
    int code = EX_OK;
    if (is_cgi)
        code = cgi_serve(&o);
    else if (!options_answer(&o, stdout, PROGRAM_WORKER, usage))
        code = listen_and_serve(&o);
    options_fini(&o);
    return code;
}
